// Rows of equal length that a matrix product reads or writes, gathered as pointers.
#pragma once

#include "dense.hpp"

namespace ostinato::inline OSTINATO_ISA {

struct Rows {
  float* at[most_rows];
  int count = 0;

  OSTINATO_INLINE void add(float* row) { at[count++] = row; }
};

// `count` rows that lie `stride` floats apart.
OSTINATO_INLINE Rows evenly(float* first, std::int64_t stride, int count) {
  Rows rows;
  for (int n = 0; n < count; ++n) rows.add(first + n * stride);
  return rows;
}

OSTINATO_INLINE void dense(const Matrix& m, const Rows& x, const Rows& from, const Rows& to) {
  dense(m, x.at, from.at, to.at, to.count);
}

OSTINATO_INLINE void fill(const Rows& rows, int width, float value) {
  for (int n = 0; n < rows.count; ++n)
    for (int c = 0; c < width; c += lanes) store(rows.at[n] + c, all(value));
}

// to = f(from), vector by vector.
template <class Function>
OSTINATO_INLINE void map(const Rows& from, const Rows& to, int width, Function f) {
  for (int n = 0; n < to.count; ++n)
    for (int c = 0; c < width; c += lanes) store(to.at[n] + c, f(load(from.at[n] + c)));
}

} // namespace ostinato::inline OSTINATO_ISA
