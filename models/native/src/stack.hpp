// The causal dilated stack: one sample of every stream of a group.
//
// A layer's past taps read rows that are at least `dilation` samples old, so they are taken ahead for several samples
// at once, off the critical path, with each weight read once for all of them. What remains in the chain from one
// layer to the next is the current tap, the gate and the residual; the skip of the layer before fills the gate's
// latency.
#pragma once

#include "functions.hpp"
#include "place.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

OSTINATO_INLINE float* ring_row(const Model& m, const Layer& layer, const Stream& stream, std::int64_t sample) {
  return reinterpret_cast<float*>(stream.rings) + layer.ring + (sample & layer.mask) * m.residual;
}

// Old rows have left the near caches, and a step reads too many rings for the hardware to see a pattern.
OSTINATO_INLINE void fetch_soon(const Model& m, const float* row) {
  for (int c = 0; c < m.residual; c += pad_outputs) __builtin_prefetch(row + c, 0, 2);
}

// Bias, condition and past taps of the next `samples` samples of one layer, into rows [stream][sample].
inline void take_past(const Model& m, const Scratch& s, const Place& p, int index, int stride, int samples) {
  const Layer& layer = m.layer[index];
  const std::int64_t width = 2 * std::int64_t{m.residual}, condition = width * m.layers;
  float* past = s.past + std::int64_t{index} * s.past_rows * width;
  Rows from, to;
  for (int n = 0; n < p.count; ++n)
    for (int j = 0; j < samples; ++j) {
      from.add(s.condition + n * condition + index * width);
      to.add(past + (n * stride + j) * width);
    }
  for (int tap = 0; tap < m.past_taps; ++tap) {
    const std::int64_t delay = std::int64_t{m.past_taps - tap} * layer.dilation;
    Rows x;
    for (int n = 0; n < p.count; ++n)
      for (int j = 0; j < samples; ++j) {
        const std::int64_t sample = p.streams[n].slot->clock + p.t + j - delay;
        x.add(ring_row(m, layer, p.streams[n], sample));
        fetch_soon(m, ring_row(m, layer, p.streams[n], sample + samples));
      }
    dense(layer.past[tap], x, tap ? to : from, to);
  }
}

// The sum before the gate, from the past taken ahead and the current input: -> scratch.gates.
OSTINATO_INLINE void take_current(const Model& m, const Scratch& s, const Place& p, int index, const Rows& hidden,
                                  const Rows& gates) {
  const Layer& layer = m.layer[index];
  const int stride = ahead(layer.dilation, p.count), since = p.t % stride;
  if (since == 0) {
    const int left = p.samples - p.t;
    take_past(m, s, p, index, stride, left < stride ? left : stride);
  }
  const std::int64_t width = 2 * std::int64_t{m.residual};
  float* past = s.past + (std::int64_t{index} * s.past_rows + since) * width;
  dense(layer.current, hidden, evenly(past, stride * width, p.count), gates);
}

OSTINATO_INLINE void remember(const Model& m, const Place& p, int index, const Rows& hidden) {
  for (int n = 0; n < p.count; ++n) {
    float* row = ring_row(m, m.layer[index], p.stream(n), p.now(n));
    for (int c = 0; c < m.residual; c += lanes) store(row + c, load(hidden.at[n] + c));
  }
}

OSTINATO_INLINE void apply_gate(const Model& m, const Rows& gates, const Rows& active) {
  for (int n = 0; n < active.count; ++n)
    for (int c = 0; c < m.residual; c += lanes)
      store(active.at[n] + c, gate(load(gates.at[n] + c), load(gates.at[n] + m.residual + c)));
}

// scratch.hidden -> scratch.skip.
OSTINATO_INLINE void run_layers(const Model& m, const Scratch& s, const Place& p) {
  const Rows hidden = evenly(s.hidden, m.residual, p.count), skip = evenly(s.skip, m.skip, p.count);
  const Rows gates = evenly(s.gates, 2 * m.residual, p.count);
  fill(skip, m.skip, 0.0f);
  // Two rows of gated activations take turns: while one layer's gate waits on its exponentials and its division, the
  // layer before adds to the skip sum.
  Rows active, before;
  for (int index = 0; index < m.layers; ++index) {
    const Layer& layer = m.layer[index];
    active = evenly(s.active[index % 2], m.residual, p.count);
    take_current(m, s, p, index, hidden, gates);
    remember(m, p, index, hidden);
    apply_gate(m, gates, active);
    if (index) dense(m.layer[index - 1].skip, before, skip, skip);
    if (layer.residual.weights) dense(layer.residual, active, hidden, hidden);
    before = active;
  }
  dense(m.layer[m.layers - 1].skip, before, skip, skip);
}

// The skip sum through the head's layers; returns where the head parameters lie.
OSTINATO_INLINE Rows read_out(const Model& m, const Scratch& s, int count) {
  const auto relu = [](Floats v) { return greater(v, Floats{}); };
  Rows x = evenly(s.skip, m.skip, count);
  for (int i = 0; i < m.head_layers; ++i) {
    const Matrix& matrix = m.head_matrix[i];
    const Rows y = evenly(s.read[i % 2], s.read_row, count);
    map(x, x, matrix.inputs, relu);
    fill(y, matrix.outputs, 0.0f);
    dense(matrix, x, y, y);
    x = y;
  }
  return x;
}

// scratch.hidden -> the head parameters of each stream.
inline Rows run_stack(const Model& m, const Scratch& s, const Place& p) {
  run_layers(m, s, p);
  return read_out(m, s, p.count);
}

// The same once a hop: the step of every ring is a hop.
inline Rows run_stack_by_hop(const Model& m, const Scratch& s, const Stream* streams, int count) {
  Slot clocks[group_streams];
  Stream by_hop[group_streams];
  for (int n = 0; n < count; ++n) {
    clocks[n].clock = streams[n].slot->clock / m.hop;
    by_hop[n] = streams[n];
    by_hop[n].slot = &clocks[n];
  }
  return run_stack(m, s, {by_hop, count, 0, 1});
}

// The same for a window, whose rows lie in scratch.hidden. Nothing waits for a draw, so each layer takes all rows at
// once, past and current taps alike.
inline Rows run_window(const Model& m, const Scratch& s, const Place& p) {
  const std::int64_t width = 2 * std::int64_t{m.residual};
  const Rows hidden = evenly(s.hidden, m.residual, p.count), skip = evenly(s.skip, m.skip, p.count);
  const Rows gates = evenly(s.gates, width, p.count), active = evenly(s.active[0], m.residual, p.count);
  fill(skip, m.skip, 0.0f);
  for (int index = 0; index < m.layers; ++index) {
    const Layer& layer = m.layer[index];
    remember(m, p, index, hidden); // the rows of a window are each other's past
    Rows from = evenly(s.condition + index * width, 0, p.count);
    for (int tap = 0; tap < m.past_taps; ++tap) {
      Rows x;
      for (int n = 0; n < p.count; ++n)
        x.add(ring_row(m, layer, p.stream(n), p.now(n) - std::int64_t{m.past_taps - tap} * layer.dilation));
      dense(layer.past[tap], x, from, gates);
      from = gates;
    }
    dense(layer.current, hidden, from, gates);
    apply_gate(m, gates, active);
    dense(layer.skip, active, skip, skip);
    if (layer.residual.weights) dense(layer.residual, active, hidden, hidden);
  }
  return read_out(m, s, p.count);
}

} // namespace ostinato::inline OSTINATO_ISA
