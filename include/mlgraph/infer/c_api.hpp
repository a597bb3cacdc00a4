// SPDX-License-Identifier: Apache-2.0
// The functions of mlgraph.h, and mlgraph_model_of() for networks of one's own. One C++ file of a program or
// shared library includes this; its flags choose the instruction set.
#ifndef MLGRAPH_INFER_C_API_HPP
#define MLGRAPH_INFER_C_API_HPP
#include "mlgraph/core/push_macros.inc"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mlgraph/arch/builtin.hpp"
#include "mlgraph/core/config.hpp"
#include "mlgraph/core/format.hpp"
#include "mlgraph/core/span.hpp"
#include "mlgraph/core/status.hpp"
#include "mlgraph/cost_model.hpp"
#include "mlgraph/graph/program.hpp"
#include "mlgraph/infer/cost_model.hpp"
#include "mlgraph/mlgraph.h"

// Emitted although nothing in this file calls it. Inline, so that a second file that includes this links.
#define MLGRAPH_DETAIL_C_FUNCTION inline __attribute__((used))

/// What C holds of a model.
struct mlgraph_model {
  mlgraph::CostModel model;
};
/// What C holds of a session, with the message of its last error.
struct mlgraph_session {
  mlgraph::CostSession session;
  std::string message;
};

/// A handle for C of any model, such as one of a network that mlgraph_model_load() does not know:
/// `mlgraph_model_of(std::move(*mlgraph::load_cost_model<MyNet>(bytes)))`. C frees it by mlgraph_model_free().
[[nodiscard]] inline mlgraph_model* mlgraph_model_of(mlgraph::CostModel model) {
  return new mlgraph_model{std::move(model)};
}

namespace mlgraph {
MLGRAPH_BEGIN_ISA
namespace detail {

/// The beginning of a text that fits, and a 0.
inline void copy_text(std::string_view text, char* to, std::size_t size) {
  if (to == nullptr || size == 0) return;
  const std::size_t count = std::min(text.size(), size - 1);
  std::copy_n(text.data(), count, to);
  to[count] = '\0';
}

/// a * b; -1 where a factor is negative or 63 bits are too few, which no array has.
[[nodiscard]] constexpr std::int64_t c_size(std::int64_t a, std::int64_t b) {
  const bool fits = a >= 0 && b >= 0 && (b == 0 || a <= std::numeric_limits<std::int64_t>::max() / b);
  return fits ? a * b : -1;
}

/// An array of C; no elements where it is null, which the sizes then contradict.
template <class T>
[[nodiscard]] Span<T> c_array(T* data, std::int64_t size) {
  return data == nullptr || size < 0 ? Span<T>() : Span<T>(data, size);
}

[[nodiscard]] inline ConfigView from_c(const mlgraph_configs& configs) {
  ConfigView view;
  view.num_configs = configs.num_configs;
  view.rows_per_config = configs.rows_per_config;
  view.num_features = configs.num_features;
  const std::int64_t size = c_size(configs.num_configs, c_size(configs.rows_per_config, configs.num_features));
  view.narrow = c_array(configs.narrow, size);
  view.wide = c_array(configs.wide, size);
  return view;
}

/// `names` is what the view borrows.
[[nodiscard]] inline ProgramView from_c(const mlgraph_program& program, std::vector<std::string_view>& names) {
  ProgramView view;
  view.name = program.name == nullptr ? "program" : program.name;
  view.graph.x = {program.x, program.num_nodes, program.num_features};
  view.graph.opcode = c_array(program.opcode, program.num_nodes);
  view.graph.edge_source = c_array(program.edge_source, program.num_edges);
  view.graph.edge_target = c_array(program.edge_target, program.num_edges);
  view.graph.config_node = c_array(program.config_node, program.num_config_nodes);
  view.node_splits = c_array(program.node_splits, program.num_node_splits);
  for (const char* const name : c_array(program.feature_names, program.num_features)) names.emplace_back(name);
  view.graph.feature_names = names;
  return view;
}

/// Errors: a number that is none of MLGRAPH_DUPLICATES_...
[[nodiscard]] inline Status read_duplicates(const mlgraph_program& program, DuplicateEdges& to) {
  if (program.duplicate_edges < MLGRAPH_DUPLICATES_ERROR || program.duplicate_edges > MLGRAPH_DUPLICATES_KEEP) {
    return Status::invalid_argument(str_cat(program.name == nullptr ? "program" : program.name,
                                            ": duplicate_edges is ", program.duplicate_edges,
                                            "; should be 0 (error), 1 (merge) or 2 (keep)"));
  }
  to = static_cast<DuplicateEdges>(program.duplicate_edges);
  return {};
}

/// The code of a status, whose message the session keeps.
[[nodiscard]] inline int c_code(mlgraph_session& session, const Status& status) {
  if (!status.ok()) session.message = status.message();
  return static_cast<int>(status.code());
}
[[nodiscard]] inline int c_code(mlgraph_session& session, const Result<float>& score, float* to) {
  if (score.ok() && to != nullptr) *to = *score;
  return c_code(session, score.status());
}

}  // namespace detail
MLGRAPH_END_ISA
}  // namespace mlgraph

extern "C" {

MLGRAPH_DETAIL_C_FUNCTION mlgraph_model* mlgraph_model_load(const void* bytes, std::size_t num_bytes,
                                                            char* message, std::size_t message_size) {
  const auto* const data = static_cast<const std::byte*>(bytes);
  mlgraph::Result<mlgraph::CostModel> model =
      mlgraph::load_cost_model<mlgraph::BuiltinNets>({data, data == nullptr ? 0 : num_bytes});
  if (model.ok()) return mlgraph_model_of(std::move(*model));
  mlgraph::detail::copy_text(model.status().message(), message, message_size);
  return nullptr;
}

MLGRAPH_DETAIL_C_FUNCTION void mlgraph_model_free(mlgraph_model* model) { delete model; }

MLGRAPH_DETAIL_C_FUNCTION mlgraph_inputs mlgraph_model_inputs(const mlgraph_model* model) {
  const mlgraph::CostModelInputs inputs = model->model.inputs();
  return {inputs.takes_nodes ? 1 : 0, inputs.takes_graph ? 1 : 0, inputs.num_opcodes, inputs.num_node_features,
          inputs.num_config_features};
}

MLGRAPH_DETAIL_C_FUNCTION std::size_t mlgraph_model_metadata(const mlgraph_model* model, const char* key,
                                                             char* value, std::size_t value_size) {
  const std::string_view text = model->model.metadata(key);
  mlgraph::detail::copy_text(text, value, value_size);
  return text.size();
}

MLGRAPH_DETAIL_C_FUNCTION mlgraph_session* mlgraph_session_bind(const mlgraph_model* model,
                                                                const mlgraph_program* program, int num_threads,
                                                                char* message, std::size_t message_size) {
  return mlgraph_session_bind_within(model, program, num_threads, mlgraph::BindOptions().memory_bytes, message,
                                     message_size);
}

MLGRAPH_DETAIL_C_FUNCTION mlgraph_session* mlgraph_session_bind_within(const mlgraph_model* model,
                                                                       const mlgraph_program* program,
                                                                       int num_threads,
                                                                       std::size_t memory_bytes, char* message,
                                                                       std::size_t message_size) {
  mlgraph::BindOptions options;
  options.num_threads = num_threads;
  options.memory_bytes = memory_bytes;
  const mlgraph::Status known = mlgraph::detail::read_duplicates(*program, options.duplicates);
  if (!known.ok()) return mlgraph::detail::copy_text(known.message(), message, message_size), nullptr;
  std::vector<std::string_view> names;
  mlgraph::Result<mlgraph::CostSession> session =
      model->model.bind(mlgraph::detail::from_c(*program, names), options);
  if (session.ok()) return new mlgraph_session{std::move(*session), {}};
  mlgraph::detail::copy_text(session.status().message(), message, message_size);
  return nullptr;
}

MLGRAPH_DETAIL_C_FUNCTION mlgraph_row_stats mlgraph_session_stats(const mlgraph_session* session) {
  const mlgraph::RowStats stats = session->session.stats();
  return {stats.num_rows, stats.num_made, stats.num_found, stats.bytes};
}

MLGRAPH_DETAIL_C_FUNCTION void mlgraph_session_free(mlgraph_session* session) { delete session; }

MLGRAPH_DETAIL_C_FUNCTION int mlgraph_session_score(mlgraph_session* session, const mlgraph_configs* configs,
                                                    float* scores) {
  const mlgraph::Span<float> to = mlgraph::detail::c_array(scores, configs->num_configs);
  return mlgraph::detail::c_code(*session, session->session.score(mlgraph::detail::from_c(*configs), to));
}

MLGRAPH_DETAIL_C_FUNCTION int mlgraph_session_rank(mlgraph_session* session, const mlgraph_configs* configs,
                                                   std::int32_t* order) {
  const mlgraph::Span<std::int32_t> to = mlgraph::detail::c_array(order, configs->num_configs);
  return mlgraph::detail::c_code(*session, session->session.rank(mlgraph::detail::from_c(*configs), to));
}

MLGRAPH_DETAIL_C_FUNCTION int mlgraph_session_top_k(mlgraph_session* session, const mlgraph_configs* configs,
                                                    std::int64_t k, std::int32_t* best) {
  const mlgraph::Span<std::int32_t> to = mlgraph::detail::c_array(best, k);
  return mlgraph::detail::c_code(*session, session->session.top_k(mlgraph::detail::from_c(*configs), to));
}

MLGRAPH_DETAIL_C_FUNCTION int mlgraph_session_start(mlgraph_session* session, const mlgraph_configs* configs,
                                                    std::int64_t config, float* score) {
  return mlgraph::detail::c_code(*session, session->session.start(mlgraph::detail::from_c(*configs), config),
                                 score);
}

MLGRAPH_DETAIL_C_FUNCTION int mlgraph_session_update(mlgraph_session* session, std::int64_t num_rows,
                                                     const std::int32_t* rows, const float* features,
                                                     float* score) {
  const std::int64_t size = mlgraph::detail::c_size(num_rows, session->session.num_features());
  return mlgraph::detail::c_code(*session,
                                 session->session.update(mlgraph::detail::c_array(rows, num_rows),
                                                         mlgraph::detail::c_array(features, size)),
                                 score);
}

MLGRAPH_DETAIL_C_FUNCTION void mlgraph_session_commit(mlgraph_session* session) { session->session.commit(); }
MLGRAPH_DETAIL_C_FUNCTION void mlgraph_session_rollback(mlgraph_session* session) {
  session->session.rollback();
}

MLGRAPH_DETAIL_C_FUNCTION const char* mlgraph_session_message(const mlgraph_session* session) {
  return session->message.c_str();
}

}  // extern "C"

#undef MLGRAPH_DETAIL_C_FUNCTION

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_INFER_C_API_HPP
