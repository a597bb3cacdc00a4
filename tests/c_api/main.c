/* SPDX-License-Identifier: Apache-2.0
 * A C99 program with the C functions: ranks the tiles of a matrix product by the model of examples/embed, searches from
 * the slowest one, and reads what is wrong with a bad graph.
 *
 * usage: test_c_api MODEL.safetensors
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlgraph/mlgraph.h"

#define NUM_TILES 125

static int num_failed = 0;

static void expect(int condition, const char* what) {
  if (condition) return;
  ++num_failed;
  printf("failed: %s\n", what);
}

/* The whole file; its size to *size. */
static void* read_file(const char* path, size_t* size) {
  static char bytes[1 << 16];
  FILE* const file = fopen(path, "rb");
  if (file == NULL) return NULL;
  *size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  return bytes;
}

int main(int argc, char** argv) {
  static const float x[] = {64, 512, 512, 1000, 64, 1000};
  static const int32_t opcode[] = {0, 0, 1};
  static const int32_t source[] = {0, 1};
  static const int32_t good_target[] = {2, 2};
  static const int32_t bad_target[] = {2, 7};
  static const char* const names[] = {"rows", "cols"};
  static float tiles[NUM_TILES * 3];
  static float scores[NUM_TILES];
  static int32_t order[NUM_TILES];
  char message[200] = "";
  size_t size = 0;
  const void* const bytes = argc == 2 ? read_file(argv[1], &size) : NULL;
  mlgraph_program program;
  mlgraph_configs configs;
  mlgraph_model* model;
  mlgraph_session* session;
  int32_t best = -1;
  int32_t row = 0;
  float score = 0;
  int i;

  if (bytes == NULL) {
    printf("usage: test_c_api MODEL.safetensors\n");
    return 2;
  }
  model = mlgraph_model_load(bytes, size, message, sizeof(message));
  if (model == NULL) {
    printf("failed: %s\n", message);
    return 1;
  }
  expect(mlgraph_model_inputs(model).num_config_features == 3, "a tile has three sizes");

  memset(&program, 0, sizeof(program));
  program.name = "matmul";
  program.num_nodes = 3;
  program.num_features = 2;
  program.x = x;
  program.opcode = opcode;
  program.num_edges = 2;
  program.edge_source = source;
  program.edge_target = bad_target;
  program.feature_names = names;
  expect(mlgraph_session_bind(model, &program, 1, message, sizeof(message)) == NULL, "a bad edge is refused");
  expect(strcmp(message, "matmul: edge 1 is (1, 7); num_nodes is 3") == 0, message);
  program.edge_target = good_target;
  session = mlgraph_session_bind(model, &program, 1, message, sizeof(message));
  mlgraph_model_free(model);
  if (session == NULL) {
    printf("failed: %s\n", message);
    return 1;
  }

  for (i = 0; i < NUM_TILES; ++i) {
    tiles[3 * i] = (float)(8 << i / 25);
    tiles[3 * i + 1] = (float)(8 << i / 5 % 5);
    tiles[3 * i + 2] = (float)(8 << i % 5);
  }
  memset(&configs, 0, sizeof(configs));
  configs.num_configs = NUM_TILES;
  configs.rows_per_config = 1;
  configs.num_features = 3;
  configs.wide = tiles;
  expect(mlgraph_session_score(session, &configs, scores) == MLGRAPH_OK, mlgraph_session_message(session));
  expect(mlgraph_session_rank(session, &configs, order) == MLGRAPH_OK, mlgraph_session_message(session));
  for (i = 1; i < NUM_TILES; ++i) expect(scores[order[i - 1]] <= scores[order[i]], "the order is by the scores");
  expect(scores[order[0]] < scores[order[NUM_TILES - 1]], "tiles differ");
  expect(mlgraph_session_top_k(session, &configs, 1, &best) == MLGRAPH_OK && best == order[0], "the best is the first");

  expect(mlgraph_session_start(session, &configs, order[NUM_TILES - 1], &score) == MLGRAPH_OK, "a search starts");
  expect(score == scores[order[NUM_TILES - 1]], "at the slowest tile");
  expect(mlgraph_session_update(session, 1, &row, tiles + 3 * best, &score) == MLGRAPH_OK, "the tile is changed");
  expect(score == scores[best], "to the best");
  mlgraph_session_commit(session);
  expect(mlgraph_session_start(session, &configs, NUM_TILES, &score) == MLGRAPH_OUT_OF_RANGE, "there are 125");
  expect(strcmp(mlgraph_session_message(session), "matmul: there is no config 125; there are 125") == 0,
         mlgraph_session_message(session));
  mlgraph_session_free(session);
  return num_failed == 0 ? 0 : 1;
}
