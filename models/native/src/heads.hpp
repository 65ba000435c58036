// One draw from head parameters, as models/heads.py: mu-law levels, mixture of logistics, Gaussian.
//
// What depends on the noise alone (logits, Box and Muller's normal) is taken for a block at once beforehand.
#pragma once

#include "functions.hpp"
#include "model.hpp"
#include "philox.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float coldest = 1e-4f; // temperatures below this are taken as this
constexpr float levels_of_16_bits = 32768.0f;

OSTINATO_INLINE Floats logit(Floats u) { return log(u) - log(1.0f - u); }

// Standardised deviation from a component's centre: for logistics the logit of the second uniform, for a Gaussian
// Box and Muller's normal of both. Where there are two components, what chooses between them is the logit of the
// first. Arrays of block_samples.
OSTINATO_INLINE void spread_of(const Model& m, float* choice, const float* second, float* spread) {
  for (int t = 0; t < block_samples; t += lanes) {
    const Floats u = load(choice + t), v = load(second + t);
    if (m.head == HeadKind::logistics) {
      store(spread + t, logit(v));
      if (m.components == 2) store(choice + t, logit(u));
    } else if (m.head == HeadKind::gaussian) {
      const Floats square = log(u) * -2.0f;
      Floats radius;
      for (int i = 0; i < lanes; ++i) radius[i] = __builtin_sqrtf(square[i]);
      store(spread + t, radius * sine_cosine(__builtin_convertvector(v * 16777216.0f, Ints)).cosine);
    } else {
      store(spread + t, Floats{});
    }
  }
}

// The draws of a block, samples from `clock` on: what chooses, and spreads.
inline void draw_noise(const Model& m, const Slot& slot, Purpose purpose, float* choice, float* spread) {
  alignas(64) float second[block_samples];
  for (int t = 0; t < block_samples; ++t) {
    const Words words = philox(slot.key, static_cast<std::uint64_t>(slot.clock + t), 0, purpose);
    choice[t] = uniform(words.at[0]);
    second[t] = uniform(words.at[1]);
  }
  spread_of(m, choice, second, spread);
}

// Sum of a line of 16, by halves, the same on every instruction set.
OSTINATO_INLINE float sum_of_line(const float* line) {
  typedef float Quad __attribute__((vector_size(16)));
  Quad q[4];
  __builtin_memcpy(q, line, sizeof q);
  const Quad sum = (q[0] + q[2]) + (q[1] + q[3]);
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

OSTINATO_INLINE float largest_of(const float* logits, int lines) {
  Floats largest = load(logits);
  for (int i = lanes; i < lines * pad_outputs; i += lanes) largest = greater(largest, load(logits + i));
  float found = largest[0];
  for (int i = 1; i < lanes; ++i) found = largest[i] > found ? largest[i] : found;
  return found;
}

// Index from softmax(logits / temperature) where the running sum passes the uniform. Logits end on a whole 64-byte
// line, and are overwritten. Sums run over lines of 16 first, then within the line that holds the draw; the lines and
// levels that they have not passed are counted, not searched, so that no branch depends on the draw.
OSTINATO_INLINE int choose(float* logits, int count, float uniform, float temperature) {
  const Floats cold = all(temperature > coldest ? temperature : coldest);
  const int lines = (count + pad_outputs - 1) / pad_outputs;
  for (int i = count; i < lines * pad_outputs; ++i) logits[i] = logits[0];
  const float largest = largest_of(logits, lines);
  for (int i = 0; i < lines * pad_outputs; i += lanes)
    store(logits + i, exp((load(logits + i) - largest) / cold));
  for (int i = count; i < lines * pad_outputs; ++i) logits[i] = 0.0f;
  alignas(64) float before[65536 / pad_outputs + 1];
  before[0] = 0.0f;
  for (int line = 0; line < lines; ++line) before[line + 1] = before[line] + sum_of_line(logits + line * pad_outputs);
  const float target = uniform * before[lines];
  int line = 0;
  for (int i = 1; i < lines; ++i) line += before[i] <= target;
  float sum = before[line];
  int at = line * pad_outputs;
  for (int i = 0; i + 1 < pad_outputs; ++i) {
    sum += logits[line * pad_outputs + i];
    at += !(sum > target);
  }
  return at < count ? at : count - 1;
}

// Nearest 16-bit level, ties to even, within the amplitude.
OSTINATO_INLINE float quantise(float sample, float amplitude) {
  float level = sample * levels_of_16_bits;
  level = level > -131072.0f ? level : -131072.0f; // well outside any amplitude; NaN too
  level = level < 131072.0f ? level : 131072.0f;
  level = (level + 12582912.0f) - 12582912.0f;
  const float held = level / levels_of_16_bits, top = amplitude - 1.0f / levels_of_16_bits;
  return held < -amplitude ? -amplitude : (held > top ? top : held);
}

OSTINATO_INLINE float scale_of(const Model& m, float log_scale) {
  return exp(all(log_scale > m.log_scale_min ? log_scale : m.log_scale_min))[0];
}

// The component that a draw falls into. Of two, the first where sigmoid of the difference of their logits exceeds the
// uniform: both sides' logits are compared, and no exponential is taken.
OSTINATO_INLINE int component_of(const Model& m, const float* parameters, float choice, float temperature) {
  if (m.components == 1) return 0;
  if (m.components == 2) {
    const float cold = temperature > coldest ? temperature : coldest;
    return !(parameters[0] - parameters[1] > choice * cold);
  }
  alignas(64) float logits[64] = {};
  for (int i = 0; i < m.components; ++i) logits[i] = parameters[i];
  return choose(logits, m.components, choice, temperature);
}

// A value, that `sample_of` makes a sample. `parameters` end on a whole 64-byte line and may be overwritten.
OSTINATO_INLINE float draw_value(const Model& m, float* parameters, float choice, float spread, float temperature) {
  switch (m.head) {
    case HeadKind::mu_law:
      return static_cast<float>(choose(parameters, m.parameters, choice, temperature));
    case HeadKind::logistics: {
      const int count = m.components;
      const int component = component_of(m, parameters, choice, temperature);
      const float mean = parameters[count + component], scale = scale_of(m, parameters[2 * count + component]);
      return quantise(mean + scale * temperature * spread, m.amplitude);
    }
    case HeadKind::gaussian:
      return parameters[0] + scale_of(m, parameters[1]) * temperature * spread;
  }
  return 0.0f;
}

// In the model's domain.
OSTINATO_INLINE float sample_of(const Model& m, float value) {
  if (m.head == HeadKind::mu_law) return m.levels[static_cast<int>(value)];
  if (m.head == HeadKind::logistics) return value;
  const float held = value > -m.amplitude ? value : -m.amplitude; // NaN too
  return held < m.amplitude ? held : m.amplitude;
}

OSTINATO_INLINE float draw(const Model& m, float* parameters, float choice, float spread, float temperature) {
  return sample_of(m, draw_value(m, parameters, choice, spread, temperature));
}

} // namespace ostinato::inline OSTINATO_ISA
