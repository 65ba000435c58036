// Where a group of streams stands in a block, and how far ahead of it a layer's past can be taken.
#pragma once

#include "model.hpp"

namespace ostinato::inline OSTINATO_ISA {

// `t` samples into a block of `samples`, the clock of each slot being that of the block's start.
struct Place {
  const Stream* streams;
  int count;
  int t;
  int samples;
};

// How many samples ahead the past taps of a layer are taken.
OSTINATO_INLINE int ahead(int dilation, int streams) {
  const int fit = streams < ahead_rows ? ahead_rows / streams : 1;
  return dilation < fit ? dilation : fit;
}

} // namespace ostinato::inline OSTINATO_ISA
