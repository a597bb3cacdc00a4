#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and runs one consumer, from copies in a temporary folder.
#
# usage: run.sh install <build folder> <prefix>        installs, elsewhere first: an installation may be moved; the program
#                                                      mlgraph, where it was built, runs from there
#        run.sh <consumer> <source folder> <prefix> [<xsimd's include folder>]
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

# Conan from PyPI, once for each build folder.
get_conan() {
  [ ! -x "$1/bin/conan" ] || return 0
  rm -rf "$1"
  python3 -m venv "$1" && timeout 120 "$1/bin/pip" --quiet --disable-pip-version-check install "conan>=2,<3"
}

# check_conan <xsimd's include folder>: the recipe from a copy of what it takes, with the system's libraries in
# place of its requirements; then its test again, with the engine alone.
check_conan() {
  local library settings=(-s build_type=Debug -s compiler.cppstd=17)
  export CONAN_HOME=$scratch/home PATH=$conan/bin:$PATH XSIMD_INCLUDE_DIR=$1
  cp -r "$source/include" "$source/LICENSE" "$source/cmake" . && conan profile detect && conan remote disable '*' || return 1
  for library in xsimd/8.1.0 libzip/1.9.2 protozero/1.7.1; do
    conan create system_library.py --name "${library%/*}" --version "${library#*/}" || return 1
  done
  conan create cmake/conan "${settings[@]}" &&
    conan test cmake/conan/test_package "$(conan list 'mlgraph/*' --format compact | grep -o 'mlgraph/[0-9.]*')" \
      "${settings[@]}" -o 'mlgraph/*:io=False' && mv cmake/conan/test_package/build/*/consumer .
}

# check_vcpkg <ON or OFF> <features>: the port's steps, then a project that finds what they made, elsewhere.
check_vcpkg() {
  rm -rf packages installed port_build build
  cmake -DPORT_DIR="$source/cmake/vcpkg/mlgraph" -DFEATURES="$2" -DCURRENT_PACKAGES_DIR="$PWD/packages" \
    -DBUILD_DIR="$PWD/port_build" -P steps.cmake && mv packages installed &&
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$PWD/installed" -DWITH_IO="$1"
}

# check_eigen: without the option that computes by it, Eigen is not needed; with the option it is.
check_eigen() {
  cmake -S . -B no_eigen -DMLGRAPH_SOURCE_DIR="$source" -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON || return 1
  ! cmake -S . -B no_eigen -DMLGRAPH_GEMM_EIGEN=ON 2>error && grep -q "mlgraph needs Eigen" error
}

# check_equal_names <header> <header>: each compiles, and both in one file are an error and not the first of the two.
check_equal_names() {
  local header compile=("${CXX:-c++}" -std=c++17 -fsyntax-only -x c++ -I"$prefix/include")
  for header in "$@"; do
    printf '#include "%s"\n' "$PWD/$header" | "${compile[@]}" - || return 1
  done
  ! printf '#include "%s"\n' "$PWD/$1" "$PWD/$2" | "${compile[@]}" - 2>error && grep -q "redefinition of.*kModel" error
}

# check_embed: in a project for this machine, and in one for another, whose programs do not run here.
check_embed() {
  local models=(-DMODEL="$source/examples/embed/matmul.safetensors"
    -DSECOND_MODEL="$source/tests/golden/models/layout_sage_embedding.safetensors")
  cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" "${models[@]}" && cmake --build build || return 1
  check_equal_names "$(find build -path '*/models/literal.hpp')" "$(find build -path '*/models/second.hpp')" || return 1
  export MLGRAPH_REAL_CXX=${CXX:-c++}
  cmake -S . -B cross -DCMAKE_PREFIX_PATH="$prefix" "${models[@]}" -DCMAKE_SYSTEM_NAME=Linux \
    -DCMAKE_SYSTEM_PROCESSOR="$(uname -m)" -DCMAKE_CXX_COMPILER="$PWD/for_another_machine" &&
    cmake --build cross && cross/consumer && mv build/consumer .
}

# check_exported <option of cmake>: a static library that uses mlgraph, found in this way, by a project without.
check_exported() {
  rm -rf build installed user_build
  cmake -S . -B build -DMODEL="$source/examples/embed/matmul.safetensors" "$@" && cmake --build build --target ranker &&
    cmake --install build --prefix "$PWD/installed" && cmake -S user -B user_build -DCMAKE_PREFIX_PATH="$PWD/installed" &&
    cmake --build user_build && cp user_build/consumer .
}

# check_io: the package asks for what headers include, and for nothing else.
check_io() {
  cmake -S . -B bare -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON \
    -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON || return 1
  ! grep -i "json\|zlib\|eigen" bare/CMakeCache.txt | grep -v CMAKE_DISABLE && ! grep -i "json\|zlib\|eigen" "$prefix"/share/pkgconfig/*
}

consumer=$1 source=$2 prefix=$3
conan=$(dirname "$prefix")/conan_venv
if [ "$consumer" = conan ] && ! get_conan "$conan" >"$scratch/log" 2>&1; then
  tail -n 3 "$scratch/log"
  echo "skipped: Conan cannot be had from PyPI"
  exit 77
fi
cp -r "$here/main.cpp" "$here/checks.cmake" "$here/$consumer/." "$scratch"
cd "$scratch"
case $consumer in
  add_subdirectory)
    check_eigen && cmake -S . -B build -DMLGRAPH_SOURCE_DIR="$source" && cmake --build build && mv build/consumer . ;;
  fetchcontent)
    cmake -S . -B build -DMLGRAPH_SOURCE_DIR="$source" && cmake --build build && mv build/consumer . ;;
  find_package)
    check_io && cmake -S . -B build -DCMAKE_PREFIX_PATH="$prefix" && cmake --build build && mv build/consumer . ;;
  embed_model)
    check_embed ;;
  exported_library)
    check_exported -DMLGRAPH_SOURCE_DIR="$source" && check_exported -DCMAKE_PREFIX_PATH="$prefix" ;;
  conan)
    check_conan "$4" ;;
  vcpkg)
    check_vcpkg OFF "core" && check_vcpkg ON "core;io" && cmake --build build && mv build/consumer . ;;
  pkg_config)
    PKG_CONFIG_PATH="$prefix/share/pkgconfig" ./build.sh ;;
  plain_include)
    ./build.sh "$prefix/include" "$4" ;;
esac >log 2>&1 || { cat log; exit 1; }
./consumer
