#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: build.sh <mlgraph's include folder> <xsimd's>
set -e
${CXX:-c++} -std=c++17 -O1 main.cpp -o consumer -I"$1" -idirafter "$2" -pthread
