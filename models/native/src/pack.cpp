// The order of packing is the order of reading: each layer's current tap, the skip of the layer before and the
// residual lie together; the past taps, read less often, behind them all.
#include "packer.hpp"

#include <algorithm>
#include <stdexcept>

namespace ostinato {
namespace {

std::int64_t power_of_two(std::int64_t at_least) {
  std::int64_t length = 1;
  while (length < at_least) length *= 2;
  return length;
}

Strategy strategy_of(const std::string& name) {
  if (name == "wavenet") return Strategy::wavenet;
  if (name == "nade") return Strategy::nade;
  if (name == "flow") return Strategy::flow;
  if (name == "blocks") return Strategy::blocks;
  if (name == "hybrid") return Strategy::hybrid;
  throw std::invalid_argument("strategy: '" + name + "' has no kernel");
}

HeadKind head_kind(const std::string& name) {
  if (name == "mu_law") return HeadKind::mu_law;
  if (name == "logistics") return HeadKind::logistics;
  if (name == "gaussian") return HeadKind::gaussian;
  throw std::invalid_argument("head: '" + name + "' is not known");
}

void check_hybrid(const Shape& shape) {
  if (shape.dilations.empty() || shape.head_widths.empty()) throw std::invalid_argument("shape: no layers");
  check_range("latents", shape.latents, 1, most_latents);
  if (!shape.tone_harmonics)
    throw std::invalid_argument("tone_harmonics: 0, expected at least 1, for a hybrid's decoder moves them");
  if (shape.head != "gaussian")
    throw std::invalid_argument("head: '" + shape.head + "', expected 'gaussian', as a hybrid's noise is");
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
  if (layers)
    layers_.back().skip = packer.plain("layers." + std::to_string(layers - 1) + ".skip", r, s, shape.bias);
  for (std::size_t i = 0; i + 1 < shape.head_widths.size(); ++i) {
    const int inputs = shape.head_widths[i], outputs = shape.head_widths[i + 1];
    const bool context = shape.units && i + 2 == shape.head_widths.size();
    heads_.push_back(context ? packer.context(inputs) : packer.plain("head." + std::to_string(i), inputs, outputs, true));
    widest_read_ = std::max(widest_read_, heads_.back().outputs);
  }
  for (int i = 0; i < layers; ++i) {
    for (int tap = 0; tap < taps; ++tap) past_[static_cast<std::size_t>(i) * taps + tap] = packer.dilated(i, tap);
    layers_[i].past = &past_[static_cast<std::size_t>(i) * taps];
  }
}

void PackedModel::lay_out(const Shape& shape, const Tensors& tensors, Layout& layout) {
  Packer packer(shape, tensors, layout);
  local_.clear();
  if (model_.strategy == Strategy::nade) {
    lay_out_nade(shape, tensors, layout);
  } else if (model_.strategy == Strategy::flow) {
    lay_out_flow(shape, tensors, layout);
  } else if (model_.strategy == Strategy::blocks) {
    lay_out_blocks(shape, tensors, layout);
  } else if (model_.strategy == Strategy::hybrid) {
    lay_out_hybrid(shape, tensors, layout);
  } else {
    model_.excitation = packer.excitation();
    model_.input = packer.input_column();
  }
  widest_read_ = model_.skip;
  if (together_)
    lay_out_integers(shape, tensors, layout);
  else
    lay_out_floats(shape, tensors, layout);
  if (model_.strategy != Strategy::blocks && model_.strategy != Strategy::flow)
    model_.condition = packer.conditions(shape.condition_channels(), together_ ? tanh_exponent : 1.0f,
                                         together_ ? sigmoid_exponent : 1.0f);
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
  model_.strategy = strategy_of(shape.strategy);
  if (!kernel.advance[static_cast<int>(model_.strategy)])
    throw std::invalid_argument("strategy: '" + shape.strategy + "' has no kernel in " + kernel.precision);
  const bool stack = model_.strategy == Strategy::wavenet || model_.strategy == Strategy::nade;
  if (stack && (shape.dilations.empty() || shape.head_widths.size() < 2))
    throw std::invalid_argument("shape: no layers");
  if (shape.tone_harmonics && (shape.local_widths.size() < 2 || shape.head == "mu_law"))
    throw std::invalid_argument("tone_harmonics: " + std::to_string(shape.tone_harmonics) +
                                ", and no control network states them or the head has no means");
  if (shape.units && shape.units != shape.head_widths.back())
    throw std::invalid_argument("units: " + std::to_string(shape.units) + ", and head_widths end in another width");
  if (model_.strategy == Strategy::hybrid) check_hybrid(shape);
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
  model_.head_layers = std::max(static_cast<std::int32_t>(shape.head_widths.size()) - 1, 0);
  model_.parameters = shape.parameters;
  model_.hybrid.latents = padded(shape.latents, pad_outputs);
  model_.hybrid.cepstrum = padded(shape.cepstrum, pad_outputs);
  model_.hybrid.taps = padded(shape.taps, pad_outputs);
  model_.hybrid.response = shape.taps;
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
  model_.flow.coupling = couplings_.data();
}

// Offsets count floats where rows are of float32, bytes where they are of levels.
void PackedModel::place_rings(const Shape& shape) {
  std::int64_t at = 0;
  for (int i = 0; i < model_.layers; ++i) {
    const std::int64_t length = power_of_two(std::int64_t{shape.dilations[i]} * model_.past_taps + shape.window);
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
  for (Coupling& coupling : couplings_) {
    coupling.past = at;
    at += padded(model_.flow.past_frames * shape.hop / 2, pad_outputs);
  }
  model_.nade.past = at;
  if (shape.units) at += padded(shape.hop, pad_outputs);
  if (model_.strategy == Strategy::blocks) at = place_block_rings(at);
  for (auto [place, length] : {std::pair{&model_.hybrid.past_latents, model_.hybrid.latents},
                               std::pair{&model_.hybrid.past_filter, model_.hybrid.taps},
                               std::pair{&model_.hybrid.past_noise, model_.hybrid.taps}}) {
    *place = at;
    at += length;
  }
  ring_bytes_ = static_cast<std::size_t>(at) * (together_ ? 1 : sizeof(float));
}

} // namespace ostinato
