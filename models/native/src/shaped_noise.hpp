// White noise through a filter that is stated once a hop by its cepstrum, gliding from the last one; as
// models/shaped_noise.py.
#pragma once

#include "functions.hpp"

namespace ostinato::inline OSTINATO_ISA {

// The impulse response h_0..h_{taps - 1} of the minimum-phase filter of gain `gain`. `slopes` are k c_k, c_1 first, on
// whole lines; `sums` is scratch of taps + count floats. Each h_n is added at once to every later one that needs it.
inline void impulse_response(const float* slopes, int count, float gain, int taps, float* sums, float* response) {
  for (int n = 0; n < taps + count; n += lanes) store(sums + n, Floats{});
  for (int n = 0; n < taps; ++n) {
    const float here = n ? sums[n] / static_cast<float>(n) : gain;
    response[n] = here;
    for (int k = 0; k < count; k += lanes)
      store(sums + n + 1 + k, mul_add(all(here), load(slopes + k), load(sums + n + 1 + k)));
  }
}

// A block of a hop through the filters at its two ends. `white` is the block's first sample; `taps` before it and
// block_samples from it on can be read.
OSTINATO_INLINE void shape_noise(const float* before, const float* now, int taps, const float* white, int first, int hop,
                                 float* shaped) {
  constexpr int vectors = block_samples / lanes;
  Floats from[vectors]{}, to[vectors]{};
  for (int tap = 0; tap < taps; ++tap)
    for (int v = 0; v < vectors; ++v) {
      const Floats noise = load(white + v * lanes - tap);
      from[v] = mul_add(all(before[tap]), noise, from[v]);
      to[v] = mul_add(all(now[tap]), noise, to[v]);
    }
  alignas(64) float there[block_samples];
  for (int t = 0; t < block_samples; ++t) there[t] = static_cast<float>(first + t + 1) / static_cast<float>(hop);
  for (int v = 0; v < vectors; ++v) {
    const Floats w = load(there + v * lanes);
    store(shaped + v * lanes, mul_add(to[v], w, from[v] * (1.0f - w)));
  }
}

} // namespace ostinato::inline OSTINATO_ISA
