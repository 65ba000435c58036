// The order of packing is the order of reading: each layer's current tap, the skip of the layer before and the
// residual lie together; the past taps, read less often, behind them all.
#include "pack.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace ostinato {
namespace {

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

  // What a NADE's activation starts from, given its context.
  Matrix context(int inputs, int units) {
    Matrix m = blank(inputs, units);
    put(m, 0, 0, units, {"nade.context.weight", units, inputs});
    put_bias(0, 0, units, {"nade.bias", units});
    return m;
  }

  // The conditional of one place of a frame.
  Matrix conditional(int place) {
    const int p = shape_.parameters, every = shape_.hop * p;
    Matrix m = blank(shape_.units, p);
    put(m, 0, place * p, p, {"nade.output.weight", every, shape_.units});
    put_bias(0, place * p, p, {"nade.output.bias", every});
    return m;
  }

  // What each sample of a frame adds to the activation, a row each.
  const float* additions() {
    const int d = shape_.units, row = padded(d, pad_outputs);
    float* rows = layout_.take(static_cast<std::size_t>(shape_.hop) * row);
    const float* data = find<float>(tensors_, "nade.weight", static_cast<std::size_t>(shape_.hop) * d);
    for (int i = 0; rows && i < shape_.hop; ++i) std::copy_n(data + i * d, d, rows + i * row);
    return rows;
  }

  // The harmonics' share of a NADE's activation.
  Matrix known() {
    const int waves = 2 * shape_.harmonics;
    Matrix m = blank(waves, shape_.units);
    if (waves) put(m, 0, 0, shape_.units, {"nade.known.weight", shape_.units, waves});
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

 private:
  struct Weights {
    std::string name;
    int outputs;
    int inputs = 1;
    int taps = 1;
    int tap = 0;
    int first = 0; // of the inputs taken
    int taken = 0; // 0: all inputs
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
        weights_[static_cast<std::size_t>(i) * m.outputs + column + o] =
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

std::int64_t power_of_two(std::int64_t at_least) {
  std::int64_t length = 1;
  while (length < at_least) length *= 2;
  return length;
}

HeadKind head_kind(const std::string& name) {
  if (name == "mu_law") return HeadKind::mu_law;
  if (name == "logistics") return HeadKind::logistics;
  if (name == "gaussian") return HeadKind::gaussian;
  throw std::invalid_argument("head: '" + name + "' is not known");
}

} // namespace

void PackedModel::lay_out_floats(const Shape& shape, const Tensors& tensors, Layout& layout) {
  Packer packer(shape, tensors, layout);
  const int r = shape.residual, s = shape.skip, layers = static_cast<int>(shape.dilations.size());
  const int taps = shape.kernel_size - 1;
  layers_.assign(layers, Layer{});
  past_.assign(static_cast<std::size_t>(layers) * taps, Matrix{});
  heads_.clear();
  for (int i = 0; i < layers; ++i) {
    const std::string name = "layers." + std::to_string(i), before = "layers." + std::to_string(i - 1);
    layers_[i].current = packer.dilated(i, taps);
    if (i > 0) layers_[i - 1].skip = packer.plain(before + ".skip", r, s, shape.bias);
    if (i + 1 < layers) layers_[i].residual = packer.plain(name + ".residual", r, r, shape.bias);
  }
  layers_.back().skip = packer.plain("layers." + std::to_string(layers - 1) + ".skip", r, s, shape.bias);
  for (std::size_t i = 0; i + 1 < shape.head_widths.size(); ++i) {
    const int inputs = shape.head_widths[i], outputs = shape.head_widths[i + 1];
    const bool context = shape.units && i + 2 == shape.head_widths.size();
    heads_.push_back(context ? packer.context(inputs, outputs)
                             : packer.plain("head." + std::to_string(i), inputs, outputs, true));
    widest_read_ = std::max(widest_read_, heads_.back().outputs);
  }
  for (int i = 0; i < layers; ++i) {
    for (int tap = 0; tap < taps; ++tap) past_[static_cast<std::size_t>(i) * taps + tap] = packer.dilated(i, tap);
    layers_[i].past = &past_[static_cast<std::size_t>(i) * taps];
  }
}

void PackedModel::lay_out_nade(const Shape& shape, const Tensors& tensors, Layout& layout) {
  Packer packer(shape, tensors, layout);
  conditionals_.clear();
  model_.nade.frame = packer.plain("input", shape.hop, shape.residual, shape.bias);
  model_.excitation = packer.known();
  model_.nade.weights = packer.additions();
  for (int place = 0; place < shape.hop; ++place) conditionals_.push_back(packer.conditional(place));
  model_.nade.output = conditionals_.data();
}

void PackedModel::lay_out(const Shape& shape, const Tensors& tensors, Layout& layout) {
  Packer packer(shape, tensors, layout);
  local_.clear();
  if (shape.units) {
    lay_out_nade(shape, tensors, layout);
  } else {
    model_.excitation = packer.excitation();
    model_.input = packer.input_column();
  }
  widest_read_ = model_.skip;
  if (together_)
    lay_out_integers(shape, tensors, layout);
  else
    lay_out_floats(shape, tensors, layout);
  const bool local = !shape.local_widths.empty();
  model_.condition = packer.conditions(local ? shape.local_widths.back() : shape.global_channels,
                                       together_ ? tanh_exponent : 1.0f, together_ ? sigmoid_exponent : 1.0f);
  int width = feature_channels + shape.global_channels;
  widest_control_ = padded(width, pad_outputs);
  for (std::size_t i = 0; i < shape.local_widths.size(); ++i) {
    if (i + 1 == shape.local_widths.size() && shape.tone_harmonics) model_.tone = packer.tone(width);
    local_.push_back(packer.plain("local." + std::to_string(i), width, shape.local_widths[i], true));
    width = shape.local_widths[i];
    widest_control_ = std::max(widest_control_, local_.back().outputs);
  }
  model_.global_entries_table = packer.embedding();
  model_.levels = model_.head == HeadKind::mu_law ? packer.levels(shape.parameters) : nullptr;
}

PackedModel::PackedModel(const Shape& shape, const Tensors& tensors, const Kernel& kernel)
    : together_(kernel.together), raised_(kernel.raised) {
  if (shape.dilations.empty() || shape.head_widths.size() < 2) throw std::invalid_argument("shape: no layers");
  if (shape.tone_harmonics && (shape.local_widths.size() < 2 || shape.head == "mu_law"))
    throw std::invalid_argument("tone_harmonics: " + std::to_string(shape.tone_harmonics) +
                                ", and no control network states them or the head has no means");
  if (shape.units && (shape.units != shape.head_widths.back() || together_))
    throw std::invalid_argument("units: " + std::to_string(shape.units) +
                                ", and head_widths end in another width or the weights are int8");
  model_.sample_rate = shape.sample_rate;
  model_.hop = shape.hop;
  model_.residual = padded(shape.residual, pad_outputs);
  model_.skip = padded(shape.skip, pad_outputs);
  model_.layers = static_cast<std::int32_t>(shape.dilations.size());
  model_.past_taps = shape.kernel_size - 1;
  model_.harmonics = shape.harmonics;
  model_.tone_harmonics = shape.tone_harmonics;
  model_.tone_row = padded(shape.tone_harmonics, pad_outputs);
  model_.local_layers = static_cast<std::int32_t>(shape.local_widths.size());
  model_.global_entries = shape.global_entries;
  model_.global_channels = shape.global_channels;
  model_.head_layers = static_cast<std::int32_t>(shape.head_widths.size() - 1);
  model_.parameters = shape.parameters;
  model_.nade.units = padded(shape.units, pad_outputs);
  model_.head = head_kind(shape.head);
  model_.components = model_.head == HeadKind::logistics ? model_.parameters / 3 : model_.parameters;
  model_.draws = model_.head == HeadKind::mu_law ? 1 : 2;
  model_.log_scale_min = shape.log_scale_min;
  model_.amplitude = shape.amplitude;
  model_.pre_emphasis = shape.pre_emphasis;

  Layout measured(nullptr);
  lay_out(shape, tensors, measured);
  weight_bytes_ = measured.bytes();
  memory_ = allocate(weight_bytes_);
  Layout filled(memory_.get());
  lay_out(shape, tensors, filled);
  place_rings(shape);
  model_.layer = layers_.data();
  model_.head_matrix = heads_.data();
  model_.integer_layer = integer_layers_.data();
  model_.integer_head = integer_heads_.data();
  model_.local = local_.data();
}

// Offsets count floats where rows are of float32, bytes where they are of levels.
void PackedModel::place_rings(const Shape& shape) {
  std::int64_t at = 0;
  for (int i = 0; i < model_.layers; ++i) {
    const std::int64_t length = power_of_two(std::int64_t{shape.dilations[i]} * model_.past_taps);
    const auto place = [&](auto& layer) {
      layer.dilation = shape.dilations[i];
      layer.ring = at;
      layer.mask = length - 1;
    };
    if (together_)
      place(integer_layers_[i]);
    else
      place(layers_[i]);
    at += length * model_.residual;
  }
  model_.nade.past = at;
  if (shape.units) at += padded(shape.hop, pad_outputs);
  ring_bytes_ = static_cast<std::size_t>(at) * (together_ ? 1 : sizeof(float));
}

} // namespace ostinato
