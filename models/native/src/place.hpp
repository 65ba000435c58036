// Which samples of which streams go through the stack together, and how far ahead a layer's past can be taken.
#pragma once

#include "model.hpp"

namespace ostinato::inline OSTINATO_ISA {

// `t` samples into a block of `samples`, the clock of each slot being that of the block's start. A row is the same
// sample of the next stream, or in a window the next sample of the one stream.
struct Place {
  const Stream* streams;
  int count;
  int t;
  int samples;
  int across = 1, along = 0; // streams, and samples, from one row to the next

  OSTINATO_INLINE const Stream& stream(int n) const { return streams[n * across]; }
  OSTINATO_INLINE std::int64_t now(int n) const { return stream(n).slot->clock + t + n * along; }
};

OSTINATO_INLINE Place window(const Stream& stream, int samples) { return {&stream, samples, 0, samples, 0, 1}; }

// How many samples ahead the past taps of a layer are taken.
OSTINATO_INLINE int ahead(int dilation, int streams) {
  const int fit = streams < ahead_rows ? ahead_rows / streams : 1;
  return dilation < fit ? dilation : fit;
}

} // namespace ostinato::inline OSTINATO_ISA
