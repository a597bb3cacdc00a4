#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: build.sh, with PKG_CONFIG_PATH set to the prefix's share/pkgconfig where that is no standard place
set -e
# shellcheck disable=SC2046  # the flags are words
${CXX:-c++} -std=c++17 -O1 main.cpp -o consumer $(pkg-config --cflags --libs "mlgraph >= 0.1")
