// From tensors of float32 to matrices as the kernel reads them, one after another in memory.
#pragma once

#include "pack.hpp"

#include <cmath>

namespace ostinato {

class Packer {
 public:
  Packer(const Shape& shape, const Tensors& tensors, Layout& layout)
      : shape_(shape), tensors_(tensors), layout_(layout) {}

  Matrix plain(const std::string& name, int inputs, int outputs, bool bias) {
    Matrix m = blank(inputs, outputs);
    put(m, 0, 0, outputs, {name + ".weight", outputs, inputs});
    if (bias) put_bias(0, 0, outputs, {name + ".bias", outputs});
    return m;
  }

  // What the stack says of it, into a NADE's activation.
  Matrix context(int inputs) {
    const int d = shape_.units;
    Matrix m = blank(inputs, d);
    put(m, 0, 0, d, {"nade.context.weight", d, inputs + shape_.hop, 1, 0, 0, inputs});
    put_bias(0, 0, d, {"nade.bias", d});
    return m;
  }

  // Filter outputs first, gate outputs from the padded residual width on.
  Matrix dilated(int layer, int tap) {
    const int r = shape_.residual, half = padded(r, pad_outputs);
    Matrix m = blank(r, 2 * half);
    const Weights source{"layers." + std::to_string(layer) + ".dilated.weight", 2 * r, r, shape_.kernel_size, tap};
    put(m, 0, 0, r, source);
    put(m, half, r, r, source);
    return m;
  }

  // Every layer's conditioning side by side, with the bias of its dilated convolution, in units of its gate's input.
  Matrix conditions(int channels, float filter_unit, float gate_unit) {
    const int r = shape_.residual, half = padded(r, pad_outputs), layers = static_cast<int>(shape_.dilations.size());
    Matrix m = blank(channels, 2 * half * layers);
    for (int i = 0; i < layers; ++i) {
      const std::string name = "layers." + std::to_string(i);
      for (int part = 0; part < 2; ++part) {
        const int column = (2 * i + part) * half;
        if (channels) put(m, column, part * r, r, {name + ".condition.weight", 2 * r, channels});
        if (shape_.bias) put_bias(column, part * r, r, {name + ".dilated.bias", 2 * r});
        scale(m, column, r, part ? gate_unit : filter_unit);
      }
    }
    return m;
  }

  // The harmonics' columns of the input layer, and its bias.
  Matrix excitation() {
    const int r = shape_.residual, waves = 2 * shape_.harmonics;
    Matrix m = blank(waves, r);
    if (waves) put(m, 0, 0, r, {"input.weight", r, 1 + waves, 1, 0, 1, waves});
    if (shape_.bias) put_bias(0, 0, r, {"input.bias", r});
    return m;
  }

  // Levels, phases and log-scale, each from a whole line on.
  Matrix tone(int inputs) {
    const int k = shape_.tone_harmonics, row = padded(k, pad_outputs);
    Matrix m = blank(inputs, 2 * row + pad_outputs);
    for (int part = 0; part < 3; ++part) {
      const int outputs = part < 2 ? k : 1;
      put(m, part * row, part * k, outputs, {"tone.weight", 2 * k + 1, inputs});
      put_bias(part * row, part * k, outputs, {"tone.bias", 2 * k + 1});
    }
    return m;
  }

  const float* input_column() {
    const int r = shape_.residual, inputs = 1 + 2 * shape_.harmonics;
    float* column = layout_.take(padded(r, pad_outputs));
    const float* data = find<float>(tensors_, "input.weight", static_cast<std::size_t>(r) * inputs);
    for (int o = 0; column && o < r; ++o) column[o] = data[o * inputs];
    return column;
  }

  const float* embedding() {
    const std::size_t size = static_cast<std::size_t>(shape_.global_entries) * shape_.global_channels;
    float* table = layout_.take(size);
    if (size == 0) return table;
    const float* data = find<float>(tensors_, "global.weight", size);
    if (table) std::memcpy(table, data, size * sizeof(float));
    return table;
  }

  // The sample of each mu-law level.
  const float* levels(int count) {
    float* table = layout_.take(count);
    const double mu = count - 1;
    for (int i = 0; table && i < count; ++i) {
      const double companded = 2 * i / mu - 1;
      table[i] = static_cast<float>(std::copysign(std::expm1(std::fabs(companded) * std::log1p(mu)) / mu, companded));
    }
    return table;
  }

 protected:
  struct Weights {
    std::string name;
    int outputs;
    int inputs = 1;
    int taps = 1;
    int tap = 0;
    int first = 0; // of the inputs taken
    int taken = 0; // 0: all inputs
    int row = 0;   // of the matrix, where these go
  };

  // Two chains keep both multipliers busy where an output row fills four vectors; narrower ones need four.
  Matrix blank(int inputs, int outputs) {
    const int in = padded(inputs, pad_inputs), out = padded(outputs, pad_outputs);
    weights_ = layout_.take(static_cast<std::size_t>(in) * out);
    bias_ = layout_.take(out);
    return {weights_, bias_, in, out, out > 32 ? 2 : 4};
  }

  void put(const Matrix& m, int column, int first_output, int outputs, const Weights& from) {
    const std::size_t row = static_cast<std::size_t>(from.inputs) * from.taps;
    const float* data = find<float>(tensors_, from.name, row * from.outputs);
    const int taken = from.taken ? from.taken : from.inputs;
    for (int o = 0; weights_ && o < outputs; ++o)
      for (int i = 0; i < taken; ++i)
        weights_[static_cast<std::size_t>(from.row + i) * m.outputs + column + o] =
            data[(first_output + o) * row + static_cast<std::size_t>(from.first + i) * from.taps + from.tap];
  }

  void scale(const Matrix& m, int column, int outputs, float by) {
    for (int o = column; weights_ && o < column + outputs; ++o) {
      for (int i = 0; i < m.inputs; ++i) weights_[static_cast<std::size_t>(i) * m.outputs + o] *= by;
      bias_[o] *= by;
    }
  }

  void put_bias(int column, int first_output, int outputs, const Weights& from) {
    const float* data = find<float>(tensors_, from.name, from.outputs);
    for (int o = 0; bias_ && o < outputs; ++o) bias_[column + o] = data[first_output + o];
  }

  const Shape& shape_;
  const Tensors& tensors_;
  Layout& layout_;
  float* weights_ = nullptr; // of the matrix being packed
  float* bias_ = nullptr;
};

} // namespace ostinato
