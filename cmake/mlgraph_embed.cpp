// SPDX-License-Identifier: Apache-2.0
// The program that mlgraph_embed_model() compiles and runs while a project is built: a model file as a header.
// `mlgraph embed` does the same. Needs nothing but mlgraph's headers.
//
// usage: mlgraph_embed MODEL HEADER NAME [--incbin]
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "mlgraph/format/model_header.hpp"

namespace {

int fail(const std::string& path, const std::string& what) {
  std::fprintf(stderr, "mlgraph_embed: %s: %s\n", path.c_str(), what.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool incbin = arguments.size() == 4 && arguments[3] == "--incbin";
  if (arguments.size() != 3 && !incbin) {
    std::fprintf(stderr, "usage: mlgraph_embed MODEL HEADER NAME [--incbin]\n");
    return 2;
  }
  std::ifstream in(arguments[0], std::ios::binary);
  const std::vector<char> chars((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in) return fail(arguments[0], "cannot be read");

  mlgraph::ModelHeaderOptions options;
  options.name = arguments[2];
  options.source = arguments[0].substr(arguments[0].find_last_of('/') + 1);
  if (incbin) options.incbin = arguments[0];
  const mlgraph::Result<std::string> header =
      mlgraph::model_header({reinterpret_cast<const std::byte*>(chars.data()), chars.size()}, options);
  if (!header.ok()) return fail(arguments[0], header.status().message());

  std::ofstream out(arguments[1], std::ios::binary | std::ios::trunc);
  out << *header;
  out.close();
  return out ? 0 : fail(arguments[1], "cannot be written");
}
