// Double-precision functions of a control frame, the same on every instruction set.
//
// They run once per hop, so plain scalar code without fused sums is fast enough; a library's exp2 may round
// differently from one machine to the next, and the phase would follow it.
#pragma once

#include "isa.hpp"

#include <cstdint>

namespace ostinato::inline OSTINATO_ISA {

// 2^x for x held to [-1000, 1000]; NaN gives 0.
inline double exp2(double x) {
  if (!(x > -1000.0)) return 0.0;
  if (x > 1000.0) x = 1000.0;
  const std::int64_t n = static_cast<std::int64_t>(x + (x < 0 ? -0.5 : 0.5));
  const double r = (x - static_cast<double>(n)) * 0.69314718055994530942;
  double sum = 1.0;
  for (int k = 14; k > 0; --k) sum = 1.0 + sum * r / k; // Taylor's; r <= 0.35, so 14 terms reach 1e-18
  const std::uint64_t bits = static_cast<std::uint64_t>(n + 1023) << 52;
  double scale;
  __builtin_memcpy(&scale, &bits, sizeof scale);
  return sum * scale;
}

inline double exp(double x) { return exp2(x * 1.4426950408889634074); }

// Hz of a MIDI note, held below half the sample rate; as models/excitation.py.
inline double frequency(float note, int sample_rate) {
  const double hertz = 440.0 * exp2((static_cast<double>(note) - 69.0) / 12.0), highest = 0.49 * sample_rate;
  return hertz < highest ? hertz : highest;
}

// Phase step per sample, 2^64 a turn.
inline std::uint64_t increment(double hertz, int sample_rate) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(hertz / sample_rate * 0x1p64));
}

} // namespace ostinato::inline OSTINATO_ISA
