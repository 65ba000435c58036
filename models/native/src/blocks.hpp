// Blocks of samples: a transformer runs once a block for all streams of a group, and a cheap head draws inside it.
//
// As models/blocks_network.py. What a stream remembers is each layer's rings, and `recent`: the samples before the block,
// then those of it. There the linear prediction reads; where the samples of a block are independent, it is rolled out
// into the places of samples yet to be drawn, each overwritten once its sample is known.
#pragma once

#include "attention.hpp"
#include "nade.hpp"

namespace ostinato::inline OSTINATO_ISA {

// Sum of products of two rows of whole 64-byte lines, in one order on every instruction set.
OSTINATO_INLINE float product_of_rows(const float* a, const float* b, int width) {
  alignas(64) float line[pad_outputs];
  for (int l = 0; l < pad_outputs; l += lanes) {
    Floats sum{};
    for (int i = l; i < width; i += pad_outputs) sum = mul_add(load(a + i), load(b + i), sum);
    store(line + l, sum);
  }
  return sum_of_line(line);
}

// to = from / root mean square, times a weight each.
OSTINATO_INLINE void norm(const Model& m, const float* weight, const Rows& from, const Rows& to) {
  for (int n = 0; n < to.count; ++n) {
    const float square = product_of_rows(from.at[n], from.at[n], m.residual) / static_cast<float>(m.blocks.width);
    const Floats root = all(__builtin_sqrtf(square + norm_epsilon));
    for (int c = 0; c < m.residual; c += lanes) store(to.at[n] + c, load(from.at[n] + c) / root * load(weight + c));
  }
}

OSTINATO_INLINE float* recent_samples(const Model& m, const Stream& stream) {
  return reinterpret_cast<float*>(stream.rings) + m.blocks.recent;
}

// One layer over the present block of every stream: scratch.hidden -> scratch.hidden.
inline void run_block_layer(const Model& m, const Scratch& s, const Place& p, const Rotation* rotations, int index) {
  const Blocks& b = m.blocks;
  const BlockLayer& layer = b.layer[index];
  const Rows hidden = evenly(s.hidden, m.residual, p.count), normed = evenly(s.blocks.normed, m.residual, p.count);
  const Rows heard = evenly(s.blocks.heard, layer.heard.outputs, p.count);
  const Rows said = evenly(s.blocks.said, layer.said.inputs, p.count);
  const Rows up = evenly(s.blocks.up, layer.up.outputs, p.count);
  norm(m, layer.attention_norm, hidden, normed);
  fill(heard, layer.heard.outputs, 0.0f);
  dense(layer.heard, normed, heard, heard);
  for (int n = 0; n < p.count; ++n)
    attend(b.attention, rotations[n], reinterpret_cast<float*>(p.streams[n].rings) + index * b.ring_floats,
           p.now(n) / b.samples, heard.at[n], said.at[n]);
  dense(layer.said, said, hidden, hidden);
  norm(m, layer.forward_norm, hidden, normed);
  fill(up, layer.up.outputs, 0.0f);
  dense(layer.up, normed, up, up);
  const int half = layer.up.outputs / 2;
  for (int n = 0; n < p.count; ++n)
    for (int c = 0; c < half; c += lanes)
      store(up.at[n] + c, load(up.at[n] + c) * sigmoid(load(up.at[n] + half + c)));
  dense(layer.down, up, hidden, hidden);
}

// The transformer on what was drawn; then what the head inside begins with, and the taps.
inline void begin_block(const Model& m, const Scratch& s, const Place& p) {
  const Blocks& b = m.blocks;
  const Rows hidden = evenly(s.hidden, m.residual, p.count), normed = evenly(s.blocks.normed, m.residual, p.count);
  const Rows activation = evenly(s.blocks.activation, m.nade.units, p.count);
  Rows recent;
  Rotation rotations[group_streams];
  for (int n = 0; n < p.count; ++n) {
    float* samples = recent_samples(m, p.streams[n]);
    for (int i = 0; i < b.before; ++i) samples[i] = samples[i + b.samples];
    recent.add(samples);
    rotations[n].stand_at(b.attention, p.now(n) / b.samples);
  }
  dense(b.input, recent, evenly(s.condition, m.condition.outputs, p.count), hidden);
  for (int index = 0; index < b.layers; ++index) run_block_layer(m, s, p, rotations, index);
  norm(m, b.norm, hidden, normed);
  fill(activation, m.nade.units, 0.0f);
  dense(b.context, normed, activation, activation);
  dense(b.as_they_are, recent, activation, activation);
  if (!b.taps_taken) return;
  const Rows taps = evenly(s.blocks.taps, b.taps.outputs, p.count);
  fill(taps, b.taps.outputs, 0.0f);
  dense(b.taps, normed, taps, taps);
}

// What the taps make of the samples before the one at `at` in its block.
OSTINATO_INLINE float predicted(const Blocks& b, const float* taps, const float* recent, int at) {
  return product_of_rows(taps, recent + b.before + at - b.taps_taken, b.taps.outputs);
}

// The parameters of the rest of this block as far as it was prepared: all places at once, given the context alone.
inline void plan_places(const Model& m, const Scratch& s, const Place& p, int at) {
  const Blocks& b = m.blocks;
  const int units = m.nade.units, outputs = m.nade.output->outputs;
  const int left = b.samples - at, fit = p.samples - p.t, places = left < fit ? left : fit;
  for (int n = 0; n < p.count; ++n) {
    const float* activation = s.blocks.activation + std::int64_t{n} * units;
    const float* entry = s.entry + (std::int64_t{n} * block_samples + p.t) * units;
    const Rows hidden = evenly(s.blocks.units, units, places);
    const Rows planned = evenly(s.blocks.planned + std::int64_t{n} * block_samples * outputs, outputs, places);
    for (int i = 0; i < places; ++i)
      for (int u = 0; u < units; u += lanes)
        store(hidden.at[i] + u, sigmoid(load(activation + u) + load(b.places + std::int64_t{at + i} * units + u) +
                                        load(entry + std::int64_t{i} * units + u)));
    fill(planned, outputs, 0.0f);
    dense(*m.nade.output, hidden, planned, planned);
  }
}

// Every mean moved by what is predicted of the sample.
OSTINATO_INLINE void move_means(const Model& m, float* parameters, float by) {
  const int count = m.head == HeadKind::logistics ? m.components : 1;
  for (int i = 0; i < count; ++i) parameters[m.parameters - 2 * count + i] += by;
}

// The last sample into what is remembered; the transformer where a block begins; then the head parameters of the sample
// at `place` in its hop.
inline Rows step_blocks(const Model& m, const Scratch& s, const Place& p, int place) {
  const Blocks& b = m.blocks;
  const int at = place % b.samples, outputs = m.nade.output->outputs;
  for (int n = 0; n < p.count; ++n)
    recent_samples(m, p.streams[n])[b.before + (at ? at : b.samples) - 1] = p.streams[n].slot->previous;
  if (!at) begin_block(m, s, p);
  Rows drawn;
  if (b.places) {
    if (!at || !p.t) plan_places(m, s, p, at);
    const int since = at < p.t ? at : p.t; // from where they were planned
    drawn = evenly(s.blocks.planned + std::int64_t{since} * outputs, std::int64_t{block_samples} * outputs, p.count);
  } else {
    drawn = step_conditional(m, s, p, evenly(s.blocks.activation, m.nade.units, p.count), at);
  }
  for (int n = 0; b.taps_taken && n < p.count; ++n) {
    const float* taps = s.blocks.taps + std::int64_t{n} * b.taps.outputs;
    float* recent = recent_samples(m, p.streams[n]);
    if (b.places && !at)
      for (int i = 0; i < b.samples; ++i) recent[b.before + i] = predicted(b, taps, recent, i);
    move_means(m, drawn.at[n], b.places ? recent[b.before + at] : predicted(b, taps, recent, at));
  }
  return drawn;
}

} // namespace ostinato::inline OSTINATO_ISA
