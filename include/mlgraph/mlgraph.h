// SPDX-License-Identifier: Apache-2.0
/* Cost models from C, and from every language that can call C: load a model, bind it to a program, score and
 * rank its configurations.
 *
 * The functions are defined in mlgraph/infer/c_api.hpp, which one C++ file of the program or shared library
 * includes. They keep no state but what lies behind the two handles, print nothing and throw nothing; only
 * running out of memory ends the program.
 *
 * Arrays are row-major. Sizes are in brackets; C is the number of configurations of a call. Where null is
 * allowed, it says so. A program has at most 2^31 - 1 nodes, half as many edges, and 2^31 - 1 configurations in
 * a call; more are MLGRAPH_RESOURCE_EXHAUSTED.
 */
#ifndef MLGRAPH_MLGRAPH_H
#define MLGRAPH_MLGRAPH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A trained model. Any number of threads may use one at a time. */
typedef struct mlgraph_model mlgraph_model;
/** A model bound to a program. One thread uses a session at a time; it may outlive its model. */
typedef struct mlgraph_session mlgraph_session;

/** What kind of trouble, as mlgraph::StatusCode in C++; the message says the rest. */
enum {
  MLGRAPH_OK = 0,
  MLGRAPH_INVALID_ARGUMENT = 1,
  MLGRAPH_OUT_OF_RANGE = 2,
  MLGRAPH_NOT_FOUND = 3,
  MLGRAPH_DATA_LOSS = 4,
  MLGRAPH_RESOURCE_EXHAUSTED = 5,
  MLGRAPH_UNAVAILABLE = 6
};

/** What a program's edges mean that it lists twice, as those of x * x in most compilers. Models are trained on
 * graphs without such, so MLGRAPH_DUPLICATES_MERGE is what they know. */
enum {
  MLGRAPH_DUPLICATES_ERROR = 0, /* they are refused */
  MLGRAPH_DUPLICATES_MERGE = 1, /* they are one edge */
  MLGRAPH_DUPLICATES_KEEP = 2   /* they are as many edges, as in PyG */
};

/** A graph as a compiler has it; see GraphView in C++. All zero is an empty one. Null stands for no elements.
 */
typedef struct mlgraph_program {
  const char* name; /* in messages */
  int64_t num_nodes;
  int64_t num_features;  /* of a node */
  const float* x;        /* (num_nodes, num_features), unnormalised */
  const int32_t* opcode; /* (num_nodes) */
  int64_t num_edges;
  const int32_t* edge_source; /* (num_edges) producer of the value that the edge carries */
  const int32_t* edge_target; /* (num_edges) its consumer */
  int64_t num_config_nodes;   /* 0 for tiles */
  const int32_t* config_node; /* (num_config_nodes) ids of the configurable nodes */
  int64_t num_node_splits;
  const int32_t* node_splits; /* starts of the computations, first 0, last num_nodes; null where unknown */
  /* Names of the columns of x (num_features), or null. With names a program needs only the features that the
   * model reads, in any order; without, all of the model's in its order. */
  const char* const* feature_names;
  int32_t duplicate_edges; /* one of the three above */
} mlgraph_program;

/** Configurations; one of the two arrays is null. A configuration of a tile has one row. */
typedef struct mlgraph_configs {
  int64_t num_configs;
  int64_t rows_per_config; /* num_config_nodes for layouts, 1 for tiles */
  int64_t num_features;    /* of a row */
  const int8_t* narrow;    /* (num_configs, rows_per_config, num_features) */
  const float* wide;       /* the same as floats */
} mlgraph_configs;

/** What a model asks of programs. */
typedef struct mlgraph_inputs {
  int32_t is_layout;           /* 1: a configuration has a row for each configurable node; 0: for none */
  int32_t has_graph_row;       /* 1: it has a row for the whole graph, behind those: for tiles the only one */
  int64_t num_opcodes;         /* opcodes are in [0, num_opcodes) */
  int64_t num_node_features;   /* columns of x, where they have no names */
  int64_t num_config_features; /* entries of a configuration's row */
} mlgraph_inputs;

/** Rows of a session, which are kept from call to call. */
typedef struct mlgraph_row_stats {
  int64_t num_rows;  /* that are kept, without sums */
  int64_t num_made;  /* that were computed */
  int64_t num_found; /* that were needed and there, for this or another configuration or node */
  size_t bytes;      /* of memory, with ids and tables */
} mlgraph_row_stats;

/* ---- models ---------------------------------------------------------------------------------------------- */

/** A model from the bytes of a model file, which are copied; null on an error.
 *  Errors: the sentence is written to message (message_size), cut to fit and ended by a 0, unless message is null. */
mlgraph_model* mlgraph_model_load(const void* bytes, size_t num_bytes, char* message, size_t message_size);
/** Sessions of the model live on. Null is allowed. */
void mlgraph_model_free(mlgraph_model* model);

mlgraph_inputs mlgraph_model_inputs(const mlgraph_model* model);
/** What the model file says of itself under a key, such as "arch": the number of its bytes, of which as many as
 * fit are written to value (value_size), ended by a 0. 0 where it says nothing. value may be null. */
size_t mlgraph_model_metadata(const mlgraph_model* model, const char* key, char* value, size_t value_size);

/* ---- sessions -------------------------------------------------------------------------------------------- */

/** Validates and normalises a program and computes what no configuration changes; null on an error, which is
 * told as by mlgraph_model_load(). The program's arrays are not needed afterwards. num_threads: 0 = one per
 * processor. */
mlgraph_session* mlgraph_session_bind(const mlgraph_model* model, const mlgraph_program* program,
                                      int num_threads, char* message, size_t message_size);
/** The same with memory for rows that are kept from call to call, in bytes; mlgraph_session_bind() takes 256
 * MiB. It decides time, not results. */
mlgraph_session* mlgraph_session_bind_within(const mlgraph_model* model, const mlgraph_program* program,
                                             int num_threads, size_t memory_bytes, char* message,
                                             size_t message_size);
/** What became of the rows that calls needed, and the memory that they take. */
mlgraph_row_stats mlgraph_session_stats(const mlgraph_session* session);
/** Null is allowed. */
void mlgraph_session_free(mlgraph_session* session);

/* Each of these returns MLGRAPH_OK or another of the codes above. */

/** Scores, larger = slower, to scores (C). They order the configurations of one program and are no times. */
int mlgraph_session_score(mlgraph_session* session, const mlgraph_configs* configs, float* scores);
/** The configurations from fast to slow to order (C); equal ones keep their order. */
int mlgraph_session_rank(mlgraph_session* session, const mlgraph_configs* configs, int32_t* order);
/** The k fastest in order to best (k), k <= C. */
int mlgraph_session_top_k(mlgraph_session* session, const mlgraph_configs* configs, int64_t k, int32_t* best);

/** Makes configuration `config` the current one; its score goes to *score, which may be null in this and the
 * next. */
int mlgraph_session_start(mlgraph_session* session, const mlgraph_configs* configs, int64_t config,
                          float* score);
/** Changes rows (num_rows) of the current configuration to features (num_rows, num_features). */
int mlgraph_session_update(mlgraph_session* session, int64_t num_rows, const int32_t* rows,
                           const float* features, float* score);
/** Keeps the changes since the last commit or start. */
void mlgraph_session_commit(mlgraph_session* session);
/** Takes them back. */
void mlgraph_session_rollback(mlgraph_session* session);

/** What was wrong with the last call that returned another code than MLGRAPH_OK; "" before. Lives until the
 * next. */
const char* mlgraph_session_message(const mlgraph_session* session);

#ifdef __cplusplus
}
#endif

#endif /* MLGRAPH_MLGRAPH_H */
