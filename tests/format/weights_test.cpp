// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/format/weights.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/autograd/param.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/format/safetensors_writer.hpp"

using namespace mlgraph;

namespace {

std::uint32_t bits_of(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

/// The model of these tests: a matrix, a vector, a state vector, whose sizes leave padding after each.
ParamSpec small_model() {
  ParamSpec spec;
  spec.matrix("conv1.lin_l.weight", 3, 5, Init::glorot());
  spec.vector("conv1.lin_l.bias", 3, Init::uniform(1));
  spec.state_vector("norm.running_mean", 8, Init::constant(0.5));
  return spec;
}

/// Files that are put together tensor by tensor, of any type.
class FileBuilder {
 public:
  template <class T>
  FileBuilder& add(std::string name, Dtype dtype, std::vector<std::int64_t> shape,
                   const std::vector<T>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(T));
    if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
    data_.push_back(std::move(bytes));
    tensors_.push_back({std::move(name), dtype, std::move(shape), data_.back()});
    return *this;
  }
  /// Loads into `values`, from memory that no type of element is aligned in.
  Status load(const ParamSpec& spec, Span<float> values, const NameMap& names = {},
              const WeightsOptions& options = {}) const {
    const std::vector<std::byte> bytes = write_safetensors(tensors_).value();
    std::vector<std::byte> shifted(1, std::byte{0});
    shifted.insert(shifted.end(), bytes.begin(), bytes.end());
    const auto file = SafeTensors::parse(Span<const std::byte>(shifted).subspan(1, bytes.size()));
    REQUIRE(file.status().message() == "");
    return load_weights(*file, spec, values, names, options);
  }

 private:
  std::vector<std::vector<std::byte>> data_;  // inner buffers do not move
  std::vector<SafeTensor> tensors_;
};

std::vector<float> numbers(std::size_t count, float first) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = first + static_cast<float>(i);
  return values;
}

FileBuilder good_file() {
  FileBuilder file;
  file.add("conv1.lin_l.weight", Dtype::kF32, {3, 5}, numbers(15, 100));
  file.add("conv1.lin_l.bias", Dtype::kF32, {3}, numbers(3, 200));
  file.add("norm.running_mean", Dtype::kF32, {8}, numbers(8, 300));
  return file;
}

/// The error of loading a file; the values must not have changed.
std::string refused(const FileBuilder& file, const ParamSpec& spec = small_model(), const NameMap& names = {},
                    const WeightsOptions& options = {}) {
  std::vector<float> values(static_cast<std::size_t>(spec.size()), 42.0f);
  const Status status = file.load(spec, values, names, options);
  CHECK(status.code() == StatusCode::kInvalidArgument);
  for (const float value : values) REQUIRE(value == 42.0f);
  return status.message();
}

}  // namespace

TEST_CASE("rules on the beginnings of names make a name map") {
  const ParamSpec spec = small_model();
  const NameMap map =
      map_prefixes(spec, {{"conv1.", "convs.0."}, {"conv1.lin_l.b", "other.b"}, {"norm", "bn"}}).value();
  CHECK(map == NameMap{{"conv1.lin_l.weight", "convs.0.lin_l.weight"},
                       {"conv1.lin_l.bias", "other.bias"},
                       {"norm.running_mean", "bn.running_mean"}});
  CHECK(map_prefixes(spec, {}).value().empty());
  CHECK(map_prefixes(spec, {{"", "module."}}).value()[2].second == "module.norm.running_mean");
  CHECK(map_prefixes(spec, {{"conv1.", "a."}, {"conv2.", "b."}, {"x", "y"}}).status().message() ==
        "weights: no name of the model begins with conv2., x");
}

TEST_CASE("the numbers of a model survive a file bit by bit, and padding becomes 0") {
  const ParamSpec spec = small_model();
  Parameters<float> saved(spec, 3);
  saved.value[0] = -0.0f;
  saved.value[1] = std::numeric_limits<float>::denorm_min();
  saved.value[2] = std::numeric_limits<float>::max();
  const std::vector<SafeTensor> tensors = tensors_of(spec, saved.value);
  REQUIRE(tensors.size() == 3);
  CHECK(tensors[0].name == "conv1.lin_l.weight");
  CHECK(tensors[0].shape == std::vector<std::int64_t>{3, 5});
  CHECK(tensors[1].shape == std::vector<std::int64_t>{3});
  CHECK(tensors[2].shape == std::vector<std::int64_t>{8});
  const std::vector<std::byte> bytes = write_safetensors(tensors).value();
  std::vector<float> loaded(saved.value.size(), 42.0f);
  REQUIRE(load_weights(SafeTensors::parse(bytes).value(), spec, loaded).message() == "");
  for (std::size_t i = 0; i < loaded.size(); ++i) CHECK(bits_of(loaded[i]) == bits_of(saved.value[i]));
}

TEST_CASE("every tensor goes to its place, whatever the order in the file") {
  const ParamSpec spec = small_model();
  std::vector<float> values(static_cast<std::size_t>(spec.size()), 42.0f);
  REQUIRE(good_file().load(spec, values).message() == "");
  for (const ParamSpec::Entry& entry : spec.entries()) {
    const float first = entry.name == "conv1.lin_l.weight" ? 100.0f
                        : entry.name == "conv1.lin_l.bias" ? 200.0f
                                                           : 300.0f;
    for (std::int64_t i = 0; i < entry.param.size(); ++i) {
      CHECK(values[static_cast<std::size_t>(spec.position(entry.param) + i)] == first + static_cast<float>(i));
    }
  }
}

TEST_CASE("a matrix takes 1s in front, a vector any shape of as many elements") {
  const auto loads = [](bool is_vector, std::int64_t rows, std::int64_t cols, std::vector<std::int64_t> shape) {
    ParamSpec spec;
    if (is_vector) {
      spec.vector("t", cols, Init::constant(0));
    } else {
      spec.matrix("t", rows, cols, Init::constant(0));
    }
    std::size_t count = 1;
    for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
    FileBuilder file;
    file.add("t", Dtype::kF32, std::move(shape), numbers(count, 1));
    std::vector<float> values(static_cast<std::size_t>(spec.size()), 42.0f);
    const bool ok = file.load(spec, values).ok();
    for (std::size_t i = 0; i < values.size(); ++i) {
      CHECK(values[i] == (!ok ? 42.0f : i < count ? static_cast<float>(i + 1) : 0.0f));
    }
    return ok;
  };
  CHECK(loads(true, 1, 8, {8}));
  CHECK(loads(true, 1, 8, {1, 2, 4}));
  CHECK(loads(true, 1, 8, {1, 8}));
  CHECK(loads(true, 1, 1, {}));
  CHECK(loads(true, 1, 0, {0}));
  CHECK(!loads(true, 1, 8, {7}));
  CHECK(!loads(true, 1, 8, {8, 2}));
  CHECK(!loads(true, 1, 8, {}));
  CHECK(loads(false, 2, 3, {2, 3}));
  CHECK(loads(false, 2, 3, {1, 1, 2, 3}));
  CHECK(loads(false, 1, 4, {1, 4}));
  CHECK(loads(false, 0, 3, {0, 3}));
  CHECK(!loads(false, 2, 3, {3, 2}));
  CHECK(!loads(false, 2, 3, {6}));
  CHECK(!loads(false, 1, 4, {4}));
  CHECK(!loads(false, 1, 4, {4, 1}));
  CHECK(!loads(false, 2, 3, {2, 3, 1}));
  CHECK(!loads(false, 2, 3, {2, 1, 3}));
}

TEST_CASE("tensors of all four types of float are taken") {
  ParamSpec spec;
  const Param f64 = spec.vector("f64", 3, Init::constant(0));
  const Param f16 = spec.vector("f16", 3, Init::constant(0));
  const Param bf16 = spec.vector("bf16", 2, Init::constant(0));
  FileBuilder file;
  file.add<double>("f64", Dtype::kF64, {3}, {0.1, -3.4028234663852886e38, 1e-60});
  file.add<std::uint16_t>("f16", Dtype::kF16, {3}, {0x3c00, 0x8001, 0xfbff});
  file.add<std::uint16_t>("bf16", Dtype::kBF16, {2}, {0x3f80, 0x8001});
  std::vector<float> values(static_cast<std::size_t>(spec.size()));
  REQUIRE(file.load(spec, values).message() == "");
  const auto at = [&](const Param& param, std::int64_t i) {
    return values[static_cast<std::size_t>(spec.position(param) + i)];
  };
  CHECK(at(f64, 0) == 0.1f);
  CHECK(at(f64, 1) == std::numeric_limits<float>::lowest());
  CHECK(at(f64, 2) == 0.0f);
  CHECK(at(f16, 0) == 1.0f);
  CHECK(at(f16, 1) == -0x1p-24f);
  CHECK(at(f16, 2) == -65504.0f);
  CHECK(at(bf16, 0) == 1.0f);
  CHECK(at(bf16, 1) == -0x1p-133f);
}

TEST_CASE("other types are refused") {
  ParamSpec spec;
  spec.vector("t", 4, Init::constant(0));
  for (const Dtype dtype : {Dtype::kBool, Dtype::kU8, Dtype::kI8, Dtype::kF8E4M3, Dtype::kF8E5M2}) {
    FileBuilder file;
    file.add<std::uint8_t>("t", dtype, {4}, {0, 1, 0, 1});
    CHECK(refused(file, spec) ==
          str_cat("weights: t is ", dtype_name(dtype), " in the file; should be F32, F64, F16 or BF16"));
  }
  FileBuilder file;
  file.add<std::int64_t>("t", Dtype::kI64, {4}, {0, 1, 0, 1});
  CHECK(refused(file, spec) == "weights: t is I64 in the file; should be F32, F64, F16 or BF16");
}

TEST_CASE("another shape is refused with both shapes") {
  FileBuilder file;
  file.add("conv1.lin_l.weight", Dtype::kF32, {5, 3}, numbers(15, 0));
  file.add("conv1.lin_l.bias", Dtype::kF32, {3}, numbers(3, 0));
  file.add("norm.running_mean", Dtype::kF32, {8}, numbers(8, 0));
  CHECK(refused(file) == "weights: conv1.lin_l.weight is (3, 5) in the model but (5, 3) in the file");

  FileBuilder last_is_wrong;
  last_is_wrong.add("conv1.lin_l.weight", Dtype::kF32, {3, 5}, numbers(15, 0));
  last_is_wrong.add("conv1.lin_l.bias", Dtype::kF32, {3}, numbers(3, 0));
  last_is_wrong.add("norm.running_mean", Dtype::kF32, {}, numbers(1, 0));
  CHECK(refused(last_is_wrong) == "weights: norm.running_mean is (8) in the model but () in the file");
}

TEST_CASE("values that are not finite, or do not fit a float, are refused with their place") {
  ParamSpec spec;
  spec.vector("a", 2, Init::constant(0));
  spec.matrix("b", 2, 2, Init::constant(0));
  const auto message = [&spec](Dtype dtype, const auto& values) {
    FileBuilder file;
    file.add("a", Dtype::kF32, {2}, numbers(2, 0));
    file.add("b", dtype, {2, 2}, values);
    return refused(file, spec);
  };
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(message(Dtype::kF32, std::vector<float>{0, 1, std::numeric_limits<float>::quiet_NaN(), 2}) ==
        "weights: b[2] is nan in the file; should be finite");
  CHECK(message(Dtype::kF32, std::vector<float>{static_cast<float>(-infinity), 1, 2, 3}) ==
        "weights: b[0] is -inf in the file; should be finite");
  CHECK(message(Dtype::kF64, std::vector<double>{0, 0, 0, infinity}) ==
        "weights: b[3] is inf in the file; should be finite");
  CHECK(message(Dtype::kF64, std::vector<double>{0, -1e300, 0, infinity}) ==
        "weights: b[1] is -1e+300 in the file; should be within the range of float");
  CHECK(message(Dtype::kF16, std::vector<std::uint16_t>{0, 0x7c00, 0, 0}) ==
        "weights: b[1] is inf in the file; should be finite");
  CHECK(message(Dtype::kF16, std::vector<std::uint16_t>{0, 0, 0x7c01, 0}) ==
        "weights: b[2] is nan in the file; should be finite");
  CHECK(message(Dtype::kBF16, std::vector<std::uint16_t>{0xff80, 0, 0, 0}) ==
        "weights: b[0] is -inf in the file; should be finite");
}

TEST_CASE("missing and extra tensors are listed together, and extra ones may be allowed") {
  FileBuilder file;
  file.add("conv1.lin_l.bias", Dtype::kF32, {3}, numbers(3, 0));
  file.add("conv1.lin.weight", Dtype::kF32, {3, 5}, numbers(15, 0));
  file.add("norm.num_batches_tracked", Dtype::kI64, {}, std::vector<std::int64_t>{7});
  CHECK(refused(file) ==
        "weights: the file lacks tensors of the model: conv1.lin_l.weight, norm.running_mean; the file has "
        "tensors "
        "that the model does not have: \"conv1.lin.weight\", \"norm.num_batches_tracked\"");
  WeightsOptions allow_extra;
  allow_extra.allow_extra = true;
  CHECK(refused(file, small_model(), {}, allow_extra) ==
        "weights: the file lacks tensors of the model: conv1.lin_l.weight, norm.running_mean");

  FileBuilder more = good_file();
  more.add("norm.num_batches_tracked", Dtype::kI64, {}, std::vector<std::int64_t>{7});
  CHECK(refused(more) ==
        "weights: the file has tensors that the model does not have: \"norm.num_batches_tracked\"");
  const ParamSpec spec = small_model();
  std::vector<float> values(static_cast<std::size_t>(spec.size()), 42.0f);
  CHECK(more.load(spec, values, {}, allow_extra).message() == "");
  CHECK(values[0] == 100.0f);
}

TEST_CASE("a long list of names is cut") {
  ParamSpec spec;
  for (int i = 0; i < 13; ++i) spec.vector(str_cat("t", i), 1, Init::constant(0));
  CHECK(refused(FileBuilder(), spec) ==
        "weights: the file lacks tensors of the model: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 3 more");
}

TEST_CASE("a name map finds tensors of another name, both ways") {
  const NameMap names = {{"conv1.lin_l.weight", "convs.0.lin_l.weight"}, {"norm.running_mean", "bn.mean"}};
  const ParamSpec spec = small_model();
  const Parameters<float> saved(spec, 5);
  const std::vector<std::byte> bytes = write_safetensors(tensors_of(spec, saved.value, names)).value();
  const SafeTensors file = SafeTensors::parse(bytes).value();
  CHECK(file.find("convs.0.lin_l.weight") != nullptr);
  CHECK(file.find("conv1.lin_l.bias") != nullptr);
  CHECK(file.find("norm.running_mean") == nullptr);
  AlignedVector<float> values(saved.value.size());
  REQUIRE(load_weights(file, spec, values, names).message() == "");
  CHECK(values == saved.value);
  CHECK(load_weights(file, spec, values).message() ==
        "weights: the file lacks tensors of the model: conv1.lin_l.weight, norm.running_mean; the file has "
        "tensors "
        "that the model does not have: \"bn.mean\", \"convs.0.lin_l.weight\"");

  const auto message = [](const NameMap& map) { return refused(good_file(), small_model(), map); };
  CHECK(message({{"conv1.lin_l.bias", "b"}}) ==
        "weights: the file lacks tensors of the model: conv1.lin_l.bias (\"b\"); the file has tensors that the "
        "model does not have: \"conv1.lin_l.bias\"");
  CHECK(message({{"conv2", "a"}, {"conv3", "b"}}) ==
        "weights: the name map has names that the model does not have: conv2, conv3");
  CHECK(message({{"conv1.lin_l.bias", "a"}, {"conv1.lin_l.bias", "b"}}) ==
        "weights: the name map has conv1.lin_l.bias twice");
  FileBuilder renamed;
  renamed.add("w", Dtype::kF32, {2}, numbers(2, 0));
  ParamSpec vector_of_3;
  vector_of_3.vector("v", 3, Init::constant(0));
  CHECK(refused(renamed, vector_of_3, {{"v", "w"}}) ==
        "weights: v is (3) in the model but (2) in the file (\"w\")");
}

TEST_CASE("one tensor of a file may serve two of the model") {
  ParamSpec spec;
  const Param a = spec.vector("a", 2, Init::constant(0));
  const Param b = spec.vector("b", 2, Init::constant(0));
  FileBuilder file;
  file.add("a", Dtype::kF32, {2}, numbers(2, 5));
  std::vector<float> values(static_cast<std::size_t>(spec.size()));
  REQUIRE(file.load(spec, values, {{"b", "a"}}).message() == "");
  CHECK(values[static_cast<std::size_t>(spec.position(a) + 1)] == 6.0f);
  CHECK(values[static_cast<std::size_t>(spec.position(b) + 1)] == 6.0f);
}

TEST_CASE("a buffer of another size is refused") {
  std::vector<float> values(7, 42.0f);
  CHECK(good_file().load(small_model(), values).message() ==
        "weights: there is room for 7 values; the model has 48");
  CHECK(values == std::vector<float>(7, 42.0f));
}

TEST_CASE("a matrix of as many elements, but other dimensions, is refused") {
  ParamSpec spec;
  spec.matrix("weight", 2, 6, Init::constant(0));
  std::vector<float> values(static_cast<std::size_t>(spec.size()));
  const std::vector<float> ones(24, 1);
  const auto error = [&](std::vector<std::int64_t> shape) {
    std::size_t count = 1;
    for (const std::int64_t dim : shape) count *= static_cast<std::size_t>(dim);
    const SafeTensor tensor = {"weight",
                               Dtype::kF32,
                               std::move(shape),
                               {reinterpret_cast<const std::byte*>(ones.data()), count * sizeof(float)}};
    const std::vector<std::byte> bytes = write_safetensors(Span<const SafeTensor>(&tensor, 1)).value();
    return load_weights(SafeTensors::parse(bytes).value(), spec, Span<float>(values)).message();
  };
  CHECK(error({1, 1, 2, 6}).empty());
  CHECK(error({2, 3}) == "weights: weight is (2, 6) in the model but (2, 3) in the file");
  CHECK(error({3, 6}) == "weights: weight is (2, 6) in the model but (3, 6) in the file");
  CHECK(error({2, 2, 6}) == "weights: weight is (2, 6) in the model but (2, 2, 6) in the file");
}

TEST_CASE("of the rules on the beginnings of names the longest counts, in whatever order they come") {
  ParamSpec spec;
  spec.matrix("conv1.weight", 1, 1, Init::constant(0));
  const NameMap expected = {{"conv1.weight", "first.weight"}};
  CHECK(map_prefixes(spec, {{"conv", "c"}, {"conv1.", "first."}}).value() == expected);
  CHECK(map_prefixes(spec, {{"conv1.", "first."}, {"conv", "c"}}).value() == expected);
}
