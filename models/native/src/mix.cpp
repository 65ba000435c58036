// Compiled once, without fused sums, so that a mix has the same bits on every instruction set.
#include "mix.hpp"

#include "pitch.hpp"

namespace ostinato {
namespace {

constexpr float knee = 0.9f;

float hold(float x) { return x < -1.0f ? -1.0f : (x > 1.0f ? 1.0f : x); }

// Identity up to the knee, then a tanh that nears 1: continuous, with a continuous slope.
float limit(float x) {
  const float size = x < 0.0f ? -x : x;
  if (!(size > knee)) return x;
  const double over = (static_cast<double>(size) - knee) / 0.1;
  const double e = exp(-2.0 * (over < 40.0 ? over : 40.0));
  const float held = static_cast<float>(knee + 0.1 * ((1.0 - e) / (1.0 + e)));
  const float bounded = held > 1.0f ? 1.0f : held;
  return x < 0.0f ? -bounded : bounded;
}

} // namespace

void mix(const float* voices, const float* gains, std::size_t gain_row, std::size_t gain_step, float* out,
         std::size_t count, std::size_t samples) {
  for (std::size_t t = 0; t < samples; ++t) out[t] = 0.0f;
  for (std::size_t n = 0; n < count; ++n)
    for (std::size_t t = 0; t < samples; ++t) out[t] += voices[n * samples + t] * gains[n * gain_row + t * gain_step];
  for (std::size_t t = 0; t < samples; ++t) out[t] = count > 1 ? limit(out[t]) : hold(out[t]);
}

} // namespace ostinato
