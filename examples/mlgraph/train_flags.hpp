// SPDX-License-Identifier: Apache-2.0
// The flags of `mlgraph train` that say which network is trained, and how: those of its options and of its
// recipe.
#ifndef MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_FLAGS_HPP
#define MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_FLAGS_HPP

#include <string>

#include "described_flags.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/io/program_data.hpp"
#include "training.hpp"

namespace cli {

class TrainFlags {
 public:
  /// Errors: networks whose flags cannot be those of one command are thrown, as std::invalid_argument.
  explicit TrainFlags(mlgraph::NetTypes nets);

  void add_options(CLI::App& command);

  /// Another default for a flag: the value that it has where it is not given and the network has such a flag.
  /// For
  /// --arch a name, which is left alone where there is no such network for these configs.
  void prefer(const std::string& flag, const std::string& value, mlgraph::io::ConfigKind config_kind);

  /// The network of --arch and --join, or the default for the kind of configs, with its options and its recipe
  /// as the flags say. Throws a CLI::ValidationError for flags that do not go together. Errors: what the
  /// network's own check() refuses.
  [[nodiscard]] mlgraph::Result<TrainSettings> settings(mlgraph::io::ConfigKind config_kind);

 private:
  [[nodiscard]] const mlgraph::NetType* find(const std::string& name,
                                             mlgraph::io::ConfigKind config_kind) const;
  [[nodiscard]] const mlgraph::NetType& chosen(mlgraph::io::ConfigKind config_kind) const;

  mlgraph::NetTypes nets_;
  std::string arch_, join_;
  DescribedFlags flags_;
};

}  // namespace cli

#endif  // MLGRAPH_EXAMPLES_MLGRAPH_TRAIN_FLAGS_HPP
