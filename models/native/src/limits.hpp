// What this machine reaches at best: how fast it reads memory, and how fast it multiplies what lies in registers.
//
// A limit is the fastest of many short windows, since whatever else runs can only take time away. An empty `asm` between
// two operations costs nothing, and keeps the compiler from merging or dropping what has no other use.
#pragma once

#include "memory.hpp"
#ifdef OSTINATO_INT8
#include "integers.hpp"
#else
#include "vector.hpp"
#endif

#include <algorithm>
#include <array>
#include <chrono>

namespace ostinato::inline OSTINATO_ISA {

constexpr int limit_windows = 20;
constexpr int limit_places = 4;
constexpr double limit_window_seconds = 2e-3;
constexpr int limit_chains = 12; // sums at once: enough for two multipliers of 4 cycles, few enough for 16 registers

// The compiler may assume nothing of the value.
template <class Vector>
OSTINATO_INLINE void forget(Vector& v) {
#if defined(__x86_64__)
  __asm__ volatile("" : "+v"(v));
#elif defined(__aarch64__)
  __asm__ volatile("" : "+w"(v));
#else
  __asm__ volatile("" : "+m"(v));
#endif
}

// Most units a second, where pass() does `units` of work. One window sets how many passes make up the others.
template <class Pass>
double fastest_rate(double units, int windows, Pass pass) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [&](std::int64_t passes) {
    const auto began = Clock::now();
    for (std::int64_t i = 0; i < passes; ++i) pass();
    return std::chrono::duration<double>(Clock::now() - began).count();
  };
  std::int64_t passes = 1;
  while (seconds(passes) < limit_window_seconds / 2) passes *= 2;
  double best = 0;
  for (int window = 0; window < windows; ++window)
    best = std::max(best, units * static_cast<double>(passes) / seconds(passes));
  return best;
}

// Bytes a second of summing over so many bytes, at least 1, again and again. Which pages of memory lie in one
// set of a cache is luck, so several places are tried.
inline double read_rate(std::size_t bytes) {
  constexpr int at_once = 8; // vectors
  constexpr std::size_t step = at_once * lanes, step_bytes = step * sizeof(std::int32_t);
  const std::size_t count = (bytes + step_bytes - 1) / step_bytes * step;
  std::array<Memory, limit_places> places;
  double best = 0;
  for (Memory& place : places) {
    place = allocate(count * sizeof(std::int32_t));
    const auto* first = reinterpret_cast<const std::int32_t*>(place.get());
    const double rate = fastest_rate(sizeof(std::int32_t) * static_cast<double>(count), limit_windows / limit_places, [first, count] {
      Ints sum[at_once]{};
      for (std::size_t at = 0; at < count; at += step)
#pragma GCC unroll 8
        for (int v = 0; v < at_once; ++v) sum[v] += load(first + at + static_cast<std::size_t>(v) * lanes);
#pragma GCC unroll 8
      for (int v = 0; v < at_once; ++v) forget(sum[v]);
      __asm__ volatile("" ::: "memory"); // the next pass has to read again
    });
    best = std::max(best, rate);
  }
  return best;
}

#ifdef OSTINATO_INT8
using Sum = Ints;
constexpr int products_a_lane = together<Level>;
OSTINATO_INLINE Ints multiply(Ints sum, Ints x, Ints w) { return dot<std::int8_t>(sum, x, w); }
#else
using Sum = Floats;
constexpr int products_a_lane = 1;
OSTINATO_INLINE Floats multiply(Floats sum, Floats x, Floats w) { return mul_add(x, w, sum); }
#endif

// Multiply-adds a second: of float32, or of levels and weights of 8 bits.
inline double multiply_rate() {
  constexpr int steps = 1024;
  return fastest_rate(double{steps} * limit_chains * lanes * products_a_lane, limit_windows, [] {
    Sum sum[limit_chains]{}, x{}, w{};
    forget(w); // or products with zeros would be left out
    for (int i = 0; i < steps; ++i)
#pragma GCC unroll 12
      for (int chain = 0; chain < limit_chains; ++chain) {
        forget(x); // or one product would serve all sums
        sum[chain] = multiply(sum[chain], x, w);
      }
#pragma GCC unroll 12
    for (int chain = 0; chain < limit_chains; ++chain) forget(sum[chain]);
  });
}

} // namespace ostinato::inline OSTINATO_ISA
