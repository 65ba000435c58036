// From whole-number weights to what an integer kernel reads: words of `together` inputs at every output.
#include "pack.hpp"

#include <algorithm>

namespace ostinato {
namespace {

class IntegerPacker {
 public:
  IntegerPacker(const Shape& shape, const Tensors& tensors, Layout& layout, int together, int raised)
      : shape_(shape), tensors_(tensors), layout_(layout), together_(together), raised_(raised) {}

  // The oldest tap, the others behind it. Filter outputs first, gate outputs from the padded residual width on.
  Integers<std::int8_t> taps(const std::string& name) {
    const int r = shape_.residual, half = padded(r, pad_outputs), taps = shape_.kernel_size;
    std::int32_t* start = layout_.take<std::int32_t>(2 * half);
    float* scale = layout_.take(2 * half);
    std::int8_t* weights = layout_.take<std::int8_t>(std::size_t(taps) * half * 2 * half);
    for (int tap = 0; tap < taps; ++tap)
      for (int part = 0; part < 2; ++part)
        put(weights, together_, 2 * half, part * half, tap * half,
            {name + ".levels", 2 * r, part * r, r, r, taps, tap});
    take_off_raised(start, weights, taps * half, 2 * half);
    copy(scale, name + ".scale", 2 * r, 0, r);
    copy(scale ? scale + half : nullptr, name + ".scale", 2 * r, r, r);
    for (int c = 0; scale && c < 2 * half; ++c) scale[c] *= c < half ? tanh_exponent : sigmoid_exponent;
    return {weights, start, scale, half, 2 * half};
  }

  Integers<std::int8_t> residual(const std::string& name) {
    const int r = shape_.residual, width = padded(r, pad_outputs);
    const Integers<std::int8_t> m = blank(width, width, name + ".offset", name + ".scale", r);
    put(weights_, together_, width, 0, 0, {name + ".levels", r, 0, r, r, 1, 0});
    take_off_raised(start_, weights_, width, width);
    return m;
  }

  // All layers' gates side by side.
  Integers<std::int8_t> skip() {
    const int r = shape_.residual, row = padded(r, pad_outputs), s = shape_.skip, width = padded(s, pad_outputs);
    const int layers = static_cast<int>(shape_.dilations.size());
    const Integers<std::int8_t> m = blank(layers * row, width, "skip.offset", "skip.scale", s);
    for (int i = 0; i < layers; ++i)
      put(weights_, together_, width, 0, i * row, {"layers." + std::to_string(i) + ".skip.levels", s, 0, s, r, 1, 0});
    take_off_raised(start_, weights_, layers * row, width);
    return m;
  }

  IntegerHead head(int index) {
    const std::string name = "head." + std::to_string(index);
    const int inputs = shape_.head_widths[index], outputs = shape_.head_widths[index + 1];
    const int in = padded(inputs, pad_outputs), out = padded(outputs, pad_outputs);
    std::int16_t* weights = layout_.take<std::int16_t>(std::size_t(in) * out);
    put(weights, 2, out, 0, 0, {name + ".levels", outputs, 0, outputs, inputs, 1, 0});
    float* scale = layout_.take(out);
    float* bias = layout_.take(out);
    copy(scale, name + ".scale", outputs, 0, outputs);
    copy(bias, name + ".bias", outputs, 0, outputs);
    const std::size_t heads = shape_.head_widths.size() - 1;
    return {{weights, nullptr, scale, in, out}, bias, one("head.levels", heads, index), one("head.top", heads, index)};
  }

  float one(const std::string& name, std::size_t size, int index) const {
    return find<float>(tensors_, name, size)[index];
  }

 private:
  // Outputs first .. first + taken of a tensor [outputs][inputs][taps], at one tap.
  struct Source {
    std::string name;
    int outputs, first, taken, inputs, taps, tap;
  };

  Integers<std::int8_t> blank(int inputs, int outputs, const std::string& offset, const std::string& scales, int size) {
    start_ = layout_.take<std::int32_t>(outputs);
    float* scale = layout_.take(outputs);
    weights_ = layout_.take<std::int8_t>(std::size_t(inputs) * outputs);
    copy(start_, offset, size, 0, size);
    copy(scale, scales, size, 0, size);
    return {weights_, start_, scale, inputs, outputs};
  }

  template <class Number>
  void copy(Number* to, const std::string& name, int size, int first, int count) const {
    const Number* data = find<Number>(tensors_, name, size);
    if (to) std::copy(data + first, data + first + count, to);
  }

  // Into columns from `column` and inputs from `input` on, of words of `together` inputs at each of `columns` outputs.
  template <class Weight>
  void put(Weight* to, int together, int columns, int column, int input, const Source& from) const {
    const std::size_t row = std::size_t(from.inputs) * from.taps;
    const Weight* data = find<Weight>(tensors_, from.name, row * from.outputs);
    for (int o = 0; to && o < from.taken; ++o)
      for (int i = 0; i < from.inputs; ++i) {
        const int at = input + i;
        to[(std::size_t(at / together) * columns + column + o) * together + at % together] =
            data[(from.first + o) * row + std::size_t(i) * from.taps + from.tap];
      }
  }

  // Every level is raised, so every sum is too large by that times its weights.
  void take_off_raised(std::int32_t* start, const std::int8_t* weights, int inputs, int outputs) const {
    for (int i = 0; weights && i < inputs; ++i)
      for (int o = 0; o < outputs; ++o)
        start[o] -= raised_ * weights[(std::size_t(i / together_) * outputs + o) * together_ + i % together_];
  }

  const Shape& shape_;
  const Tensors& tensors_;
  Layout& layout_;
  int together_, raised_;
  std::int8_t* weights_ = nullptr; // of the matrix being packed
  std::int32_t* start_ = nullptr;
};

} // namespace

void PackedModel::lay_out_integers(const Shape& shape, const Tensors& tensors, Layout& layout) {
  IntegerPacker packer(shape, tensors, layout, together_, raised_);
  const std::size_t layers = shape.dilations.size();
  integer_layers_.assign(layers, IntegerLayer{});
  integer_heads_.clear();
  for (std::size_t i = 0; i < layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    IntegerLayer& layer = integer_layers_[i];
    layer.tap = packer.taps(name + ".dilated");
    if (i + 1 < layers) layer.residual = packer.residual(name + ".residual");
    layer.hidden_levels = packer.one("hidden.levels", layers, static_cast<int>(i));
    layer.gate_levels = packer.one("gate.levels", layers, static_cast<int>(i));
  }
  model_.skip_sum = packer.skip();
  for (std::size_t i = 0; i + 1 < shape.head_widths.size(); ++i) {
    integer_heads_.push_back(packer.head(static_cast<int>(i)));
    widest_read_ = std::max(widest_read_, integer_heads_.back().matrix.outputs);
  }
}

} // namespace ostinato
