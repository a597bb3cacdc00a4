// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime: starts, loads, prints one score, by the library of the Python package, which comes without the
// C header. The few entries of its table of functions that are called here are declared by their places, which
// a later version never changes; a wrong one could not give the score that all others give.
//
// usage: onnxruntime MODEL.onnx|MODEL.ort all|none      the level of the optimisations of the graph
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "question.hpp"

extern "C" {
struct OrtApiBase {
  const void* const* (*GetApi)(std::uint32_t version);
  const char* (*GetVersionString)();
};
const OrtApiBase* OrtGetApiBase();
}

namespace {

constexpr int kWarning = 2, kFloat = 1, kInt64 = 7, kArena = 1, kDefaultMemory = 0;

/// A function of the table. Returns a status, null where all is well.
template <class... Arguments>
class Function {
 public:
  explicit Function(const void* const* api, int place) {
    static_assert(sizeof function_ == sizeof *api, "a function is as large as an object's address");
    std::memcpy(&function_, api + place, sizeof function_);
  }
  bool operator()(Arguments... arguments) const { return function_(arguments...) == nullptr; }

 private:
  void* (*function_)(Arguments...);
};

struct Api {
  const void* const* table = OrtGetApiBase()->GetApi(13);
  Function<int, const char*, void**> create_env{table, 3};
  Function<void*, const char*, void*, void**> create_session{table, 7};
  Function<void*, const void*, const char* const*, void* const*, std::size_t, const char* const*, std::size_t,
           void**>
      run{table, 9};
  Function<void**> create_options{table, 10};
  Function<void*, int> set_optimisation{table, 23};
  Function<void*, int> set_intra_threads{table, 24};
  Function<void*, int> set_inter_threads{table, 25};
  Function<const void*, void*, std::size_t, const std::int64_t*, std::size_t, int, void**> create_tensor{table,
                                                                                                         49};
  Function<void*, void**> tensor_data{table, 51};
  Function<int, int, void**> create_cpu_memory{table, 69};
};

class Runtime {
 public:
  bool load(const char* path, bool optimises) {
    void* options = nullptr;
    return api_.create_env(kWarning, "ships", &env_) && api_.create_options(&options) &&
           api_.set_intra_threads(options, 1) && api_.set_inter_threads(options, 1) &&
           api_.set_optimisation(options, optimises ? 99 : 0) &&
           api_.create_session(env_, path, options, &session_) &&
           api_.create_cpu_memory(kArena, kDefaultMemory, &memory_);
  }
  template <class T>
  bool add(const char* name, std::vector<T>& values, std::vector<std::int64_t> shape) {
    names_.push_back(name);
    inputs_.push_back(nullptr);
    return api_.create_tensor(memory_, values.data(), values.size() * sizeof(T), shape.data(), shape.size(),
                              sizeof(T) == sizeof(float) ? kFloat : kInt64, &inputs_.back());
  }
  bool run(float& score) {
    const char* const output = "score";
    void* value = nullptr;
    void* data = nullptr;
    if (!api_.run(session_, nullptr, names_.data(), inputs_.data(), names_.size(), &output, 1, &value))
      return false;
    if (!api_.tensor_data(value, &data)) return false;
    score = *static_cast<const float*>(data);
    return true;
  }

 private:
  Api api_;
  void *env_ = nullptr, *session_ = nullptr, *memory_ = nullptr;  // the end of the process frees them
  std::vector<const char*> names_;
  std::vector<void*> inputs_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return ships::fail("usage: onnxruntime MODEL all|none");
  Runtime runtime;
  if (!runtime.load(argv[1], std::strcmp(argv[2], "all") == 0))
    return ships::fail("the model cannot be loaded");
  ships::Question question;
  Matmul& program = question.program;
  std::vector<std::int64_t> opcode(program.opcode.begin(), program.opcode.end()),
      source(program.producer.begin(), program.producer.end()),
      target(program.consumer.begin(), program.consumer.end());
  std::vector<float> tile(question.tile, question.tile + 3);
  const auto nodes = static_cast<std::int64_t>(opcode.size()), edges = static_cast<std::int64_t>(source.size());
  float score = 0;
  const bool ok = runtime.add("x", program.x, {nodes, 2}) && runtime.add("opcode", opcode, {nodes}) &&
                  runtime.add("source", source, {edges}) && runtime.add("target", target, {edges}) &&
                  runtime.add("tile", tile, {3}) && runtime.run(score);
  return ok ? ships::print_score(score) : ships::fail("the model cannot be run");
}
