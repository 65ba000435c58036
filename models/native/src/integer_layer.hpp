// What both ways through the layers share: rings of levels, and the past taps taken ahead.
//
// As in stack.hpp the past taps of a layer are taken for several samples at once, off the critical path.
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

// Old rows have left the near caches, and a step reads too many rings for the hardware to see a pattern.
OSTINATO_INLINE void fetch_soon(const Model& m, const std::int8_t* row) {
  for (int c = 0; c < m.residual; c += 64) __builtin_prefetch(row + c, 0, 2);
}

// Past taps of the next `samples` samples of one layer, into rows [stream][sample].
inline void take_past(const Model& m, const Scratch& s, const Place& p, int index, int stride, int samples) {
  const IntegerLayer& layer = m.integer_layer[index];
  const int width = 2 * m.residual, rows = p.count * samples;
  const std::int64_t tap_size = std::int64_t{m.residual} * width;
  std::int32_t* sums = s.past_sums + std::int64_t{index} * s.past_rows * width;
  Level* past = static_cast<Level*>(s.past_levels);
  const EvenRows<Level> x{past, m.residual};
  std::int32_t* to[most_rows];
  for (int n = 0; n < p.count; ++n)
    for (int j = 0; j < samples; ++j) to[n * samples + j] = sums + (n * stride + j) * width;
  for (int tap = 0; tap < m.past_taps; ++tap) {
    const std::int64_t delay = std::int64_t{m.past_taps - tap} * layer.dilation;
    for (int n = 0; n < p.count; ++n)
      for (int j = 0; j < samples; ++j) {
        const std::int64_t sample = p.streams[n].slot->clock + p.t + j - delay;
        raise(ring_row(m, layer, p.streams[n], sample), past + (n * samples + j) * m.residual, m.residual);
        fetch_soon(m, ring_row(m, layer, p.streams[n], sample + samples));
      }
    const auto keep = [&](int row, int column, Ints sum) { store(to[row] + column, sum); };
    if (tap == 0)
      dense(layer.tap, layer.tap.weights + tap * tap_size, x, rows,
            [&](int, int column) { return load(layer.tap.start + column); }, keep);
    else
      dense(layer.tap, layer.tap.weights + tap * tap_size, x, rows,
            [&](int row, int column) { return load(to[row] + column); }, keep);
  }
}

OSTINATO_INLINE std::int8_t* ring_row_now(const Model& m, const IntegerLayer& layer, const Place& p, int n) {
  return ring_row(m, layer, p.streams[n], p.streams[n].slot->clock + p.t);
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

// Past taps of all layers, where it is their turn.
inline void take_due_past(const Model& m, const Scratch& s, const Place& p) {
  for (int index = 0; index < m.layers; ++index) {
    const int stride = ahead(m.integer_layer[index].dilation, p.count);
    if (p.t % stride) continue;
    const int left = p.samples - p.t;
    take_past(m, s, p, index, stride, left < stride ? left : stride);
  }
}

// What enters a matrix of the head, held above 0.
OSTINATO_INLINE void enter_head(const IntegerHead& head, Floats x, std::int16_t* to) {
  store_levels(to, levels(greater(x, Floats{}), head.levels, head.top));
}

} // namespace ostinato::inline OSTINATO_ISA
