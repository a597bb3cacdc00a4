// SPDX-License-Identifier: Apache-2.0
// The products of a linear layer by other libraries, each where it is installed: OpenBLAS, BLIS, oneDNN,
// LIBXSMM.
//
//   forward  y = x w        (N, K) (K, M)
//   dx       x = y w^T      (N, M) (K, M)^T
//   dw       w = x^T y      (N, K)^T (N, M)
//
// OpenBLAS picks a slow kernel on many virtual machines unless OPENBLAS_CORETYPE=SkylakeX is set; bench/run
// sets it, and OMP_NUM_THREADS=1, which oneDNN and BLIS heed. LIBXSMM makes kernels for small products: of many
// rows it gets blocks of 64, and of dw sums over as many. Of the transposed weights it gets a copy, which is
// made anew in each round.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gemm_shapes.hpp"

#if defined(MLGRAPH_BENCH_OPENBLAS)
#include <cblas.h>
extern "C" void openblas_set_num_threads(int num_threads);  // BLIS has a cblas.h of its own
#endif
#if defined(MLGRAPH_BENCH_BLIS)
#include <blis.h>
#endif
#if defined(MLGRAPH_BENCH_DNNL)
#include <dnnl.h>
#endif
#if defined(MLGRAPH_BENCH_XSMM)
#include <libxsmm.h>
#endif

namespace {

namespace bench = mlgraph::bench;
using bench::Operands;

enum class Product { kForward, kDx, kDw };

// A row-major product: c (rows, cols) = a (rows, depth) b (depth, cols), a or b transposed.
struct RowMajor {
  std::int64_t rows, cols, depth;
  bool trans_a, trans_b;
  const float *a, *b;
  float* c;

  RowMajor(Operands& o, Product product) {
    switch (product) {
      case Product::kForward:
        *this = {o.n, o.m, o.k, false, false, o.x.data(), o.weight.data(), o.y.data()};
        break;
      case Product::kDx:
        *this = {o.n, o.k, o.m, false, true, o.y.data(), o.weight.data(), o.x.data()};
        break;
      case Product::kDw:
        *this = {o.k, o.m, o.n, true, false, o.x.data(), o.y.data(), o.d_weight.data()};
        break;
    }
  }
  RowMajor(std::int64_t r, std::int64_t m, std::int64_t k, bool ta, bool tb, const float* left,
           const float* right, float* out)
      : rows(r), cols(m), depth(k), trans_a(ta), trans_b(tb), a(left), b(right), c(out) {}
  [[nodiscard]] std::int64_t stride_a() const { return trans_a ? rows : depth; }
  [[nodiscard]] std::int64_t stride_b() const { return trans_b ? depth : cols; }
};

template <class Multiply>
void time_peer(benchmark::State& state, Product product, const Multiply& multiply) {
  Operands o(state.range(0), state.range(1), state.range(2));
  const RowMajor p(o, product);
  bench::time_product(state, o, bench::peak_of(state.range(3)), [&] { multiply(p); });
}

#define MLGRAPH_BENCH_PEER(peer)                                                  \
  BENCHMARK_CAPTURE(peer, forward, Product::kForward)->Apply(bench::peer_shapes); \
  BENCHMARK_CAPTURE(peer, dx, Product::kDx)->Apply(bench::peer_shapes);           \
  BENCHMARK_CAPTURE(peer, dw, Product::kDw)->Apply(bench::peer_shapes)

#if defined(MLGRAPH_BENCH_OPENBLAS)
void openblas(benchmark::State& state, Product product) {
  openblas_set_num_threads(static_cast<int>(state.range(3)));
  time_peer(state, product, [](const RowMajor& p) {
    cblas_sgemm(CblasRowMajor, p.trans_a ? CblasTrans : CblasNoTrans, p.trans_b ? CblasTrans : CblasNoTrans,
                static_cast<int>(p.rows), static_cast<int>(p.cols), static_cast<int>(p.depth), 1.0F, p.a,
                static_cast<int>(p.stride_a()), p.b, static_cast<int>(p.stride_b()), 0.0F, p.c,
                static_cast<int>(p.cols));
  });
}
MLGRAPH_BENCH_PEER(openblas);
#endif

#if defined(MLGRAPH_BENCH_BLIS)
void blis(benchmark::State& state, Product product) {
  bli_thread_set_num_threads(state.range(3));
  time_peer(state, product, [](const RowMajor& p) {
    float one = 1, zero = 0;
    bli_sgemm(p.trans_a ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE, p.trans_b ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE,
              p.rows, p.cols, p.depth, &one, const_cast<float*>(p.a), p.stride_a(), 1, const_cast<float*>(p.b),
              p.stride_b(), 1, &zero, p.c, p.cols, 1);
  });
}
MLGRAPH_BENCH_PEER(blis);
#endif

#if defined(MLGRAPH_BENCH_DNNL)
void onednn(benchmark::State& state, Product product) {
  time_peer(state, product, [](const RowMajor& p) {
    dnnl_sgemm(p.trans_a ? 'T' : 'N', p.trans_b ? 'T' : 'N', p.rows, p.cols, p.depth, 1.0F, p.a, p.stride_a(),
               p.b, p.stride_b(), 0.0F, p.c, p.cols);
  });
}
MLGRAPH_BENCH_PEER(onednn);
#endif

#if defined(MLGRAPH_BENCH_XSMM)
// Column-major, so that a row-major product is the one of the transposes: cols x rows. Blocks of `rows`, or of
// the depth where the sum is the long side; the rest in one of its own.
class XsmmBlocks {
 public:
  explicit XsmmBlocks(const RowMajor& p) : p_(p) {
    const std::int64_t longest = p.trans_a ? p.depth : p.rows;
    for (int i = 0; i < 2; ++i) {
      const std::int64_t size = i == 0 ? std::min<std::int64_t>(kBlock, longest) : longest % kBlock;
      if (size == 0) continue;
      const auto rows = static_cast<libxsmm_blasint>(p.trans_a ? p.rows : size);
      const auto depth = static_cast<libxsmm_blasint>(p.trans_a ? size : p.depth);
      const auto cols = static_cast<libxsmm_blasint>(p.cols);
      const auto stride_a = static_cast<libxsmm_blasint>(p.stride_a());
      const float alpha = 1, beta = p.trans_a ? 1.0F : 0.0F;
      const int flags = p.trans_a ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
      kernel_[i] =
          libxsmm_smmdispatch(cols, rows, depth, &cols, &stride_a, &cols, &alpha, &beta, &flags, nullptr);
    }
    if (p.trans_b) transposed_.resize(static_cast<std::size_t>(p.depth * p.cols));
  }
  [[nodiscard]] bool ok() const { return kernel_[0] != nullptr; }
  void run() {
    const float* b = p_.b;
    if (p_.trans_b) {
      libxsmm_otrans(transposed_.data(), p_.b, sizeof(float), static_cast<libxsmm_blasint>(p_.depth),
                     static_cast<libxsmm_blasint>(p_.cols), static_cast<libxsmm_blasint>(p_.depth),
                     static_cast<libxsmm_blasint>(p_.cols));
      b = transposed_.data();
    }
    const std::int64_t longest = p_.trans_a ? p_.depth : p_.rows;
    if (p_.trans_a) std::fill_n(p_.c, p_.rows * p_.cols, 0.0F);
    for (std::int64_t i = 0; i < longest; i += kBlock) {
      const auto kernel = kernel_[longest - i < kBlock && longest > kBlock ? 1 : 0];
      const float* const a = p_.a + i * p_.stride_a();
      if (p_.trans_a) {
        kernel(b + i * p_.cols, a, p_.c);
      } else {
        kernel(b, a, p_.c + i * p_.cols);
      }
    }
  }

 private:
  static constexpr std::int64_t kBlock = 64;
  const RowMajor& p_;
  libxsmm_smmfunction kernel_[2] = {};
  std::vector<float> transposed_;
};

void libxsmm(benchmark::State& state, Product product) {
  Operands o(state.range(0), state.range(1), state.range(2));
  const RowMajor p(o, product);
  XsmmBlocks blocks(p);
  if (!blocks.ok()) return state.SkipWithError("LIBXSMM makes no kernel for this product");
  bench::time_product(state, o, bench::peak_of(state.range(3)), [&] { blocks.run(); });
}
MLGRAPH_BENCH_PEER(libxsmm);
#endif

}  // namespace
