// A transformer over blocks, and the head inside a block.
#include "packer.hpp"

#include <algorithm>

namespace ostinato {
namespace {

constexpr double longest = 4.0; // windows that the slowest rotation takes for about a radian, as models/attention.py
constexpr double turn = 4294967296.0;
constexpr int most_outputs = 4096; // of any row, as models/blocks_config.py

class BlocksPacker : public Packer {
 public:
  using Packer::Packer;

  // The condition's share of a block's token, with the bias of all of it.
  Matrix condition(int channels) {
    Matrix m = blank(channels, shape_.blocks.width);
    if (channels) put(m, 0, 0, shape_.blocks.width, {"condition.weight", shape_.blocks.width, channels});
    if (shape_.bias) put_bias(0, 0, shape_.blocks.width, {"input.bias", shape_.blocks.width});
    return m;
  }

  const float* norm(const std::string& name) {
    float* row = layout_.take(padded(shape_.blocks.width, pad_outputs));
    const float* data = find<float>(tensors_, name + ".weight", static_cast<std::size_t>(shape_.blocks.width));
    if (row) std::copy_n(data, shape_.blocks.width, row);
    return row;
  }

  // What the heads say, each from a whole line on, into the width.
  Matrix said(const std::string& name, const Attention& a) {
    const int width = shape_.blocks.width;
    Matrix m = blank(a.heads * a.head_row, width);
    for (int h = 0; h < a.heads; ++h)
      put(m, 0, 0, width, {name + ".weight", width, width, 1, 0, h * a.head_width, a.head_width, h * a.head_row});
    return m;
  }

  // Values first, gates from the padded half on.
  Matrix up(const std::string& name) {
    const int f = shape_.blocks.feed_forward, half = padded(f, pad_outputs);
    Matrix m = blank(shape_.blocks.width, 2 * half);
    for (int part = 0; part < 2; ++part) {
      put(m, part * half, part * f, f, {name + ".weight", 2 * f, shape_.blocks.width});
      if (shape_.bias) put_bias(part * half, part * f, f, {name + ".bias", 2 * f});
    }
    return m;
  }

  Matrix input() {
    Matrix m = blank(shape_.blocks.before, shape_.blocks.width);
    put(m, 0, 0, shape_.blocks.width, {"input.weight", shape_.blocks.width, shape_.blocks.before});
    return m;
  }

  // Into the activation of the head inside: so many channels of its context, from one on.
  Matrix context(int first, int channels, bool bias) {
    const int d = shape_.blocks.units;
    Matrix m = blank(channels, d);
    put(m, 0, 0, d, {"inside.context.weight", d, shape_.blocks.width + shape_.blocks.before, 1, 0, first, channels});
    if (bias) put_bias(0, 0, d, {"inside.bias", d});
    return m;
  }

  // The conditional of one place of `places`.
  Matrix conditional(int place, int places) {
    const int p = shape_.parameters, every = places * p;
    Matrix m = blank(shape_.blocks.units, p);
    put(m, 0, place * p, p, {"inside.output.weight", every, shape_.blocks.units});
    put_bias(0, place * p, p, {"inside.output.bias", every});
    return m;
  }

  // A row of units for each place.
  const float* rows(const std::string& name) {
    const int d = shape_.blocks.units, row = padded(d, pad_outputs), places = shape_.blocks.block;
    float* to = layout_.take(static_cast<std::size_t>(places) * row);
    const float* data = find<float>(tensors_, name, static_cast<std::size_t>(places) * d);
    for (int i = 0; to && i < places; ++i) std::copy_n(data + i * d, d, to + i * row);
    return to;
  }

  Matrix known() {
    const int waves = 2 * shape_.harmonics;
    Matrix m = blank(waves, shape_.blocks.units);
    if (waves) put(m, 0, 0, shape_.blocks.units, {"inside.known.weight", shape_.blocks.units, waves});
    return m;
  }

  const std::uint32_t* frequencies(const Attention& a) {
    const int pairs = a.head_width / 2;
    auto* row = layout_.take<std::uint32_t>(static_cast<std::size_t>(pairs));
    for (int i = 0; row && i < pairs; ++i)
      row[i] = static_cast<std::uint32_t>(std::llround(turn / (2 * M_PI) * std::pow(longest * a.window, -double(i) / pairs)));
    return row;
  }
};

// What the kernel's arithmetic takes for granted, and what its arrays hold.
void check_blocks(const Shape& shape) {
  const BlocksShape& from = shape.blocks;
  check_range("block", from.block, 1, shape.hop);
  if (shape.hop % from.block)
    throw std::invalid_argument("block: " + std::to_string(from.block) + ", expected a divisor of hop, " +
                                std::to_string(shape.hop));
  check_range("taps", from.taps, 0, most_outputs);
  check_range("before", from.before, std::max(from.block, from.taps), most_outputs);
  check_range("width", from.width, 1, most_outputs);
  check_range("heads", from.heads, 1, from.width);
  check_range("kv_heads", from.kv_heads, 1, from.heads);
  if (from.heads % from.kv_heads)
    throw std::invalid_argument("kv_heads: " + std::to_string(from.kv_heads) + ", expected a divisor of heads, " +
                                std::to_string(from.heads));
  const int head_width = from.width / from.heads;
  if (from.width % from.heads || head_width % 2 || head_width > 2 * most_pairs)
    throw std::invalid_argument("heads: " + std::to_string(from.heads) + ", expected to share a width of " +
                                std::to_string(from.width) + " in even parts of at most " +
                                std::to_string(2 * most_pairs));
  check_range("window", from.window, 1, most_window);
  check_range("layers", from.layers, 1, most_outputs);
  check_range("feed_forward", from.feed_forward, 1, most_outputs);
  check_range("units", from.units, 1, most_outputs);
  if (from.inside != "nade" && from.inside != "parallel")
    throw std::invalid_argument("inside: '" + from.inside + "', expected 'nade' or 'parallel'");
}

} // namespace

void PackedModel::lay_out_blocks(const Shape& shape, const Tensors& tensors, Layout& layout) {
  check_blocks(shape);
  BlocksPacker packer(shape, tensors, layout);
  const BlocksShape& from = shape.blocks;
  Blocks& b = model_.blocks;
  Attention& a = b.attention;
  const bool nade = from.inside == "nade";
  conditionals_.clear();
  block_layers_.clear();
  a.heads = from.heads;
  a.kv_heads = from.kv_heads;
  a.head_width = from.width / from.heads;
  a.head_row = padded(a.head_width, pad_outputs);
  a.window = from.window;
  a.window_row = padded(from.window, pad_outputs);
  a.inverse_root = 1.0f / std::sqrt(static_cast<float>(a.head_width));
  a.frequencies = packer.frequencies(a);
  b.samples = from.block;
  b.before = from.before;
  b.width = from.width;
  b.layers = from.layers;
  b.taps_taken = from.taps;
  model_.nade.units = padded(from.units, pad_outputs);
  model_.excitation = packer.known();
  model_.condition = packer.condition(shape.condition_channels());
  b.input = packer.input();
  for (int i = 0; i < from.layers; ++i) {
    const std::string name = "layers." + std::to_string(i);
    BlockLayer layer{};
    layer.attention_norm = packer.norm(name + ".attention_norm");
    layer.heard = packer.plain(name + ".heard", from.width, from.width + 2 * from.kv_heads * a.head_width, false);
    layer.said = packer.said(name + ".said", a);
    layer.forward_norm = packer.norm(name + ".forward_norm");
    layer.up = packer.up(name + ".up");
    layer.down = packer.plain(name + ".down", from.feed_forward, from.width, shape.bias);
    block_layers_.push_back(layer);
  }
  b.layer = block_layers_.data();
  b.norm = packer.norm("norm");
  b.context = packer.context(0, from.width, nade);
  b.as_they_are = packer.context(from.width, from.before, false);
  if (from.taps) b.taps = packer.plain("taps", from.width, from.taps, true);
  if (nade)
    model_.nade.weights = packer.rows("inside.weight");
  else
    b.places = packer.rows("inside.places");
  const int outputs = nade ? from.block : 1;
  for (int place = 0; place < outputs; ++place) conditionals_.push_back(packer.conditional(place, outputs));
  model_.nade.output = conditionals_.data();
}

// Of each layer keys and values; then the samples before a block, those of it, and what the last taps may read beyond.
std::int64_t PackedModel::place_block_rings(std::int64_t at) {
  Blocks& b = model_.blocks;
  const Attention& a = b.attention;
  b.ring_floats = std::int64_t{a.kv_heads} * (a.head_width * a.window_row + a.window * a.head_row);
  b.recent = at + b.layers * b.ring_floats;
  return b.recent + padded(b.before + b.samples, pad_outputs) + pad_outputs;
}

} // namespace ostinato
