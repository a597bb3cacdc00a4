#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs one consumer, from copies in a temporary folder.
#
# usage: run.sh install <build folder> <prefix>        installs, elsewhere first: an installation may be moved; the program
#                                                      mlgraph, where it was built, runs from there
#        run.sh <consumer> <source folder> <prefix> [<Eigen's include folder> <xsimd's>]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

if [ "$1" = install ]; then
  cmake --install "$2" --prefix "$scratch/first" >"$scratch/log" || { cat "$scratch/log"; exit 1; }
  if grep -rl "$scratch\|$2" "$scratch/first"; then
    echo "the files above hold absolute paths: the installation cannot be moved"
    exit 1
  fi
  rm -rf "$3"
  mkdir -p "$(dirname "$3")"
  mv "$scratch/first" "$3"
  if [ -x "$2/bin/mlgraph" ]; then
    "$3/bin/mlgraph" --version
  fi
  exit 0
fi

consumer=$1 source=$2 prefix=$3
cp -r "$here/main.cpp" "$here/checks.cmake" "$here/$consumer/." "$scratch"
cd "$scratch"
case $consumer in
  add_subdirectory | fetchcontent)
    cmake -S . -B build -DMLGRAPH_SOURCE_DIR="$source" && cmake --build build && mv build/consumer . ;;
  find_package)
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" && cmake --build build && mv build/consumer . ;;
  embed_model)
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" -DMODEL="$source/examples/embed/matmul.safetensors" &&
      cmake --build build && mv build/consumer . ;;
  pkg_config)
    PKG_CONFIG_PATH="$prefix/share/pkgconfig" ./build.sh ;;
  plain_include)
    ./build.sh "$prefix/include" "$4" "$5" ;;
esac >log 2>&1 || { cat log; exit 1; }
./consumer
