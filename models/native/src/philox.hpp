// Counter-based noise, bit for bit that of models/noise.py: Philox 4x32-10 (Salmon et al. 2011).
//
// A draw depends on (voice key, sample since reset, draw) alone, so no state is kept and none has to be saved.
#pragma once

#include "isa.hpp"

#include <cstdint>

namespace ostinato::inline OSTINATO_ISA {

enum class Purpose : std::uint32_t { sample = 0, phase = 1, key = 2, proposal = 3, residual = 4, latent = 5 };

struct Words {
  std::uint32_t at[4];
};

OSTINATO_INLINE Words philox(std::uint64_t key, std::uint64_t sample, std::uint32_t block, Purpose purpose) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  std::uint32_t c0 = static_cast<std::uint32_t>(sample), c1 = static_cast<std::uint32_t>(sample >> 32);
  std::uint32_t c2 = block, c3 = static_cast<std::uint32_t>(purpose);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c0, p1 = std::uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(p1);
    c2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

// In (0, 1), held exactly by float32: (top 23 bits + 1/2) / 2^23.
OSTINATO_INLINE float uniform(std::uint32_t word) {
  return (static_cast<float>(word >> 9) + 0.5f) * 0x1p-23f;
}

OSTINATO_INLINE std::uint64_t word_pair(std::uint64_t key, std::uint64_t index, Purpose purpose) {
  const Words words = philox(key, index, 0, purpose);
  return words.at[0] | std::uint64_t{words.at[1]} << 32;
}

} // namespace ostinato::inline OSTINATO_ISA
