// SPDX-License-Identifier: Apache-2.0
// Cost models in files.
#ifndef MLGRAPH_IO_MODEL_FILE_HPP
#define MLGRAPH_IO_MODEL_FILE_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "mlgraph/core/format.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost/model.hpp"
#include "mlgraph/cost/model_bytes.hpp"
#include "mlgraph/cost/net.hpp"
#include "mlgraph/io/file.hpp"
#include "mlgraph/io/weights_file.hpp"

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace io {

/// Writes a model: to a temporary file first, which then takes the place of `path`, so that a crash leaves the
/// old file or the new one. `extra` is added to the metadata.
/// Errors: the system's, with the path.
[[nodiscard]] inline Status save_model(const Model& model, const std::string& path,
                                       std::map<std::string, std::string> extra = {}) {
  MLGRAPH_ASSIGN_OR_RETURN(const std::vector<std::byte> bytes, model_to_bytes(model, std::move(extra)));
  return write_file(path, bytes);
}

/// `nets`: the networks that it may be of, such as trainable_nets<BuiltinNets>().
/// Errors: those of model_from_tensors() and of reading, a file beyond kMaxFileBytes among them, beginning with
/// the path.
[[nodiscard]] inline Result<Model> load_model(const std::string& path, NetTypes nets) {
  MLGRAPH_ASSIGN_OR_RETURN(const WeightsFile file, WeightsFile::read(path));
  Result<Model> model = model_from_tensors(file.tensors(), nets);
  if (!model.ok()) return model.status().annotate(path);
  return model;
}

}  // namespace io
MLGRAPH_END_ISA
}  // namespace mlgraph

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_IO_MODEL_FILE_HPP
