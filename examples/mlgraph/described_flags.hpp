// SPDX-License-Identifier: Apache-2.0
// Flags of options that describe themselves (mlgraph/core/fields.hpp): one flag may belong to several structs,
// with defaults and ranges of their own.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_DESCRIBED_FLAGS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_DESCRIBED_FLAGS_HPP

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mlgraph/core/fields.hpp"

namespace CLI {
class App;
}

namespace cli {

/// Shows the fields of a struct of options to a visitor.
using Fields = std::function<void(mlgraph::FieldVisitor&)>;

/// The flags of the fields of several owners, which are networks. Values are kept as text until it is known
/// which of them is meant.
///
/// What is wrong is thrown: a CLI::ValidationError for a value, a std::invalid_argument for flags that cannot
/// be.
class DescribedFlags {
 public:
  DescribedFlags();
  ~DescribedFlags();
  DescribedFlags(const DescribedFlags&) = delete;
  DescribedFlags& operator=(const DescribedFlags&) = delete;

  /// Adds the flags of `fields`, whose values are the defaults of --help; `group` is what --help calls them. An
  /// owner may have several groups.
  void add_owner(const std::string& owner, const std::string& group, Fields fields);
  /// Makes options of the command of all flags. A value is checked as soon as it is read: some owner must take
  /// it.
  void add_options(CLI::App& command);

  /// The text that was given for a flag; null where it was not.
  [[nodiscard]] const std::string* given(const std::string& flag) const;
  /// As if a flag had been given, where it was not and the owner has it.
  void give(const std::string& flag, const std::string& value);

  /// Sets the fields of `owner` to what was given. A flag that the owner lacks is an error.
  void apply(const std::string& owner, const Fields& fields) const;

 private:
  struct Flag;

  [[nodiscard]] Flag* find(const std::string& name) const;
  [[nodiscard]] std::string help_of(const Flag& flag) const;

  struct Owner {
    std::string name, group;
    Fields fields;
  };
  std::vector<Owner> owners_;
  std::vector<std::unique_ptr<Flag>> flags_;
};

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_DESCRIBED_FLAGS_HPP
