// The causal dilated stack and the head in integers: one sample of every stream of a group.
//
// As in stack.hpp the past taps are taken ahead, for several samples at once, off the critical path. The skip products
// of all layers share one scale an output, so they are one product over all gates side by side, taken at the end.
#pragma once

#include "functions.hpp"
#include "integer_dense.hpp"
#include "place.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float top_level = 127.0f;

template <class Number>
struct LevelRows {
  Number* at[most_rows];

  OSTINATO_INLINE LevelRows(Number* first, std::int64_t stride, int count) {
    for (int n = 0; n < count; ++n) at[n] = first + n * stride;
  }
};

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
  std::int32_t* sums = s.past_sums + std::int64_t{index} * s.past_rows * width;
  Level* past = static_cast<Level*>(s.past_levels);
  const LevelRows<Level> x(past, m.residual, rows);
  LevelRows<std::int32_t> to(sums, width, 0);
  for (int n = 0; n < p.count; ++n)
    for (int j = 0; j < samples; ++j) to.at[n * samples + j] = sums + (n * stride + j) * width;
  for (int tap = 0; tap < m.past_taps; ++tap) {
    const std::int64_t delay = std::int64_t{m.past_taps - tap} * layer.dilation;
    for (int n = 0; n < p.count; ++n)
      for (int j = 0; j < samples; ++j) {
        const std::int64_t sample = p.streams[n].slot->clock + p.t + j - delay;
        raise(ring_row(m, layer, p.streams[n], sample), past + (n * samples + j) * m.residual, m.residual);
        fetch_soon(m, ring_row(m, layer, p.streams[n], sample + samples));
      }
    const auto keep = [&](int row, int column, Ints sum) { store(to.at[row] + column, sum); };
    if (tap == 0)
      dense(layer.dilated, layer.past[tap], x.at, rows,
            [&](int, int column) { return load(layer.dilated.start + column); }, keep);
    else
      dense(layer.dilated, layer.past[tap], x.at, rows,
            [&](int row, int column) { return load(to.at[row] + column); }, keep);
  }
}

// What enters a layer: its levels at once, and into the ring.
OSTINATO_INLINE void remember(const Model& m, const Place& p, const IntegerLayer& layer, int n, int column,
                              Floats hidden, Level* to) {
  const Ints held = levels(hidden, layer.hidden_levels, top_level);
  store_levels(ring_row(m, layer, p.streams[n], p.streams[n].slot->clock + p.t) + column, held);
  store_levels(to + column, held);
}

// scratch.hidden -> scratch.gate_levels.
OSTINATO_INLINE void run_layers(const Model& m, const Scratch& s, const Place& p) {
  const int r = m.residual, width = 2 * r;
  const LevelRows<Level> hidden(static_cast<Level*>(s.hidden_levels), r, p.count);
  for (int index = 0; index < m.layers; ++index) {
    const int stride = ahead(m.integer_layer[index].dilation, p.count);
    if (p.t % stride) continue;
    const int left = p.samples - p.t;
    take_past(m, s, p, index, stride, left < stride ? left : stride);
  }
  for (int n = 0; n < p.count; ++n)
    for (int c = 0; c < r; c += lanes)
      remember(m, p, m.integer_layer[0], n, c, load(s.hidden + std::int64_t{n} * r + c), hidden.at[n]);
  for (int index = 0; index < m.layers; ++index) {
    const IntegerLayer& layer = m.integer_layer[index];
    const int stride = ahead(layer.dilation, p.count);
    const std::int32_t* past = s.past_sums + (std::int64_t{index} * s.past_rows + p.t % stride) * width;
    const LevelRows<Level> gates(static_cast<Level*>(s.gate_levels) + index * r, std::int64_t{r} * m.layers, p.count);
    for (int c = 0; c < r; c += lanes) {
      const Columns<std::int8_t> columns{layer.dilated.weights + c * together<Level>, r, width, r};
      const Floats filter_scale = load(layer.dilated.scale + c), gate_scale = load(layer.dilated.scale + r + c);
      all_rows<2>(
          columns, hidden.at, p.count, [&](int n, int v) { return load(past + n * stride * width + v * r + c); },
          [&](int n, const Ints(&sum)[2]) {
            const float* condition = s.condition + (std::int64_t{n} * m.layers + index) * width + c;
            const Floats a = to_floats(sum[0]) * filter_scale + load(condition);
            const Floats b = to_floats(sum[1]) * gate_scale + load(condition + r);
            store_levels(gates.at[n] + c, levels(gate(a, b), layer.gate_levels, top_level));
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
            remember(m, p, next, n, column, h, hidden.at[n]);
          });
  }
}

// What enters a matrix of the head, held above 0.
OSTINATO_INLINE void enter_head(const IntegerHead& head, Floats x, std::int16_t* to) {
  store_levels(to, levels(greater(x, Floats{}), head.levels, head.top));
}

// scratch.gate_levels -> the head parameters of each stream.
OSTINATO_INLINE Rows read_out(const Model& m, const Scratch& s, int count) {
  const LevelRows<Level> gates(static_cast<Level*>(s.gate_levels), std::int64_t{m.residual} * m.layers, count);
  const LevelRows<std::int16_t> read[2] = {{s.read_levels[0], s.read_row, count},
                                           {s.read_levels[1], s.read_row, count}};
  const Rows parameters = evenly(s.read[0], s.read_row, count);
  dense(m.skip_sum, m.skip_sum.weights, gates.at, count, [&](int, int column) { return load(m.skip_sum.start + column); },
        [&](int n, int column, Ints sum) {
          enter_head(m.integer_head[0], to_floats(sum) * load(m.skip_sum.scale + column), read[0].at[n] + column);
        });
  for (int i = 0; i < m.head_layers; ++i) {
    const IntegerHead& head = m.integer_head[i];
    const bool last = i + 1 == m.head_layers;
    dense(head.matrix, head.matrix.weights, read[i % 2].at, count, [](int, int) { return Ints{}; },
          [&](int n, int column, Ints sum) {
            const Floats y = to_floats(sum) * load(head.matrix.scale + column) + load(head.bias + column);
            if (last)
              store(parameters.at[n] + column, y);
            else
              enter_head(m.integer_head[i + 1], y, read[(i + 1) % 2].at[n] + column);
          });
  }
  return parameters;
}

// scratch.hidden -> the head parameters of each stream.
inline Rows run_stack(const Model& m, const Scratch& s, const Place& p) {
  run_layers(m, s, p);
  return read_out(m, s, p.count);
}

} // namespace ostinato::inline OSTINATO_ISA
