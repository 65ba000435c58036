// One affine coupling over frames: shift and log-scale of the half of a frame that it moves, from the half that it reads.
//
// As models/coupling.py. Which places are which is told by a bit of them: runs of 2^bit places are read and moved in
// turn. What it reads of a frame lies behind the same of the frames before, oldest first, as one row.
#pragma once

#include "functions.hpp"
#include "rows.hpp"

#include <cstring>

namespace ostinato::inline OSTINATO_ISA {

// Half of a frame's places, one after another: those that are moved, or those that are read. [hop] -> [hop / 2]
OSTINATO_INLINE void take_half(const Coupling& c, int hop, bool moved, const float* frame, float* half) {
  const int run = 1 << c.bit, first = (moved == c.moves_set) ? run : 0;
  for (int at = first; at < hop; at += 2 * run, half += run) std::memcpy(half, frame + at, sizeof(float) * run);
}

// The same back, into the places that are moved.
OSTINATO_INLINE void put_moved(const Coupling& c, int hop, const float* half, float* frame) {
  const int run = 1 << c.bit;
  for (int at = c.moves_set ? run : 0; at < hop; at += 2 * run, half += run)
    std::memcpy(frame + at, half, sizeof(float) * run);
}

// What each stream's coupling read of the frames before, then of this one: -> scratch.taps; remembers it for the next.
OSTINATO_INLINE Rows take_taps(const Model& m, const Scratch& s, const Stream* streams, int count, const Coupling& c) {
  const int half = m.hop / 2, before = m.flow.past_frames * half;
  const Rows taps = evenly(s.taps, c.read.inputs, count);
  for (int n = 0; n < count; ++n) {
    float* past = reinterpret_cast<float*>(streams[n].rings) + c.past;
    std::memcpy(taps.at[n], past, sizeof(float) * before);
    take_half(c, m.hop, false, s.left + std::int64_t{n} * m.hop, taps.at[n] + before);
    std::memcpy(past, taps.at[n] + half, sizeof(float) * before);
  }
  return taps;
}

// Shift and log-scale of every stream: rows of twice the padded half.
inline Rows affine_of(const Model& m, const Scratch& s, const Stream* streams, int count, const Coupling& c) {
  const int units = m.flow.units, lines = m.flow.lines, half = m.flow.half;
  const Rows taps = take_taps(m, s, streams, count, c);
  const Rows stated = evenly(s.condition + c.condition, m.condition.outputs, count);
  const Rows read = evenly(s.read_of_taps, c.read.outputs, count), affine = evenly(s.affine, 2 * half, count);
  dense(c.read, taps, stated, read); // the gate's filter, the gate, lines, what is read directly
  for (int n = 0; n < count; ++n) {
    float* row = read.at[n];
    const float* gains = stated.at[n] + c.read.outputs;
    const float* log_scales = gains + lines;
    for (int u = 0; u < units; u += lanes) store(row + u, gate(load(row + u), load(row + units + u)));
    for (int l = 0; l < lines; l += lanes) {
      float* line = row + 2 * units + l;
      store(line, load(line) * load(gains + l));
    }
    for (int i = 0; i < half; i += lanes) {
      store(affine.at[n] + i, load(row + 2 * units + lines + i));
      store(affine.at[n] + half + i, load(log_scales + i));
    }
  }
  dense(c.output, read, affine, affine);
  dense(c.shift, evenly(s.read_of_taps + 2 * units, c.read.outputs, count), affine, affine);
  return affine;
}

} // namespace ostinato::inline OSTINATO_ISA
