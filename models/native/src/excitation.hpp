// What does not wait for the last sample: harmonics of the running phase, the tone that they make, and the input
// layer's share of them with its bias.
#pragma once

#include "functions.hpp"
#include "rows.hpp"
#include "tone.hpp"

namespace ostinato::inline OSTINATO_ISA {

// Harmonics of a block from the stream's phase on, the inaudible ones left out. The lowest go to waves[sample], sines
// then cosines, for the input layer; the tone is summed as they come and never lies in memory harmonic by harmonic.
OSTINATO_INLINE void take_waves(const Model& m, const Scratch& s, const Stream& stream, int n, int first) {
  constexpr int vectors = TwoTones::vectors;
  const Held& held = s.held[n];
  const float* now = s.amplitudes + std::int64_t{n} * m.tone.outputs;
  alignas(64) std::uint32_t start[block_samples];
  alignas(64) float sine[block_samples], cosine[block_samples];
  for (int t = 0; t < block_samples; ++t)
    start[t] = static_cast<std::uint32_t>((stream.slot->phase + static_cast<std::uint64_t>(t) * held.step) >> 32);
  Turns angle[vectors]{};
  TwoTones tones;
  for (int k = 0; k < held.heard; ++k) {
    for (int v = 0; v < vectors; ++v) {
      angle[v] += load(start + v * lanes);
      const SineCosine wave = sine_cosine(reinterpret_cast<Ints>(angle[v] >> 8));
      store(sine + v * lanes, wave.sine);
      store(cosine + v * lanes, wave.cosine);
      if (k < m.tone_harmonics) tones.add(v, wave, stream.amplitudes + k, now + k, m.tone_row);
    }
    for (int t = 0; k < m.harmonics && t < block_samples; ++t) {
      s.waves[t * s.waves_row + k] = sine[t];
      s.waves[t * s.waves_row + m.harmonics + k] = cosine[t];
    }
  }
  for (int k = held.heard; k < m.harmonics; ++k)
    for (int t = 0; t < block_samples; ++t)
      s.waves[t * s.waves_row + k] = s.waves[t * s.waves_row + m.harmonics + k] = 0.0f;
  tones.glide(first, m.hop, s.tone + n * block_samples);
}

// Fills scratch.tone and scratch.entry for a block of `samples`, `first` samples into the hop, and moves each phase
// past it.
inline void excite(const Model& m, const Scratch& s, const Stream* streams, int count, int first, int samples) {
  for (int n = 0; n < count; ++n) {
    const std::int64_t width = m.excitation.outputs;
    const Rows entry = evenly(s.entry + n * block_samples * width, width, samples);
    if (m.harmonics || m.tone_harmonics) take_waves(m, s, streams[n], n, first);
    fill(entry, m.excitation.outputs, 0.0f);
    dense(m.excitation, evenly(s.waves, s.waves_row, samples), entry, entry);
    streams[n].slot->phase += s.held[n].step * static_cast<std::uint64_t>(samples);
  }
}

} // namespace ostinato::inline OSTINATO_ISA
