// Strategies that draw a whole hop at once: what is left beside the tone is known before its first sample is heard.
//
// As models/parallel.py. `Draw` fills scratch.left of every stream for one hop, and may change what scratch.amplitudes
// hold of its tone; it sees the clocks as they were before the hop.
#pragma once

#include "conditioning.hpp"
#include "excitation.hpp"
#include "tone.hpp"

namespace ostinato::inline OSTINATO_ISA {

// A block of the hop: its tone, what is left in its scale, and the inverse of pre-emphasis.
OSTINATO_INLINE void sound_block(const Model& m, const Scratch& s, const Stream* streams, int count, int frame,
                                 int first, int samples) {
  excite(m, s, streams, count, first, samples);
  for (int n = 0; n < count; ++n) {
    Slot& slot = *streams[n].slot;
    const float* left = s.left + std::int64_t{n} * m.hop + first;
    float* heard = streams[n].heard + std::int64_t{frame} * m.hop + first;
    const float* forced = streams[n].forced ? streams[n].forced + std::int64_t{frame} * m.hop + first : nullptr;
    for (int t = 0; t < samples; ++t) {
      const float sample = m.tone_harmonics ? s.tone[n * block_samples + t] + s.held[n].scale * left[t] : left[t];
      heard[t] = slot.output = forced ? forced[t] : sample + m.pre_emphasis * slot.output;
    }
    slot.clock += samples;
  }
}

template <class Draw>
void advance_at_once(const Model& m, const Scratch& s, const Stream* streams, int count, int frames) {
  for (int done = 0; done < count; done += group_streams) {
    const int group = count - done < group_streams ? count - done : group_streams;
    for (int frame = 0; frame < frames; ++frame) {
      steer(m, s, streams + done, group, frame);
      Draw{}(m, s, streams + done, group, frame);
      for (int first = 0; first < m.hop; first += block_samples) {
        const int samples = m.hop - first < block_samples ? m.hop - first : block_samples;
        sound_block(m, s, streams + done, group, frame, first, samples);
      }
      keep_amplitudes(m, s, streams + done, group);
    }
  }
}

} // namespace ostinato::inline OSTINATO_ISA
