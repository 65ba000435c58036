// Whole numbers in place of float32: levels of activations, and the products of levels and weights.
//
// An activation x becomes the level nearest to x times its layer's levels a unit, ties to even. Products are summed in
// 32 bits, which hold every sum exactly: no order of summing, no width of a tile and no instruction set changes a bit.
// A multiplication takes `together` levels of a stream, one 32-bit word, at every lane: four of 8 bits where there is
// VNNI, whose first operand has no sign and so is raised by 128; else two of 16 bits, because the pairwise product of
// 8 bits saturates. What raising adds to a sum is taken off where the sum starts.
#pragma once

#include "vector.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace ostinato::inline OSTINATO_ISA {

typedef std::int8_t Bytes __attribute__((vector_size(OSTINATO_LANES)));
typedef std::int16_t Shorts __attribute__((vector_size(2 * OSTINATO_LANES)));
typedef std::int16_t Pairs __attribute__((vector_size(4 * OSTINATO_LANES)));
typedef std::int8_t BytePairs __attribute__((vector_size(2 * OSTINATO_LANES)));

#if OSTINATO_LANES == 16
using Level = std::uint8_t; // raised by 128
constexpr int raised = 128;
#else
using Level = std::int16_t;
constexpr int raised = 0;
#endif

template <class Number> // of a level or of a head's weight
constexpr int together = sizeof(std::int32_t) / sizeof(Number);

// One word of levels at every lane.
template <class Number>
OSTINATO_INLINE Ints word(const Number* levels) {
  std::int32_t word;
  __builtin_memcpy(&word, levels, sizeof word);
  return Ints{} + word;
}

// Sum of the products of 16-bit halves.
OSTINATO_INLINE Ints dot_of_pairs(Ints sum, Ints x, Ints w) {
#if OSTINATO_LANES == 16
  return reinterpret_cast<Ints>(_mm512_dpwssd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(x),
                                                    reinterpret_cast<__m512i>(w)));
#elif OSTINATO_LANES == 8
  return sum + reinterpret_cast<Ints>(_mm256_madd_epi16(reinterpret_cast<__m256i>(x), reinterpret_cast<__m256i>(w)));
#elif defined(__SSE2__)
  return sum + reinterpret_cast<Ints>(_mm_madd_epi16(reinterpret_cast<__m128i>(x), reinterpret_cast<__m128i>(w)));
#else
  return sum + ((x << 16) >> 16) * ((w << 16) >> 16) + (x >> 16) * (w >> 16);
#endif
}

// How weights of each width are loaded, a word at every lane, and multiplied.
OSTINATO_INLINE Ints weights(const std::int16_t* from) {
  Ints v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

OSTINATO_INLINE Ints weights(const std::int8_t* from) {
#if OSTINATO_LANES == 16
  Ints v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
#elif OSTINATO_LANES == 8
  return reinterpret_cast<Ints>(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#elif defined(__SSE2__)
  const __m128i v = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return reinterpret_cast<Ints>(_mm_srai_epi16(_mm_unpacklo_epi8(v, v), 8));
#else
  BytePairs v;
  __builtin_memcpy(&v, from, sizeof v);
  return reinterpret_cast<Ints>(__builtin_convertvector(v, Pairs));
#endif
}

template <class Weight>
OSTINATO_INLINE Ints dot(Ints sum, Ints x, Ints w) {
#if OSTINATO_LANES == 16
  if constexpr (sizeof(Weight) == 1)
    return reinterpret_cast<Ints>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), reinterpret_cast<__m512i>(x),
                                                      reinterpret_cast<__m512i>(w)));
#endif
  return dot_of_pairs(sum, x, w);
}

// Levels in the low bits of each lane: rounded by a float whose last bit is worth 1.
template <int Raised = 0>
OSTINATO_INLINE Ints levels(Floats x, float a_unit, float top) {
  return as_ints(clamp(x * a_unit, -top, top) + (12582912.0f + Raised)); // 1.5 * 2^23
}

// Their low 16 and 8 bits. gcc 12 converts such vectors lane by lane, so this is spelled out.
OSTINATO_INLINE Shorts low_shorts(Ints v) {
#if OSTINATO_LANES == 16
  return reinterpret_cast<Shorts>(_mm512_cvtepi32_epi16(reinterpret_cast<__m512i>(v)));
#elif OSTINATO_LANES == 8
  const __m256i signs = reinterpret_cast<__m256i>((v << 16) >> 16); // within 16 bits, so that packing keeps them
  return reinterpret_cast<Shorts>(_mm_packs_epi32(_mm256_castsi256_si128(signs), _mm256_extracti128_si256(signs, 1)));
#else
  return __builtin_convertvector(v, Shorts);
#endif
}

OSTINATO_INLINE Bytes low_bytes(Ints v) {
#if OSTINATO_LANES == 16
  return reinterpret_cast<Bytes>(_mm512_cvtepi32_epi8(reinterpret_cast<__m512i>(v)));
#elif OSTINATO_LANES == 8
  const __m128i narrow = reinterpret_cast<__m128i>(low_shorts((v << 24) >> 24));
  return reinterpret_cast<Bytes>(_mm_cvtsi128_si64(_mm_packs_epi16(narrow, narrow)));
#else
  return __builtin_convertvector(v, Bytes);
#endif
}

OSTINATO_INLINE void store_levels(std::int16_t* to, Ints levels) {
  const Shorts narrow = low_shorts(levels);
  __builtin_memcpy(to, &narrow, sizeof narrow);
}

OSTINATO_INLINE void store_levels(std::uint8_t* to, Ints levels) {
  const Bytes narrow = low_bytes(levels);
  __builtin_memcpy(to, &narrow, sizeof narrow);
}

// Raised levels into a ring, where they lie as they are.
OSTINATO_INLINE void store_in_ring(std::int8_t* to, Ints levels) {
  const Bytes narrow = low_bytes(levels) ^ static_cast<std::int8_t>(-raised);
  __builtin_memcpy(to, &narrow, sizeof narrow);
}

typedef std::int8_t Line __attribute__((vector_size(16)));
typedef std::int16_t Wide __attribute__((vector_size(32)));

// Rows of a ring, the same bytes for every instruction set, as levels that can be multiplied; `count` in sixteens.
OSTINATO_INLINE void raise(const std::int8_t* row, Level* to, int count) {
  for (int c = 0; c < count; c += 16) {
    Line v;
    __builtin_memcpy(&v, row + c, sizeof v);
    if constexpr (raised) {
      v ^= static_cast<std::int8_t>(-128);
      __builtin_memcpy(to + c, &v, sizeof v);
    } else {
      const Wide wide = __builtin_convertvector(v, Wide);
      __builtin_memcpy(to + c, &wide, sizeof wide);
    }
  }
}

// The other way.
OSTINATO_INLINE void lower(const Level* levels, std::int8_t* row, int count) {
  for (int c = 0; c < count; c += 16) {
    if constexpr (raised) {
      Line v;
      __builtin_memcpy(&v, levels + c, sizeof v);
      v ^= static_cast<std::int8_t>(-128);
      __builtin_memcpy(row + c, &v, sizeof v);
    } else {
      for (int i = c; i < c + 16; ++i) row[i] = static_cast<std::int8_t>(levels[i]);
    }
  }
}

} // namespace ostinato::inline OSTINATO_ISA
