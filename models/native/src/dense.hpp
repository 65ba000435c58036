// Matrix-vector products of several rows at once, each output summed in one order whatever the number of rows.
//
// Lanes are outputs; an output is the sum of `chains` chains, chain p taking inputs p, p + chains, ... in turn.
// Chain 0 starts from `from`, chain 1 from the bias. So neither the tile's height (rows sharing each loaded weight)
// nor its width (vectors of outputs kept in registers) changes a bit, and with equal rounding nor does the number of
// lanes. Several chains keep the multipliers busy where a single row leaves few outputs to work on.
#pragma once

#include "model.hpp"
#include "vector.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr int most_rows = group_streams > block_samples ? group_streams : block_samples;
constexpr int most_sums = lanes == 16 ? 16 : 8; // vectors of sums that leave registers for weights and inputs
constexpr int fetch_ahead = 2048; // floats; a lone row reads weights faster than the hardware fetches them

using Inputs = const float* const*;
using Outputs = float* const*;

template <int Height, int Width, int Chains>
OSTINATO_INLINE void tile(const Matrix& m, int column, Inputs x, Inputs from, Outputs to) {
  Floats sum[Chains][Height][Width];
#pragma GCC unroll 8
  for (int n = 0; n < Height; ++n)
#pragma GCC unroll 8
    for (int v = 0; v < Width; ++v) {
      const int at = column + v * lanes;
#pragma GCC unroll 8
      for (int p = 2; p < Chains; ++p) sum[p][n][v] = Floats{};
      sum[0][n][v] = load(from[n] + at);
      sum[1][n][v] = load(m.bias + at);
    }
  const float* weights = m.weights + column;
  for (int i = 0; i < m.inputs; i += Chains)
#pragma GCC unroll 8
    for (int p = 0; p < Chains; ++p, weights += m.outputs) {
      Floats w[Width];
#pragma GCC unroll 8
      for (int v = 0; v < Width; ++v) {
        w[v] = load(weights + v * lanes);
        if constexpr (Height > 1)
          hold(w[v]);
        else
          __builtin_prefetch(weights + v * lanes + fetch_ahead);
      }
#pragma GCC unroll 8
      for (int n = 0; n < Height; ++n) {
        const Floats input = all(x[n][i + p]);
#pragma GCC unroll 8
        for (int v = 0; v < Width; ++v) sum[p][n][v] = mul_add(input, w[v], sum[p][n][v]);
      }
    }
#pragma GCC unroll 8
  for (int n = 0; n < Height; ++n)
#pragma GCC unroll 8
    for (int v = 0; v < Width; ++v) {
      Floats total = sum[0][n][v] + sum[1][n][v];
      if constexpr (Chains == 4) total = total + (sum[2][n][v] + sum[3][n][v]);
      store(to[n] + column + v * lanes, total);
    }
}

// All rows over one band of columns: the band's weights are read once and stay in the first-level cache.
template <int Width, int Chains>
OSTINATO_INLINE void band(const Matrix& m, int column, Inputs x, Inputs from, Outputs to, int rows) {
  constexpr int height = most_sums / (2 * Chains);
  int n = 0;
  if constexpr (height >= 4)
    for (; n + 4 <= rows; n += 4) tile<4, Width, Chains>(m, column, x + n, from + n, to + n);
  if constexpr (height >= 2)
    for (; n + 2 <= rows; n += 2) tile<2, Width, Chains>(m, column, x + n, from + n, to + n);
  for (; n < rows; ++n) tile<1, Width, Chains>(m, column, x + n, from + n, to + n);
}

template <int Chains>
OSTINATO_INLINE void all_bands(const Matrix& m, Inputs x, Inputs from, Outputs to, int rows) {
  int column = 0;
  if constexpr (4 * Chains <= most_sums)
    for (; rows == 1 && column + 4 * lanes <= m.outputs; column += 4 * lanes)
      tile<1, 4, Chains>(m, column, x, from, to);
  for (; column + 2 * lanes <= m.outputs; column += 2 * lanes) band<2, Chains>(m, column, x, from, to, rows);
  for (; column < m.outputs; column += lanes) band<1, Chains>(m, column, x, from, to, rows);
}

// to = from + W x + b for each row; `from` and `to` may be the same rows.
inline __attribute__((noinline)) void dense(const Matrix& m, Inputs x, Inputs from, Outputs to, int rows) {
  if (m.chains == 4)
    all_bands<4>(m, x, from, to, rows);
  else
    all_bands<2>(m, x, from, to, rows);
}

} // namespace ostinato::inline OSTINATO_ISA
