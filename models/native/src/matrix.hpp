// A matrix as every kernel reads it.
//
// Widths are padded so that every instruction set reads the same bytes: outputs to `pad_outputs` (one 64-byte line),
// inputs to `pad_inputs`. Padded weights and biases are zero, so padded lanes stay exactly zero through every layer.
#pragma once

#include <cstdint>

namespace ostinato {

constexpr int pad_outputs = 16;
constexpr int pad_inputs = 4;

// y = W x + b with W as [inputs][outputs]. `chains` independent sums, fixed by the shape alone, make up each output.
struct Matrix {
  const float* weights;
  const float* bias;
  std::int32_t inputs;  // padded
  std::int32_t outputs; // padded
  std::int32_t chains;  // 2 or 4
};

} // namespace ostinato
