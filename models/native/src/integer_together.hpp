// Several streams through the layers in lockstep, or several samples of one whose past is proposed: each loaded weight
// is shared by a tile of them.
#pragma once

#include "integer_layer.hpp"

namespace ostinato::inline OSTINATO_ISA {

// Past rows of one layer, beside its current one.
OSTINATO_INLINE void bring_past(const Model& m, const Place& p, const IntegerLayer& layer, EvenRows<Level> hidden) {
  for (int n = 0; n < p.count; ++n)
    for (int tap = 0; tap < m.past_taps; ++tap) {
      const std::int64_t sample = p.now(n) - std::int64_t{m.past_taps - tap} * layer.dilation;
      raise(ring_row(m, layer, p.stream(n), sample), hidden.at(n) + tap * m.residual, m.residual);
      fetch_soon(m, ring_row(m, layer, p.stream(n), sample + 1 + p.along * (p.count - 1)));
    }
}

// The current row into the ring, where it may take the place of the oldest.
OSTINATO_INLINE void remember(const Model& m, const Place& p, const IntegerLayer& layer, EvenRows<Level> hidden) {
  for (int n = 0; n < p.count; ++n)
    lower(hidden.at(n) + m.past_taps * m.residual, ring_row_now(m, layer, p, n), m.residual);
}

// The sums before the gate over all taps, and the gate: -> levels.
OSTINATO_INLINE void take_gates(const Model& m, const Scratch& s, const Place& p, int index, EvenRows<Level> hidden,
                                EvenRows<Level> gates) {
  const IntegerLayer& layer = m.integer_layer[index];
  const int r = m.residual, width = 2 * r;
  for (int c = 0; c < r; c += lanes)
    all_rows<2>(
        Columns<std::int8_t>{layer.tap.weights + c * together<Level>, (m.past_taps + 1) * r, width, r}, hidden,
        p.count, [&](int, int v) { return load(layer.tap.start + v * r + c); },
        [&](int n, const Ints(&sum)[2]) {
          const float* condition = s.condition + (std::int64_t{n} * p.across * m.layers + index) * width;
          store_levels(gates.at(n) + index * r + c, gate_levels(layer, c, r, sum, condition));
        });
}

// scratch.hidden -> scratch.read_levels, what enters the head. The skip products of all layers share one scale an
// output, so they are one product over all gates side by side, taken at the end.
inline void run_together(const Model& m, const Scratch& s, const Place& p) {
  const int r = m.residual, current = m.past_taps * r;
  const EvenRows<Level> hidden{static_cast<Level*>(s.hidden_levels), current + r};
  const EvenRows<Level> gates{static_cast<Level*>(s.gate_levels), std::int64_t{r} * m.layers};
  for (int n = 0; n < p.count; ++n)
    for (int c = 0; c < r; c += lanes)
      store_levels(hidden.at(n) + current + c,
                   hidden_levels(m.integer_layer[0], load(s.hidden + std::int64_t{n} * r + c)));
  for (int index = 0; index < m.layers; ++index) {
    const IntegerLayer& layer = m.integer_layer[index];
    if (!p.along) bring_past(m, p, layer, hidden);
    remember(m, p, layer, hidden);
    if (p.along) bring_past(m, p, layer, hidden); // the rows of a window are each other's past
    take_gates(m, s, p, index, hidden, gates);
    if (!layer.residual.weights) break;
    const IntegerLayer& next = m.integer_layer[index + 1];
    dense(layer.residual, EvenRows<Level>{gates.first + index * r, gates.stride}, p.count,
          [&](int, int column) { return load(layer.residual.start + column); },
          [&](int n, int column, Ints sum) {
            float* at = s.hidden + std::int64_t{n} * r + column;
            const Floats h = load(at) + to_floats(sum) * load(layer.residual.scale + column);
            store(at, h);
            store_levels(hidden.at(n) + current + column, hidden_levels(next, h));
          });
  }
  dense(m.skip_sum, gates, p.count,
        [&](int, int column) { return load(m.skip_sum.start + column); },
        [&](int n, int column, Ints sum) {
          const Floats x = to_floats(sum) * load(m.skip_sum.scale + column);
          enter_head(m.integer_head[0], x, s.read_levels[0] + std::int64_t{n} * s.read_row + column);
        });
}

} // namespace ostinato::inline OSTINATO_ISA
