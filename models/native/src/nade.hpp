// A NADE over frames of one hop: the stack runs once for a frame, its samples from one running activation.
//
// As models/nade_network.py. What a sample costs is a sigmoid of each hidden unit, the conditional of its own place and
// one row of weights added to the activation; the excitation's share of it was taken for the block.
#pragma once

#include "functions.hpp"
#include "place.hpp"
#include "rows.hpp"
#include "stack.hpp"

namespace ostinato::inline OSTINATO_ISA {

// What was drawn of this hop so far, and of the last one from there on: [hop].
OSTINATO_INLINE float* past_frame(const Model& m, const Stream& stream) {
  return reinterpret_cast<float*>(stream.rings) + m.nade.past;
}

// The activation that a hop begins with, from the frames before: the stack's own clock counts frames.
inline Rows begin_frame(const Model& m, const Scratch& s, const Stream* streams, int count) {
  Rows frames;
  for (int n = 0; n < count; ++n) {
    past_frame(m, streams[n])[m.hop - 1] = streams[n].slot->previous;
    frames.add(past_frame(m, streams[n]));
  }
  const Rows hidden = evenly(s.hidden, m.residual, count);
  fill(hidden, m.residual, 0.0f);
  dense(m.nade.frame, frames, hidden, hidden);
  const Rows activation = run_stack_by_hop(m, s, streams, count);
  dense(m.nade.before, frames, activation, activation);
  return activation;
}

// The last sample into the activation, where it is of this frame; then the head parameters of the one at `at`.
inline Rows step_conditional(const Model& m, const Scratch& s, const Place& p, const Rows& activation, int at) {
  const int units = m.nade.units;
  const float* row = m.nade.weights + std::int64_t{at - 1} * units;
  const Rows hidden = evenly(s.units, units, p.count), drawn = evenly(s.drawn, m.nade.output->outputs, p.count);
  for (int n = 0; n < p.count; ++n) {
    const float previous = p.streams[n].slot->previous;
    const float* entry = s.entry + (std::int64_t{n} * block_samples + p.t) * units;
    for (int u = 0; u < units; u += lanes) {
      Floats a = load(activation.at[n] + u);
      if (at) store(activation.at[n] + u, a = mul_add(all(previous), load(row + u), a));
      store(hidden.at[n] + u, sigmoid(a + load(entry + u)));
    }
  }
  fill(drawn, m.nade.output->outputs, 0.0f);
  dense(m.nade.output[at], hidden, drawn, drawn);
  return drawn;
}

// The same, the last sample kept for the next frame too.
inline Rows step_nade(const Model& m, const Scratch& s, const Place& p, const Rows& activation, int at) {
  for (int n = 0; at && n < p.count; ++n) past_frame(m, p.streams[n])[at - 1] = p.streams[n].slot->previous;
  return step_conditional(m, s, p, activation, at);
}

} // namespace ostinato::inline OSTINATO_ISA
