// The part of the input layer that does not wait for the last sample: harmonics of the running phase, and the bias.
#pragma once

#include "functions.hpp"
#include "pitch.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr double audible = 0.45; // harmonics above this share of the sample rate are silent

// Harmonics of `count` samples from `phase` on: waves[sample][harmonic], sines then cosines, zero where inaudible.
OSTINATO_INLINE void write_waves(const Model& m, const Scratch& s, std::uint64_t phase, std::uint64_t step,
                                 double hertz) {
  alignas(64) std::int32_t angle[block_samples];
  alignas(64) float sine[block_samples], cosine[block_samples];
  for (int k = 1; k <= m.harmonics; ++k) {
    const bool heard = k * hertz <= audible * m.sample_rate;
    for (int t = 0; t < block_samples; ++t) {
      const std::uint64_t at = phase + static_cast<std::uint64_t>(t) * step;
      angle[t] = static_cast<std::int32_t>(at * static_cast<std::uint64_t>(k) >> 40);
    }
    for (int t = 0; t < block_samples; t += lanes) {
      const SineCosine wave = sine_cosine(load(angle + t));
      store(sine + t, heard ? wave.sine : Floats{});
      store(cosine + t, heard ? wave.cosine : Floats{});
    }
    for (int t = 0; t < block_samples; ++t) {
      s.waves[t * s.waves_row + k - 1] = sine[t];
      s.waves[t * s.waves_row + m.harmonics + k - 1] = cosine[t];
    }
  }
}

// Fills scratch.entry for a block of `samples`, and moves each phase past it.
inline void excite(const Model& m, const Scratch& s, const Stream* streams, int count, int frame, int samples) {
  for (int n = 0; n < count; ++n) {
    const Rows entry = evenly(s.entry + std::int64_t{n} * block_samples * m.residual, m.residual, samples);
    const double hertz = frequency(streams[n].controls[std::int64_t{frame} * frame_channels], m.sample_rate);
    const std::uint64_t step = increment(hertz, m.sample_rate);
    if (m.harmonics) write_waves(m, s, streams[n].slot->phase, step, hertz);
    fill(entry, m.residual, 0.0f);
    dense(m.excitation, evenly(s.waves, s.waves_row, samples), entry, entry);
    streams[n].slot->phase += step * static_cast<std::uint64_t>(samples);
  }
}

} // namespace ostinato::inline OSTINATO_ISA
