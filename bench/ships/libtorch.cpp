// SPDX-License-Identifier: Apache-2.0
// libtorch: starts, loads a module of TorchScript, prints one score.
//
// usage: libtorch MODULE.pt
#include <c10/core/InferenceMode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <exception>
#include <vector>

#include "torch_question.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return ships::fail("usage: libtorch MODULE.pt");
  try {
    const c10::InferenceMode guard;
    torch::jit::Module module = torch::jit::load(argv[1]);
    ships::Question question;
    const std::vector<at::Tensor> inputs = ships::tensors(question);
    return ships::print_score(module.forward({inputs.begin(), inputs.end()}).toTensor().item<float>());
  } catch (const std::exception& error) {
    return ships::fail(error.what());
  }
}
