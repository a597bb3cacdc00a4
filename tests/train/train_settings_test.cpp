// SPDX-License-Identifier: Apache-2.0
#include "mlgraph/train/train_settings.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cost/program_fixture.hpp"

namespace mlgraph {
namespace {

using namespace testing;  // NOLINT: the fixture

/// Changes one field after the other: the n-th of those it is shown.
class ChangeOne final : public FieldVisitor {
 public:
  explicit ChangeOne(int which) : which_(which) {}
  std::string changed;  // its key; empty where there are fewer fields

 private:
  bool is_it(const Field& field) {
    if (which_-- != 0) return false;
    changed = std::string(field.key);
    return true;
  }
  void integer(const Field& field, std::int64_t& value, std::int64_t, std::int64_t) override {
    if (is_it(field)) ++value;
  }
  void real(const Field& field, double& value, double, double) override {
    if (is_it(field)) value = std::nextafter(value, 2.0);
  }
  void one_of(const Field& field, std::size_t& choice, Span<const std::string_view> names) override {
    if (is_it(field)) choice = (choice + 1) % names.size();
  }
  void other(const Field& field, std::string&) override { (void)is_it(field); }
  void check_other(const Field&, const std::string&, const Status&) override {}

  int which_;
};

const RankingObjective kRanking{LossOptions()};

DataHash hash_of(const std::vector<PreparedProgram>& train, const std::vector<PreparedProgram>& valid) {
  DataHash hash;
  for (const PreparedProgram& program : train) hash.add(program);
  hash.end_set();
  for (const PreparedProgram& program : valid) hash.add(program);
  hash.end_set();
  return hash;
}

TEST_CASE("every option that decides the weights changes the settings, and under one name") {
  const std::unique_ptr<NetOptions> net = small_net("tile-sage");
  const ProgramSetFixture set(*net, 2);
  const Model model = set.model(*net);
  const std::vector<PreparedProgram> programs = set.prepare(model);
  const auto settings = [&](const Recipe& recipe, std::uint64_t seed = 1) {
    return train_settings(model, recipe, kRanking, seed, hash_of(programs, {}));
  };
  const auto base = settings(Recipe());
  const auto check_one = [&](const std::string& name, const std::map<std::string, std::string>& changed) {
    INFO(name);
    CHECK(base.count(name) == 1);
    for (const auto& [key, value] : base) CHECK((changed.at(key) != value) == (key == name));
  };
  int num_fields = 0;
  for (;; ++num_fields) {
    Recipe recipe;
    ChangeOne change(num_fields);
    recipe.fields(static_cast<FieldVisitor&>(change));
    if (change.changed.empty()) break;
    check_one(change.changed, settings(recipe));
  }
  // What a recipe has: an option that is not among its fields would not be seen here.
  CHECK(num_fields == 34);
  check_one("seed", settings(Recipe(), std::uint64_t{1} << 63));
  CHECK(base.at("objective") == "ranking");
}

TEST_CASE("no built-in network has an option of the name of a training option") {
  for (const NetType* const type : fixture_nets()) {
    const std::unique_ptr<NetOptions> net = type->default_options();
    const std::map<std::string, std::string> of_net = to_metadata(*net);
    for (const auto& [key, text] : to_texts(Recipe())) CHECK(of_net.count(key) == 0);
  }
}

TEST_CASE("the number of some data is that of the checkpoints there are") {
  const std::unique_ptr<NetOptions> net = small_net("tile-sage");
  const ProgramSetFixture set(*net, 2);
  const std::vector<PreparedProgram> programs = set.prepare(set.model(*net));
  CHECK(hash_of(programs, {}).value() == 2769808366840573586U);
  CHECK(hash_of({}, programs).value() != hash_of(programs, {}).value());
}

TEST_CASE("labels, selections and features change the settings") {
  const std::unique_ptr<NetOptions> net = small_net("tile-sage");
  ProgramSetFixture set(*net, 2);
  const Model model = set.model(*net);
  const std::vector<PreparedProgram> programs = set.prepare(model);
  const auto data = [&](const std::vector<PreparedProgram>& train) {
    return train_settings(model, Recipe(), kRanking, 1, hash_of(train, programs)).at("data");
  };
  const std::string base = data(programs);
  CHECK(data(programs) == base);
  std::vector<PreparedProgram> fewer = set.prepare(model);
  fewer[1].selection.pop_back();
  CHECK(data(fewer) != base);
  fewer.pop_back();
  CHECK(data(fewer) != base);
  set.programs[0].runtime[3] += 1;  // the views borrow it
  CHECK(data(programs) != base);
  set.programs[0].runtime[3] -= 1;
  set.programs[0].runtime_normalizer[3] += 1;
  CHECK(data(programs) != base);
  set.programs[0].runtime_normalizer[3] -= 1;
  set.programs[1].x[2] += 1;
  CHECK(data(set.prepare(model)) != base);
}

}  // namespace
}  // namespace mlgraph
