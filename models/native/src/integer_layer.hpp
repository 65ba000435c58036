// What both ways through the layers share: rings of levels, and where a level comes from.
#pragma once

#include "functions.hpp"
#include "integer_dense.hpp"
#include "place.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float top_level = 127.0f;

OSTINATO_INLINE std::int8_t* ring_row(const Model& m, const IntegerLayer& layer, const Stream& stream,
                                      std::int64_t sample) {
  return reinterpret_cast<std::int8_t*>(stream.rings) + layer.ring + (sample & layer.mask) * m.residual;
}

OSTINATO_INLINE std::int8_t* ring_row_now(const Model& m, const IntegerLayer& layer, const Place& p, int n) {
  return ring_row(m, layer, p.stream(n), p.now(n));
}

// Old rows have left the near caches, and a step reads too many rings for the hardware to see a pattern.
OSTINATO_INLINE void fetch_soon(const Model& m, const std::int8_t* row) {
  for (int c = 0; c < m.residual; c += 64) __builtin_prefetch(row + c, 0, 2);
}

// What enters a layer.
OSTINATO_INLINE Ints hidden_levels(const IntegerLayer& layer, Floats hidden) {
  return levels<raised>(hidden, layer.hidden_levels, top_level);
}

// The gate of one vector of channels: sums of its filter and its gate -> levels. Scales and conditions are packed as
// exponents.
OSTINATO_INLINE Ints gate_levels(const IntegerLayer& layer, int column, int r, const Ints (&sum)[2],
                                 const float* condition) {
  const Floats a = to_floats(sum[0]) * load(layer.tap.scale + column) + load(condition + column);
  const Floats b = to_floats(sum[1]) * load(layer.tap.scale + r + column) + load(condition + r + column);
  return levels<raised>(gate_of_exponents(a, b), layer.gate_levels, top_level);
}

// What enters a matrix of the head, held above 0.
OSTINATO_INLINE void enter_head(const IntegerHead& head, Floats x, std::int16_t* to) {
  store_levels(to, levels(greater(x, Floats{}), head.levels, head.top));
}

} // namespace ostinato::inline OSTINATO_ISA
