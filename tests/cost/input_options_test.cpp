// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/cost/input_options.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace mlgraph {
namespace {

/// As the options of a network have them.
struct OnlyInputs : InputOptions {
  template <class V>
  void fields(V& v) {
    input_fields(v);
  }
};

TEST_CASE("the options that every network has, as files say them") {
  CHECK(to_texts(OnlyInputs()) == std::map<std::string, std::string>{{"direction", "both"},
                                                                     {"num_opcodes", "121"},
                                                                     {"opcode_encoding", "embedding"},
                                                                     {"opcode_channels", "32"},
                                                                     {"node_scaling", "sign-log1p"},
                                                                     {"config_scaling", "sign-log1p"},
                                                                     {"config_encoding", "scaled"},
                                                                     {"split_dimensions", "no"},
                                                                     {"embed_layout", "no"},
                                                                     {"pad_lists", "no"},
                                                                     {"walk_steps", "0"},
                                                                     {"dag_depth", "no"},
                                                                     {"layout_channels", "4"},
                                                                     {"segment_size", "0"},
                                                                     {"segment_partitioner", "topological"},
                                                                     {"segment_halo", "no"},
                                                                     {"segment_readout", "embedding"},
                                                                     {"prune", "none"}});
}

TEST_CASE("sizes out of range are named with their range") {
  struct Range {
    const char* key;
    std::int64_t InputOptions::*value;
    std::int64_t low, high;
  };
  for (const Range& range : {Range{"num_opcodes", &InputOptions::num_opcodes, 1, kMaxOpcodes},
                             Range{"opcode_channels", &InputOptions::opcode_channels, 1, kMaxChannels},
                             Range{"layout_channels", &InputOptions::layout_channels, 1, kMaxChannels}}) {
    for (const std::int64_t value : {range.low - 1, range.low, range.high, range.high + 1}) {
      OnlyInputs options;
      options.*range.value = value;
      const bool fits = value >= range.low && value <= range.high;
      CHECK(check_ranges("model", options).message() ==
            (fits ? ""
                  : str_cat("model: ", range.key, " is ", value, "; should be in [", range.low, ", ",
                            range.high, "]")));
    }
  }
  OnlyInputs options;
  options.segments.max_size = kMaxNodes + 1;
  CHECK(check_ranges("model", options).message() ==
        "model: segment_size is 2147483648; should be in [0, 2147483647]");
  options.segments.max_size = kMaxNodes;
  options.prune = {Prune::kKHop, 0};
  CHECK(check_ranges("model", options).message() ==
        "model: prune is \"khop:0\"; should be none, edge, khop:K or khop-merge:K, K in [1, 1000]");
}

/// The flags of the command line, and keys without one.
class Flags final : public FieldVisitor {
 public:
  std::vector<std::string> flags, no_flag;

 private:
  void add(const Field& field) {
    (field.flag.empty() ? no_flag : flags).emplace_back(field.flag.empty() ? field.key : field.flag);
    CHECK_FALSE(field.text.empty());
  }
  void integer(const Field& field, std::int64_t&, std::int64_t, std::int64_t) override { add(field); }
  void real(const Field& field, double&, double, double) override { add(field); }
  void one_of(const Field& field, std::size_t&, Span<const std::string_view>) override { add(field); }
  void other(const Field& field, std::string&) override { add(field); }
  void check_other(const Field&, const std::string&, const Status&) override {}
};

TEST_CASE("every option but those that data decides has a flag of its own, and a text") {
  Flags flags;
  OnlyInputs options;
  options.input_fields(static_cast<FieldVisitor&>(flags));
  CHECK(flags.no_flag == std::vector<std::string>{"num_opcodes", "pad_lists"});
  CHECK(std::set<std::string>(flags.flags.begin(), flags.flags.end()).size() == flags.flags.size());
  for (const std::string& flag : flags.flags) CHECK(flag.rfind("--", 0) == 0);
}

}  // namespace
}  // namespace mlgraph
