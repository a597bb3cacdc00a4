// SPDX-License-Identifier: Apache-2.0
// What mlgraph sees of an xsimd that is too old.
#define XSIMD_VERSION_MAJOR 7
#define XSIMD_VERSION_MINOR 6
