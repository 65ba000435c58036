// Products of integer matrices with several rows of levels at once.
//
// A tile keeps its sums in registers: `Height` rows that share each loaded weight, `Width` vectors of outputs, several
// chains of each where these are few, so that no product waits for the one before. Where sums start and what becomes
// of them the caller says, so that an activation follows its product without a store.
#pragma once

#include "integers.hpp"
#include "model.hpp"

#include <type_traits>

namespace ostinato::inline OSTINATO_ISA {

constexpr int tallest = lanes == 16 ? 8 : 4; // rows of two vectors of sums that leave registers for weights and levels

// Rows of numbers that lie evenly.
template <class Number>
struct EvenRows {
  Number* first;
  std::int64_t stride;

  OSTINATO_INLINE Number* at(int row) const { return first + row * stride; }
};

// Columns first, first + spacing, ... of weights [inputs / together][outputs][together].
template <class Weight>
struct Columns {
  const Weight* weights; // of the first column
  int inputs, outputs, spacing;
};

template <int Height, int Width, class Weight, class Number, class Start, class Finish>
OSTINATO_INLINE void tile(const Columns<Weight>& at, EvenRows<Number> x, int row, Start start, Finish finish) {
  constexpr int taken = together<Number>, chains = Height * Width >= 4 ? 1 : 4 / (Height * Width);
  Ints sum[chains][Height][Width]{};
#pragma GCC unroll 8
  for (int n = 0; n < Height; ++n)
#pragma GCC unroll 16
    for (int v = 0; v < Width; ++v) sum[0][n][v] = start(row + n, v);
  const Weight* from = at.weights;
  const std::int64_t step = std::int64_t{at.outputs} * taken;
  for (int i = 0; i < at.inputs; i += chains * taken)
#pragma GCC unroll 4
    for (int p = 0; p < chains; ++p, from += step) {
      Ints w[Width];
#pragma GCC unroll 16
      for (int v = 0; v < Width; ++v) w[v] = weights(from + v * at.spacing * taken);
#pragma GCC unroll 8
      for (int n = 0; n < Height; ++n) {
        const Ints levels = word(x.at(row + n) + i + p * taken);
#pragma GCC unroll 16
        for (int v = 0; v < Width; ++v) sum[p][n][v] = dot<Weight>(sum[p][n][v], levels, w[v]);
      }
    }
#pragma GCC unroll 8
  for (int n = 0; n < Height; ++n) {
#pragma GCC unroll 16
    for (int v = 0; v < Width; ++v)
#pragma GCC unroll 4
      for (int p = 1; p < chains; ++p) sum[0][n][v] += sum[p][n][v];
    finish(row + n, sum[0][n]);
  }
}

template <int Width, class Weight, class Number, class Start, class Finish>
OSTINATO_INLINE void all_rows(const Columns<Weight>& at, EvenRows<Number> x, int rows, Start start, Finish finish) {
  int row = 0;
  if constexpr (Width > 2) return tile<1, Width>(at, x, row, start, finish);
  if constexpr (tallest == 8)
    for (; row + 8 <= rows; row += 8) tile<8, Width>(at, x, row, start, finish);
  for (; row + 4 <= rows; row += 4) tile<4, Width>(at, x, row, start, finish);
  if (row + 2 <= rows) {
    tile<2, Width>(at, x, row, start, finish);
    row += 2;
  }
  if (row < rows) tile<1, Width>(at, x, row, start, finish);
}

// All outputs of a matrix over all rows: start(row, column) gives a vector of sums, finish(row, column, sums) takes it.
template <class Weight, class Number, class Start, class Finish>
OSTINATO_INLINE void dense(const Integers<Weight>& m, EvenRows<Number> x, int rows, Start start, Finish finish) {
  int column = 0;
  const auto pass = [&]<int Width>(std::integral_constant<int, Width>) {
    for (; column + Width * lanes <= m.outputs; column += Width * lanes)
      all_rows<Width>(Columns<Weight>{m.weights + column * together<Number>, m.inputs, m.outputs, lanes}, x, rows,
                      [&](int row, int v) { return start(row, column + v * lanes); },
                      [&](int row, const Ints(&sum)[Width]) {
                        for (int v = 0; v < Width; ++v) finish(row, column + v * lanes, sum[v]);
                      });
  };
  if (rows == 1) pass(std::integral_constant<int, tallest>{}); // whole lines of weights, read one after another
  pass(std::integral_constant<int, 2>{});
  pass(std::integral_constant<int, 1>{});
}

} // namespace ostinato::inline OSTINATO_ISA
