// SPDX-License-Identifier: Apache-2.0
// Predicts the cycles of basic blocks on three machines, some of them unmeasured, from graphs with typed edges.
// A line of a file is `cycles cycles cycles | instruction; instruction; ...`; - is what is missing. See
// README.md.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "mlgraph/mlgraph.hpp"

namespace {

namespace mg = mlgraph;

constexpr int kMachines = 3, kWidth = 32, kLayers = 4;

/// What edges mean; each has a reverse, whose type is kNumKinds more.
enum Kind : std::int32_t { kNext, kReads, kAddress, kWrites, kNumKinds };

/// A block as a graph (GRANITE, arXiv:2210.03894): a node for each instruction and for each value that it reads
/// or writes. A register that is written is a new value.
struct BlockGraph {
  std::vector<std::int32_t> token, source, target, kind;
  std::map<std::string, std::int32_t> value;  // the node that has the newest value of a register

  std::int32_t node(std::int32_t of_token) {
    token.push_back(of_token);
    return static_cast<std::int32_t>(token.size() - 1);
  }
  void edge(std::int32_t from, std::int32_t to, std::int32_t of_kind) {
    source.insert(source.end(), {from, to});
    target.insert(target.end(), {to, from});
    kind.insert(kind.end(), {of_kind, of_kind + kNumKinds});
  }
};

/// Numbers mnemonics and kinds of values as they appear; 0 is what the training blocks did not have.
struct Vocabulary {
  std::map<std::string, std::int32_t> ids;
  bool is_open = true;

  std::int32_t operator()(const std::string& word) {
    const auto found = ids.find(word);
    if (found != ids.end()) return found->second;
    return is_open ? ids[word] = static_cast<std::int32_t>(ids.size()) + 1 : 0;
  }
};

/// Words of letters and digits, and each bracket and comma.
std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  bool goes_on = false;
  for (const char c : text) {
    const bool is_word = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (is_word && goes_on) words.back() += c;
    if ((is_word && !goes_on) || c == '[' || c == ']' || c == ',') words.emplace_back(1, c);
    goes_on = is_word;
  }
  return words;
}

/// Adds `mnemonic destination, source, [base + 8]`: the first operand is written, and read too but by moves.
std::int32_t add_instruction(const std::string& text, std::int32_t before, Vocabulary& vocabulary,
                             BlockGraph& graph) {
  const std::vector<std::string> words = words_of(text);
  const std::string mnemonic = words.empty() ? "" : words[0];
  const std::int32_t instruction = graph.node(vocabulary(mnemonic));
  if (before >= 0) graph.edge(before, instruction, kNext);
  const auto value_of = [&](const std::string& name) {
    if (graph.value.count(name) == 0) graph.value[name] = graph.node(vocabulary("register"));
    return graph.value[name];
  };
  const bool compares = mnemonic.rfind("cmp", 0) == 0 || mnemonic.rfind("test", 0) == 0;
  const bool moves = mnemonic.rfind("mov", 0) == 0 || mnemonic.rfind("lea", 0) == 0;
  std::int32_t place = 0, memory = -1;  // of operands; of the brackets that are open
  std::string written;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool writes = place == 0 && !compares, reads = !writes || !moves;
    if (word == ",") {
      ++place;
    } else if (word == "[") {
      memory = graph.node(vocabulary("memory"));
    } else if (word == "]" && memory >= 0) {
      if (writes) graph.edge(instruction, memory, kWrites);
      if (reads) graph.edge(memory, instruction, kReads);
      memory = -1;
    } else if (std::isalpha(static_cast<unsigned char>(word[0])) == 0) {
      if (memory < 0) graph.edge(graph.node(vocabulary("number")), instruction, kReads);
    } else if (memory >= 0) {
      graph.edge(value_of(word), memory, kAddress);
    } else {
      if (reads) graph.edge(value_of(word), instruction, kReads);
      if (writes) written = word;
    }
  }
  if (written.empty()) return instruction;
  graph.value[written] = graph.node(vocabulary("register"));
  return graph.edge(instruction, graph.value[written], kWrites), instruction;
}

/// Adds a line of the file to a set.
mg::Status add_block(const std::string& line, Vocabulary& vocabulary, mg::GraphDataset& set) {
  std::array<float, kMachines> cycles{};
  const char* at = line.c_str();
  for (float& target : cycles) {
    while (*at == ' ') ++at;
    char* end = nullptr;
    const bool is_missing = *at == '-';
    target = is_missing ? std::numeric_limits<float>::quiet_NaN() : std::strtof(at, &end);
    if (!is_missing && (end == at || !(target > 0)))
      return mg::Status::data_loss(mg::str_cat("should begin with ", kMachines, " numbers above 0, or -"));
    at = is_missing ? at + 1 : end;
  }
  std::string code(std::find(at, line.c_str() + line.size(), '|'), line.c_str() + line.size());
  BlockGraph graph;
  std::int32_t before = -1;
  for (std::size_t begin = 1; begin < code.size();) {
    const std::size_t end = std::min(code.find(';', begin), code.size());
    before = add_instruction(code.substr(begin, end - begin), before, vocabulary, graph);
    begin = end + 1;
  }
  mg::GraphView view;
  view.x = {nullptr, static_cast<std::int64_t>(graph.token.size()), 0};
  view.opcode = graph.token;
  view.edge_source = graph.source;
  view.edge_target = graph.target;
  const mg::NamedArray arrays[] = {mg::edge_array("kind", mg::Span<const std::int32_t>(graph.kind)),
                                   mg::graph_array("cycles", mg::Span<const float>(cycles))};
  return set.add(view, arrays);
}

/// Relational convolutions over the graph; each node says what it costs, and a block is their sum and maximum.
struct BlockNet {
  static constexpr std::string_view kName = "block-throughput";
  struct Options {
    std::int64_t num_tokens = 1;
    template <class V>
    void fields(V& v) {
      v("num_tokens", "", num_tokens, 1, 1000000, "Mnemonics and kinds of values");
    }
  };
  mg::Embedding token;
  std::vector<mg::RGCNConv> convs;
  mg::MLP head;

  BlockNet(mg::ParamSpec& p, const Options& o)
      : token(p, "token", o.num_tokens, kWidth), head(p, "head", {2 * kWidth, kWidth, kMachines}) {
    for (int k = 0; k < kLayers; ++k)
      convs.emplace_back(p, mg::str_cat("conv", k), kWidth, kWidth, 2 * kNumKinds);
  }

  template <class C>
  mg::Var forward(C& ctx, const mg::BatchView& g) const {
    const mg::TypedEdges edges = mg::typed_edges(ctx, g.edges.forward, g.ids("kind"), 2 * kNumKinds);
    mg::Var h = token(ctx, g.opcode);
    for (const mg::RGCNConv& conv : convs) h = ctx.add(h, conv(ctx, h, edges, mg::Activation::kRelu));
    const mg::Var sum = mg::global_add_pool(ctx, h, g.ptr), largest = mg::global_max_pool(ctx, h, g.ptr);
    return head(ctx, ctx.concat(sum, largest));  // (G, kMachines)
  }
};

/// A block of random instructions, and what it costs on three machines that exist here only: what its busiest
/// unit takes, or its longest chain of dependences. A fifth is not measured.
std::string made_block(mg::Rng& rng) {
  static const char* const kNames[] = {"add", "imul", "mov", "divss"};
  constexpr double kLatency[kMachines][4] = {{1, 3, 4, 11}, {1, 4, 5, 14}, {1, 3, 4, 9}};
  constexpr double kBusy[kMachines][4] = {{0.25, 1, 0.5, 4}, {0.5, 1, 1, 6}, {0.2, 0.5, 0.4, 3}};
  std::array<std::array<double, 4>, kMachines> ready{}, busy{};  // of registers; of units
  std::string text, cycles;
  for (std::uint64_t i = 0, n = 2 + rng.below(10); i < n; ++i) {
    const std::size_t op = rng.below(4), to = rng.below(4), from = rng.below(4);
    const bool loads = op == 2;
    text += mg::str_cat(i == 0 ? " " : "; ", kNames[op], " r", to, loads ? ", [r" : ", r", from,
                        loads ? " + 8]" : "");
    for (std::size_t m = 0; m < kMachines; ++m) {
      ready[m][to] = kLatency[m][op] + (loads ? ready[m][from] : std::max(ready[m][to], ready[m][from]));
      busy[m][op] += kBusy[m][op];
    }
  }
  for (std::size_t m = 0; m < kMachines; ++m) {
    const double chain = *std::max_element(ready[m].begin(), ready[m].end());
    const double cost = std::max(chain, *std::max_element(busy[m].begin(), busy[m].end()));
    cycles += rng.below(5) == 0 ? std::string("- ") : mg::str_cat(cost, " ");
  }
  return cycles + "|" + text;
}

int fail(const std::string& message) { return std::fprintf(stderr, "%s\n", message.c_str()), 1; }

}  // namespace

int main(int argc, char** argv) {
  const std::string file = argc > 2 ? argv[2] : "";
  std::vector<std::string> lines, code;
  std::ifstream in(file);
  if (!file.empty() && !in.is_open()) return fail(file + " cannot be opened");
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  mg::Rng rng(1);
  while (file.empty() && lines.size() < 1000) lines.push_back(made_block(rng));
  for (const std::string& line : lines) code.push_back(line.substr(std::min(line.find('|'), line.size())));

  const double fractions[] = {0.7, 0.1, 0.2};  // equal blocks are all in one part
  const mg::SplitParts parts = mg::split_by_key(code, fractions, 1).value();
  mg::EdgeOptions edges;
  edges.duplicates = mg::EdgeOptions::Duplicates::kKeep;  // `add r1, r1` reads r1 twice
  mg::GraphDataset set(edges);
  Vocabulary vocabulary;
  std::array<std::vector<std::size_t>, 3> graphs;  // of training, validation and test
  for (std::size_t p = 0; p < parts.size(); ++p) {
    vocabulary.is_open = p == 0;
    for (const std::size_t i : parts[p]) {
      const mg::Status status = add_block(lines[i], vocabulary, set).annotate(mg::str_cat("line ", i + 1));
      if (!status.ok()) return fail(status.message());
      graphs[p].push_back(set.size() - 1);
    }
  }
  mg::GraphTask task;
  task.target = "cycles";
  task.loss.loss = mg::TargetLoss::kL1;
  task.loss.logarithms = true;  // outputs are logarithms of cycles, standardised
  task.loss.nan_is_missing = true;
  mg::Recipe recipe;
  recipe.epochs = argc > 1 ? std::max(1L, std::strtol(argv[1], nullptr, 10)) : 60;
  recipe.graphs_per_step = 32;
  recipe.lr = 3e-3;
  recipe.weight_decay = 0.1;
  mg::ThreadPool pool(0);
  mg::GraphTrainOptions options;
  options.pool = &pool;
  options.stop.metric = mg::StopMetric::kMape;
  BlockNet::Options net;
  net.num_tokens = static_cast<std::int64_t>(vocabulary.ids.size()) + 1;
  mg::GraphModel model = mg::GraphModel::make<BlockNet>(net).value();
  mg::GraphTrainer trainer(model, task, recipe, options);
  const mg::Result<mg::GraphTrainReport> report = trainer.run(set, graphs[0], graphs[1]);
  if (!report.ok()) return fail(report.status().message());
  const mg::TargetMetrics test = mg::evaluate(model, task, set, graphs[2], &pool).value().metrics;
  std::printf("%zu unseen blocks: MAPE %.1f %%, R2 %.3f\n", graphs[2].size(), 100 * test.mape.value_or(0),
              test.r2.value_or(0));
  return 0;
}
