// Several streams through the layers in lockstep, each loaded weight shared by a tile of them.
#pragma once

#include "integer_layer.hpp"

namespace ostinato::inline OSTINATO_ISA {

// scratch.hidden -> scratch.read_levels, what enters the head. The skip products of all layers share one scale an
// output, so they are one product over all gates side by side, taken at the end.
inline void run_together(const Model& m, const Scratch& s, const Place& p) {
  const int r = m.residual, width = 2 * r;
  const LevelRows<Level> hidden(static_cast<Level*>(s.hidden_levels), r, p.count);
  for (int n = 0; n < p.count; ++n)
    for (int c = 0; c < r; c += lanes)
      remember(m.integer_layer[0], load(s.hidden + std::int64_t{n} * r + c),
               ring_row_now(m, m.integer_layer[0], p, n) + c, hidden.at[n] + c);
  for (int index = 0; index < m.layers; ++index) {
    const IntegerLayer& layer = m.integer_layer[index];
    const int stride = ahead(layer.dilation, p.count);
    const std::int32_t* past = s.past_sums + (std::int64_t{index} * s.past_rows + p.t % stride) * width;
    const LevelRows<Level> gates(static_cast<Level*>(s.gate_levels) + index * r, std::int64_t{r} * m.layers, p.count);
    for (int c = 0; c < r; c += lanes) {
      const Columns<std::int8_t> columns{layer.dilated.weights + c * together<Level>, r, width, r};
      all_rows<2>(
          columns, hidden.at, p.count, [&](int n, int v) { return load(past + n * stride * width + v * r + c); },
          [&](int n, const Ints(&sum)[2]) {
            const float* condition = s.condition + (std::int64_t{n} * m.layers + index) * width;
            store_levels(gates.at[n] + c, gate_levels(layer, c, r, sum, condition));
          });
    }
    if (!layer.residual.weights) continue;
    const IntegerLayer& next = m.integer_layer[index + 1];
    dense(layer.residual, layer.residual.weights, gates.at, p.count,
          [&](int, int column) { return load(layer.residual.start + column); },
          [&](int n, int column, Ints sum) {
            float* at = s.hidden + std::int64_t{n} * r + column;
            const Floats h = load(at) + to_floats(sum) * load(layer.residual.scale + column);
            store(at, h);
            remember(next, h, ring_row_now(m, next, p, n) + column, hidden.at[n] + column);
          });
  }
  const LevelRows<Level> all_gates(static_cast<Level*>(s.gate_levels), std::int64_t{r} * m.layers, p.count);
  dense(m.skip_sum, m.skip_sum.weights, all_gates.at, p.count,
        [&](int, int column) { return load(m.skip_sum.start + column); },
        [&](int n, int column, Ints sum) {
          const Floats x = to_floats(sum) * load(m.skip_sum.scale + column);
          enter_head(m.integer_head[0], x, s.read_levels[0] + std::int64_t{n} * s.read_row + column);
        });
}

} // namespace ostinato::inline OSTINATO_ISA
