// One vector of float32 and the few operations that differ between instruction sets.
//
// Everything else is written with the compiler's vector extension. `mul_add` is the one place where a product and a
// sum meet. For float32 weights it is fused where the instruction set has it, two roundings in the portable build; for
// int8 weights it is two roundings everywhere, so that all instruction sets draw the same bits. Contraction by the
// compiler is switched off, so no other sum is ever fused and every tile width rounds alike.
#pragma once

#include "isa.hpp"

#include <cstdint>
#if OSTINATO_LANES > 4
#include <immintrin.h>
#endif

namespace ostinato::inline OSTINATO_ISA {

constexpr int lanes = OSTINATO_LANES;
typedef float Floats __attribute__((vector_size(4 * OSTINATO_LANES)));
typedef std::int32_t Ints __attribute__((vector_size(4 * OSTINATO_LANES)));
typedef std::uint32_t Turns __attribute__((vector_size(4 * OSTINATO_LANES))); // 2^32 a turn; sums wrap

OSTINATO_INLINE Floats load(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

OSTINATO_INLINE Ints load(const std::int32_t* from) {
  Ints v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

OSTINATO_INLINE Turns load(const std::uint32_t* from) {
  Turns v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

OSTINATO_INLINE void store(float* to, Floats v) { __builtin_memcpy(to, &v, sizeof v); }
OSTINATO_INLINE void store(std::int32_t* to, Ints v) { __builtin_memcpy(to, &v, sizeof v); }

OSTINATO_INLINE Floats as_floats(Ints v) { return reinterpret_cast<Floats>(v); }
OSTINATO_INLINE Ints as_ints(Floats v) { return reinterpret_cast<Ints>(v); }
OSTINATO_INLINE Floats to_floats(Ints v) { return __builtin_convertvector(v, Floats); }

#if OSTINATO_LANES == 16
OSTINATO_INLINE Floats all(float x) { return _mm512_set1_ps(x); }
OSTINATO_INLINE Floats greater(Floats a, Floats b) { return _mm512_max_ps(a, b); }
OSTINATO_INLINE Floats lesser(Floats a, Floats b) { return _mm512_min_ps(a, b); }
#elif OSTINATO_LANES == 8
OSTINATO_INLINE Floats all(float x) { return _mm256_set1_ps(x); }
OSTINATO_INLINE Floats greater(Floats a, Floats b) { return _mm256_max_ps(a, b); }
OSTINATO_INLINE Floats lesser(Floats a, Floats b) { return _mm256_min_ps(a, b); }
#else
OSTINATO_INLINE Floats all(float x) { return Floats{x, x, x, x}; }
OSTINATO_INLINE Floats greater(Floats a, Floats b) { return a > b ? a : b; }
OSTINATO_INLINE Floats lesser(Floats a, Floats b) { return a < b ? a : b; }
#endif

#if defined(OSTINATO_INT8) || OSTINATO_LANES == 4
OSTINATO_INLINE Floats mul_add(Floats a, Floats b, Floats c) { return a * b + c; }
#elif OSTINATO_LANES == 16
OSTINATO_INLINE Floats mul_add(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
#else
OSTINATO_INLINE Floats mul_add(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
#endif

// Keeps a value in a register. Left alone, gcc loads a weight anew from memory for every row that multiplies it.
OSTINATO_INLINE void hold(Floats& v) {
#if defined(__x86_64__)
  __asm__("" : "+v"(v));
#else
  (void)v;
#endif
}

OSTINATO_INLINE Floats clamp(Floats v, float low, float high) { return lesser(greater(v, all(low)), all(high)); }

} // namespace ostinato::inline OSTINATO_ISA
