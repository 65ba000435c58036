// What a head says of values, not only a draw: what exact speculation weighs a proposal by, and draws instead of one.
//
// A value is what a draw yields before it becomes a sample: a 16-bit level of a mixture of logistics, a Gaussian's
// value before it is held within the amplitude, the index of a mu-law level.
#pragma once

#include "heads.hpp"

#include <algorithm>
#include <cmath>

namespace ostinato::inline OSTINATO_ISA {

constexpr int most_components = 64;
constexpr float a_level = 1.0f / levels_of_16_bits;
constexpr float narrowest = 1e-10f;       // scales below this, as at temperature 0, are taken as this
constexpr float farthest_logit = 17.0f;   // beyond every logit of a uniform of 23 bits
constexpr double farthest_normal = 8.0;   // beyond every normal that is made of two of them

OSTINATO_INLINE int padded_components(int count) { return (count + pad_outputs - 1) / pad_outputs * pad_outputs; }

struct Density {
  const Model* model;
  float* parameters; // of mu-law: the probabilities of its levels
  float temperature;
  alignas(64) float weight[most_components], mean[most_components]; // of components; a Gaussian is the only one
  alignas(64) float inverse[most_components]; // 1 / scale
  alignas(64) float inner[most_components];   // 1 - exp(-level / scale)
};

// 1 - e^-x, x > 0, without the loss of small ones.
OSTINATO_INLINE Floats one_minus_exp_of_minus(Floats x) {
  const Floats few = x * (1.0f - x * (0.5f - x * (1.0f / 6.0f - x * (1.0f / 24.0f))));
  const Floats plain = 1.0f - exp(-x);
  Floats chosen;
  for (int i = 0; i < lanes; ++i) chosen[i] = x[i] < 0.05f ? few[i] : plain[i];
  return chosen;
}

// Logits [count], on whole lines, -> softmax(logits / temperature); padding becomes 0.
inline void soften(const float* logits, float* to, int count, float temperature) {
  const Floats cold = all(temperature > coldest ? temperature : coldest);
  const int lines = (count + pad_outputs - 1) / pad_outputs;
  for (int i = 0; i < lines * pad_outputs; ++i) to[i] = logits[i < count ? i : 0];
  const float largest = largest_of(to, lines);
  float sum = 0.0f;
  for (int i = 0; i < lines * pad_outputs; i += lanes) store(to + i, exp((load(to + i) - largest) / cold));
  for (int i = count; i < lines * pad_outputs; ++i) to[i] = 0.0f;
  for (int line = 0; line < lines; ++line) sum += sum_of_line(to + line * pad_outputs);
  for (int i = 0; i < lines * pad_outputs; i += lanes) store(to + i, load(to + i) / all(sum));
}

// `parameters` stay the density's for as long as it is used, and may be overwritten.
inline void weigh(const Model& m, float* parameters, float temperature, Density& d) {
  d.model = &m;
  d.parameters = parameters;
  d.temperature = temperature;
  if (m.head == HeadKind::mu_law) return soften(parameters, parameters, m.parameters, temperature);
  const int count = m.head == HeadKind::logistics ? m.components : 1;
  const int width = padded_components(count);
  const float* means = parameters + m.parameters - 2 * count;
  alignas(64) float log_scale[most_components];
  for (int i = 0; i < width; ++i) {
    d.mean[i] = means[i < count ? i : 0];
    const float stated = means[count + (i < count ? i : 0)];
    log_scale[i] = stated > m.log_scale_min ? stated : m.log_scale_min;
  }
  for (int i = 0; i < width; i += lanes) {
    const Floats scale = greater(exp(load(log_scale + i)) * temperature, all(narrowest));
    store(d.inverse + i, 1.0f / scale);
    if (m.head == HeadKind::logistics) store(d.inner + i, one_minus_exp_of_minus(a_level / scale));
  }
  if (m.head == HeadKind::logistics) soften(parameters, d.weight, count, temperature);
}

// The probability of a value; of a Gaussian the density, times the root of 2 pi.
OSTINATO_INLINE float probability(const Density& d, float value) {
  const Model& m = *d.model;
  if (m.head == HeadKind::mu_law) return d.parameters[static_cast<int>(value)];
  if (m.head == HeadKind::gaussian) {
    const float z = (value - d.mean[0]) * d.inverse[0];
    return d.inverse[0] * exp(all(-0.5f * z * z))[0];
  }
  const bool bottom = value <= -m.amplitude, top = value >= m.amplitude - a_level;
  alignas(64) float share[most_components];
  const int width = padded_components(m.components);
  for (int i = 0; i < width; i += lanes) {
    const Floats mean = load(d.mean + i), inverse = load(d.inverse + i);
    const Floats low = (value - 0.5f * a_level - mean) * inverse, high = (value + 0.5f * a_level - mean) * inverse;
    Floats mass = load(d.weight + i);
    if (!top) mass = mass / (1.0f + exp(-high));
    if (!bottom) mass = mass / (1.0f + exp(low));
    if (!top && !bottom) mass = mass * load(d.inner + i);
    store(share + i, mass);
  }
  float sum = 0.0f;
  for (int line = 0; line < width; line += pad_outputs) sum += sum_of_line(share + line);
  return sum;
}

// A value drawn by max(0, p - q) among those listed: level(i), i < count. The last where rounding leaves none.
template <class Level>
inline float enumerate(const Density& p, const Density& q, int count, double uniform, Level level) {
  const auto left = [&](int i) {
    const float rest = probability(p, level(i)) - probability(q, level(i));
    return rest > 0.0f ? static_cast<double>(rest) : 0.0;
  };
  double total = 0.0, sum = 0.0;
  for (int i = 0; i < count; ++i) total += left(i);
  for (int i = 0; i < count; ++i)
    if ((sum += left(i)) > uniform * total) return level(i);
  return level(count - 1);
}

// Of the levels that a draw of p can reach.
inline float enumerate_levels(const Density& p, const Density& q, double uniform) {
  const Model& m = *p.model;
  float low = m.amplitude, high = -m.amplitude;
  for (int i = 0; i < m.components; ++i) {
    const float reach = farthest_logit / p.inverse[i];
    low = p.mean[i] - reach < low ? p.mean[i] - reach : low;
    high = p.mean[i] + reach > high ? p.mean[i] + reach : high;
  }
  const float first = quantise(low, m.amplitude), last = quantise(high, m.amplitude);
  const int count = static_cast<int>((last - first) * levels_of_16_bits) + 1;
  return enumerate(p, q, count, uniform, [first](int i) { return first + static_cast<float>(i) * a_level; });
}

// The standard normal's distribution function, by its series (Marsaglia 2004).
inline double normal_below(double x) {
  if (x < -farthest_normal) return 0.0;
  if (x > farthest_normal) return 1.0;
  double sum = x, term = x;
  for (int i = 3; sum + term != sum; i += 2) sum += (term *= x * x / i);
  return 0.5 + sum * std::exp(-0.5 * x * x - 0.91893853320467274178);
}

// Of two Gaussians: where p lies above q is found from the logarithm of their ratio, a parabola, and the integral of
// p - q over those parts is inverted by halving.
inline float invert_gaussians(const Density& p, const Density& q, double uniform) {
  const double mp = p.mean[0], mq = q.mean[0], ip = p.inverse[0], iq = q.inverse[0];
  const double a = 0.5 * (iq * iq - ip * ip), b = ip * ip * mp - iq * iq * mq;
  const double c = 0.5 * (iq * iq * mq * mq - ip * ip * mp * mp) + std::log(ip / iq);
  const double first = mp - farthest_normal / ip, last = mp + farthest_normal / ip;
  double cut[4] = {first, first, last, last};
  const double root = b * b - 4.0 * a * c;
  if (a != 0.0 && root > 0.0) {
    const double s = 0.5 * (-b - std::copysign(std::sqrt(root), b));
    const double one = s / a, other = s != 0.0 ? c / s : one;
    cut[1] = std::clamp(one < other ? one : other, first, last);
    cut[2] = std::clamp(one < other ? other : one, first, last);
  } else if (a == 0.0 && b != 0.0) {
    cut[1] = cut[2] = std::clamp(-c / b, first, last);
  }
  const auto between = [&](double from, double to) {
    return normal_below((to - mp) * ip) - normal_below((from - mp) * ip) - normal_below((to - mq) * iq) +
           normal_below((from - mq) * iq);
  };
  const auto below = [&](double x) {
    double sum = 0.0;
    for (int i = 0; i < 3; ++i) {
      const double to = x < cut[i + 1] ? x : cut[i + 1];
      if (to > cut[i]) {
        const double whole = between(cut[i], cut[i + 1]);
        if (whole > 0.0) sum += between(cut[i], to);
      }
    }
    return sum;
  };
  const double target = uniform * below(last);
  double low = first, high = last;
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (below(middle) > target ? high : low) = middle;
  }
  return static_cast<float>(high);
}

} // namespace ostinato::inline OSTINATO_ISA
