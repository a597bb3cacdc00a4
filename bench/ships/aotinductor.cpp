// SPDX-License-Identifier: Apache-2.0
// AOTInductor: starts, loads what Inductor compiled, prints one score.
//
// usage: aotinductor PACKAGE.pt2|FOLDER      the package, or the folder that it unpacks to
#include <c10/core/InferenceMode.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

#include <exception>
#include <vector>

#include "torch_question.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return ships::fail("usage: aotinductor PACKAGE.pt2|FOLDER");
  try {
    const c10::InferenceMode guard;
    torch::inductor::AOTIModelPackageLoader model(argv[1], "model", true);
    ships::Question question;
    return ships::print_score(model.run(ships::tensors(question)).at(0).item<float>());
  } catch (const std::exception& error) {
    return ships::fail(error.what());
  }
}
