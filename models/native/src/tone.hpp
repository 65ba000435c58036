// The tone: what controls and phase alone decide of a sample, and the scale of what is left; as models/tone.py.
#pragma once

#include "functions.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float loudest = 0.7f, quietest_scale = -12.0f, widest_scale = -2.3f; // natural logs

// Levels, phases and scales of a hop, from the last hidden layer of the control network: into scratch.amplitudes.
inline void state_tone(const Model& m, const Scratch& s, const Rows& hidden) {
  const Rows stated = evenly(s.amplitudes, m.tone.outputs, hidden.count);
  fill(stated, m.tone.outputs, 0.0f);
  dense(m.tone, hidden, stated, stated);
}

// Amplitudes in place of levels and phases. Lanes past the harmonics hold what nobody reads.
inline void sound_tone(const Model& m, const Scratch& s, int count) {
  for (int n = 0; n < count; ++n) {
    float* row = s.amplitudes + std::int64_t{n} * m.tone.outputs;
    for (int k = 0; k < m.tone_row; k += lanes) {
      const Floats level = exp(lesser(load(row + k), all(loudest)));
      const SineCosine phase = sine_cosine_of_radians(load(row + m.tone_row + k));
      store(row + k, -level * phase.sine);
      store(row + m.tone_row + k, level * phase.cosine);
    }
    const Floats log_scale = clamp(all(row[2 * m.tone_row]), quietest_scale, widest_scale);
    s.held[n].log_scale = log_scale[0];
    s.held[n].scale = exp(log_scale)[0];
    s.held[n].inverse_scale = exp(-log_scale)[0];
  }
}

// What the amplitudes before and those now make of the same waves, sample by sample of a block.
struct TwoTones {
  static constexpr int vectors = block_samples / lanes;
  Floats before[vectors]{}, now[vectors]{};

  OSTINATO_INLINE void add(int v, const SineCosine& wave, const float* from, const float* to, int row) {
    before[v] = mul_add(wave.sine, all(from[0]), mul_add(wave.cosine, all(from[row]), before[v]));
    now[v] = mul_add(wave.sine, all(to[0]), mul_add(wave.cosine, all(to[row]), now[v]));
  }

  // Gliding over the hop from the one to the other; the block starts `first` samples into it.
  OSTINATO_INLINE void glide(int first, int hop, float* tone) const {
    alignas(64) float there[block_samples];
    for (int t = 0; t < block_samples; ++t) there[t] = static_cast<float>(first + t + 1) / static_cast<float>(hop);
    for (int v = 0; v < vectors; ++v) {
      const Floats w = load(there + v * lanes);
      store(tone + v * lanes, mul_add(now[v], w, before[v] * (1.0f - w)));
    }
  }
};

// Head parameters of what is left -> of the sample: means, then log-scales, lie last.
OSTINATO_INLINE void place(const Model& m, const Held& held, float tone, float* parameters) {
  const int count = m.head == HeadKind::logistics ? m.components : 1;
  float* means = parameters + m.parameters - 2 * count;
  for (int i = 0; i < count; ++i) {
    means[i] = tone + held.scale * means[i];
    means[count + i] = held.log_scale + means[count + i];
  }
}

// The next hop glides from where this one ends.
inline void keep_amplitudes(const Model& m, const Scratch& s, const Stream* streams, int count) {
  for (int n = 0; n < count; ++n)
    for (int k = 0; k < 2 * m.tone_row; k += lanes)
      store(streams[n].amplitudes + k, load(s.amplitudes + std::int64_t{n} * m.tone.outputs + k));
}

} // namespace ostinato::inline OSTINATO_ISA
