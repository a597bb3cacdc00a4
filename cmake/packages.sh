# SPDX-License-Identifier: Apache-2.0
# Sourced by tests/run, examples/run and bench/run: finds out which Debian packages are missing and installs them.
# shellcheck shell=bash

# Whether what the package gives is there, from whatever source.
have_package() {
  local header
  case $1 in
    cmake | make | g++ | python3 | pkg-config) command -v "$1" >/dev/null; return ;;
    clang) command -v clang++ >/dev/null; return ;;
    protobuf-compiler) command -v protoc >/dev/null; return ;;
    python3-numpy)  # is known to the distribution's python3
      python3 -c 'import numpy' 2>/dev/null || /usr/bin/python3 -c 'import numpy' 2>/dev/null; return ;;
    libclang-rt-dev)  # the runtime of clang's sanitizers; part of clang itself before Debian 12
      echo 'int main() {}' | clang++ -x c++ -fsanitize=address,undefined -o /dev/null - 2>/dev/null; return ;;
    libc++-dev | libc++abi-dev)  # some version that clang++ finds; Debian installs one at a time
      printf '#include <cstddef>\nint main() {}' | clang++ -x c++ -stdlib=libc++ -o /dev/null - 2>/dev/null; return ;;
    libeigen3-dev) header=eigen3/Eigen/Core ;;
    libxsimd-dev) header=xsimd/xsimd.hpp ;;
    doctest-dev) header=doctest/doctest.h ;;
    libbenchmark-dev) header=benchmark/benchmark.h ;;
    zlib1g-dev) header=zlib.h ;;
    libzip-dev) header=zip.h ;;
    libprotozero-dev) header=protozero/pbf_reader.hpp ;;
    nlohmann-json3-dev) header=nlohmann/json.hpp ;;
    libcli11-dev) header=CLI/CLI.hpp ;;
    libmetis-dev) header=metis.h ;;
    libopenmpi-dev) command -v mpicxx >/dev/null; return ;;  # or MPICH
    openmpi-bin) command -v mpirun >/dev/null; return ;;
    *) dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null | grep -qx installed; return ;;
  esac
  [ -e "/usr/include/$header" ] || [ -e "/usr/local/include/$header" ]
}

# missing_packages <package>...: those that are not there, one per line.
missing_packages() {
  local package
  for package in "$@"; do
    have_package "$package" || echo "$package"
  done
}

# need_packages <package>...: installs what is missing. Asks first on a terminal; elsewhere says what it does.
need_packages() {
  local missing sudo=() by_hand log answer
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0

  echo "Missing: ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "These are Debian's names; without apt-get this script cannot install them and goes on without."
    return 0
  fi
  by_hand="apt-get install --no-install-recommends ${missing[*]}"
  if [ "$(id -u)" -ne 0 ]; then
    by_hand="sudo $by_hand"
    if ! command -v sudo >/dev/null || { [ ! -t 0 ] && ! sudo -n true 2>/dev/null; }; then
      echo "This user may not install packages. Please run: $by_hand"
      return 1
    fi
    sudo=(sudo)
  fi
  if [ -t 0 ] && [ -t 1 ]; then
    read -r -p "Install them with apt-get now? [Y/n] " answer
    case $answer in
      [nN]*) echo "To install them by hand: $by_hand"; return 1 ;;
    esac
  else
    echo "Installing them with apt-get."
  fi

  log=$(mktemp)
  "${sudo[@]}" apt-get update -qq >"$log" 2>&1 || true  # the lists that are there may do
  if [[ " ${missing[*]} " == *" libclang-rt-dev "* ]] && ! apt-cache show libclang-rt-dev >/dev/null 2>&1; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | grep -vx libclang-rt-dev)
  fi
  if ! "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      -o DPkg::Lock::Timeout=300 "${missing[@]}" >>"$log" 2>&1 </dev/null; then
    tail -n 15 "$log"
    rm -f "$log"
    echo "apt-get failed. To install them by hand: $by_hand"
    return 1
  fi
  rm -f "$log"
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -gt 0 ]; then
    echo "Still missing after the installation: ${missing[*]}"
    return 1
  fi
}

# What every build needs, and what the file formats (mlgraph::io) and our own programs beside them need.
# shellcheck disable=SC2034  # used by the scripts that source this file
engine_packages=(cmake g++ libxsimd-dev)
command -v ninja >/dev/null || engine_packages+=(make)
# shellcheck disable=SC2034
io_packages=(libzip-dev libprotozero-dev nlohmann-json3-dev)

# configure <build folder> <cmake argument>...: with Ninja and ccache where they are installed.
configure() {
  local folder=$1 generator=()
  shift
  if [ ! -e "$folder/CMakeCache.txt" ] && command -v ninja >/dev/null; then
    generator=(-G Ninja)
  fi
  if command -v ccache >/dev/null; then
    # Clones in different folders share what was compiled; what is new is not preprocessed twice.
    export CMAKE_CXX_COMPILER_LAUNCHER=ccache CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1 CCACHE_DEPEND=1
  fi
  cmake -S . -B "$folder" "${generator[@]}" "$@"
}

# quietly <log file> <command>...: shows the output only when the command fails.
quietly() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    # What went wrong first, not what followed from it.
    if grep -qE ' error: |Error |ERROR ' "$log"; then
      grep -E -m 8 -A 3 ' error: |Error |ERROR ' "$log" | cut -c 1-200 | head -n 40
    else
      tail -n 40 "$log"
    fi
    echo "The whole output is in $log"
    return 1
  fi
}
