// SPDX-License-Identifier: Apache-2.0
// Every macro a user may set, and the few the library needs itself. No other header defines a user macro.
#ifndef MLGRAPH_CORE_CONFIG_HPP
#define MLGRAPH_CORE_CONFIG_HPP
#include "mlgraph/core/push_macros.inc"

#include <cstdio>
#include <exception>

#include "mlgraph/core/version.hpp"

// ---- exceptions ------------------------------------------------------------------------------------------
// 1 when this translation unit is compiled with exceptions. The library itself never throws on data; only
// `Result::value()` and `Status::or_throw()` do, because the caller asked for it.
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define MLGRAPH_EXCEPTIONS 1
#else
#define MLGRAPH_EXCEPTIONS 0
#endif

// ---- MLGRAPH_FATAL(message) ------------------------------------------------------------------------------
// Called for a failed MLGRAPH_ASSERT and, where there are no exceptions, when the caller insists on a value
// that an error took the place of. `message` is a `const char*`. Must not return. Unless overridden it prints
// the sentence to the standard error and ends the program.
#ifndef MLGRAPH_FATAL
#define MLGRAPH_FATAL(message) ((void)std::fprintf(stderr, "mlgraph: %s\n", message), std::terminate())
#endif

// ---- MLGRAPH_ASSERT(condition, message) ------------------------------------------------------------------
// A programming error, such as shapes that do not fit a kernel. Checked in debug builds only, unless
// overridden. Data errors never come here: they are a Status.
#ifndef MLGRAPH_ASSERT
#ifdef NDEBUG
#define MLGRAPH_ASSERT(condition, message) ((void)0)
#else
#define MLGRAPH_ASSERT(condition, message) ((condition) ? (void)0 : MLGRAPH_FATAL(message))
#endif
#endif

// ---- MLGRAPH_GEMM_EIGEN -----------------------------------------------------------------------------------
// Defined: matrix products go through Eigen instead of the library's own kernels, a portable alternative to
// compare with. Slower to compile, and a row of a product may then have other bits alone than in a batch.

// ---- MLGRAPH_HIDDEN --------------------------------------------------------------------------------------
// Defined: a shared object exports nothing of what stands in the inline namespace below, also where it is
// compiled with default visibility. Interface types (Status, CostModel, Error, which may be thrown from one
// object and caught in another) stay visible. Not the default: GCC warns of every class outside that has a
// member of a hidden type, unless it is compiled with -fvisibility=hidden or in an anonymous namespace.

// ---- MLGRAPH_NO_SIMD --------------------------------------------------------------------------------------
// Defined: kernels/scalar_batch.hpp takes the place of xsimd, which is then not included. Defined here where
// there are no vector instructions that xsimd has for both float and double: 32-bit ARM, x86 without SSE2,
// RISC-V.
#if !defined(MLGRAPH_NO_SIMD) && !defined(__SSE2__) && !defined(_M_X64) && !defined(__aarch64__) && \
    !defined(_M_ARM64)
#define MLGRAPH_NO_SIMD
#endif
// 1 where a multiply-add that is rounded once is an instruction.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__ARM_FEATURE_FMA) || defined(__FP_FAST_FMAF) || \
    defined(__riscv_flen)
#define MLGRAPH_DETAIL_FMA 1
#else
#define MLGRAPH_DETAIL_FMA 0
#endif

// ---- compiler ---------------------------------------------------------------------------------------------
#if defined(__GNUC__) || defined(__clang__)
#define MLGRAPH_ALWAYS_INLINE inline __attribute__((always_inline))
#define MLGRAPH_LAMBDA_INLINE __attribute__((always_inline))  // stands between a lambda's parameters and body
#define MLGRAPH_FLATTEN __attribute__((flatten))              // everything that the function calls is inlined
#define MLGRAPH_COLD __attribute__((noinline, cold))          // what hardly ever runs stays out of what does
#define MLGRAPH_RESTRICT __restrict__
#elif defined(_MSC_VER)
#define MLGRAPH_ALWAYS_INLINE __forceinline
#define MLGRAPH_LAMBDA_INLINE
#define MLGRAPH_FLATTEN
#define MLGRAPH_COLD
#define MLGRAPH_RESTRICT __restrict
#else
#define MLGRAPH_ALWAYS_INLINE inline
#define MLGRAPH_LAMBDA_INLINE
#define MLGRAPH_FLATTEN
#define MLGRAPH_COLD
#define MLGRAPH_RESTRICT
#endif

// Before a loop with a constant number of rounds: unrolls it fully already at -O2, so that an array of vectors
// becomes registers.
#if defined(__clang__)
#define MLGRAPH_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define MLGRAPH_UNROLL _Pragma("GCC unroll 64")
#else
#define MLGRAPH_UNROLL
#endif

// ---- the inline namespace of everything that computes ------------------------------------------------------
// Two translation units compiled with different `-m` flags, or with and without exceptions, may meet in one
// program. Their code must not be merged by the linker, so whatever does arithmetic lives in an inline
// namespace that names the instruction set. Types that cross translation units (Status, Span, GraphView,
// CostModel) stay outside it.
#if defined(__AVX512BW__)
#define MLGRAPH_ISA_NAME avx512
#elif defined(__AVX512F__)
#define MLGRAPH_ISA_NAME avx512f
#elif defined(__AVX2__) && defined(__FMA__)
#define MLGRAPH_ISA_NAME avx2_fma
#elif defined(__AVX2__)
#define MLGRAPH_ISA_NAME avx2
#elif defined(__AVX__)
#define MLGRAPH_ISA_NAME avx
#elif defined(__SSE4_2__)
#define MLGRAPH_ISA_NAME sse4_2
#elif defined(__SSE2__)
#define MLGRAPH_ISA_NAME sse2
#elif defined(__ARM_FEATURE_SVE)
#define MLGRAPH_ISA_NAME sve
#elif defined(__ARM_NEON)
#define MLGRAPH_ISA_NAME neon
#else
#define MLGRAPH_ISA_NAME generic
#endif

#define MLGRAPH_DETAIL_CAT2(a, b) a##b
#define MLGRAPH_DETAIL_CAT(a, b) MLGRAPH_DETAIL_CAT2(a, b)
#if defined(MLGRAPH_GEMM_EIGEN) && defined(MLGRAPH_NO_SIMD)
#define MLGRAPH_DETAIL_ISA_PREFIX isa_scalar_eigen_
#elif defined(MLGRAPH_GEMM_EIGEN)
#define MLGRAPH_DETAIL_ISA_PREFIX isa_eigen_
#elif defined(MLGRAPH_NO_SIMD)
#define MLGRAPH_DETAIL_ISA_PREFIX isa_scalar_
#else
#define MLGRAPH_DETAIL_ISA_PREFIX isa_
#endif
#if MLGRAPH_EXCEPTIONS
#define MLGRAPH_ISA_NAMESPACE MLGRAPH_DETAIL_CAT(MLGRAPH_DETAIL_ISA_PREFIX, MLGRAPH_ISA_NAME)
#else
#define MLGRAPH_ISA_NAMESPACE \
  MLGRAPH_DETAIL_CAT(MLGRAPH_DETAIL_CAT(MLGRAPH_DETAIL_ISA_PREFIX, MLGRAPH_ISA_NAME), _noexc)
#endif
#if defined(MLGRAPH_HIDDEN) && defined(__GNUC__)
#define MLGRAPH_DETAIL_HIDDEN [[gnu::visibility("hidden")]]
#else
#define MLGRAPH_DETAIL_HIDDEN
#endif
// Its name as a text.
#define MLGRAPH_DETAIL_TEXT2(a) #a
#define MLGRAPH_DETAIL_TEXT(a) MLGRAPH_DETAIL_TEXT2(a)
#define MLGRAPH_ISA_TEXT MLGRAPH_DETAIL_TEXT(MLGRAPH_ISA_NAMESPACE)
#define MLGRAPH_BEGIN_ISA inline namespace MLGRAPH_DETAIL_HIDDEN MLGRAPH_ISA_NAMESPACE {
#define MLGRAPH_END_ISA }

#include "mlgraph/core/pop_macros.inc"
#endif  // MLGRAPH_CORE_CONFIG_HPP
