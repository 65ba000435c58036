// Voices into one signal.
#pragma once

#include <cstddef>

namespace ostinato {

// out[t] = limit(sum over n of gains[n][t] * voices[n][t]), summed in the order of n. `gain_step` is 1 where each
// sample has its gain and 0 where a voice has one; `gain_row` is the distance between two voices' gains.
// One voice is held to [-1, 1]; more pass a memoryless limiter that is the identity up to 0.9.
void mix(const float* voices, const float* gains, std::size_t gain_row, std::size_t gain_step, float* out,
         std::size_t count, std::size_t samples);

} // namespace ostinato
