#include "pool.hpp"

#include "dispatch.hpp"
#include "philox.hpp"

#include <algorithm>
#include <stdexcept>

namespace ostinato {
namespace {

// Of all that decides what the bytes of a slot mean (FNV-1a over the numbers).
std::uint64_t fingerprint(const Shape& shape, const std::string& precision) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::int64_t value) {
    for (int i = 0; i < 8; ++i) hash = (hash ^ (static_cast<std::uint64_t>(value) >> 8 * i & 0xff)) * 0x100000001b3;
  };
  for (int value : {shape.sample_rate, shape.hop, shape.residual, shape.skip, shape.kernel_size, shape.harmonics,
                    shape.tone_harmonics, shape.global_entries, shape.global_channels})
    mix(value);
  for (int width : shape.local_widths) mix(width);
  for (int dilation : shape.dilations) mix(dilation);
  for (int width : shape.head_widths) mix(width);
  for (char letter : shape.head + precision) mix(letter);
  mix(static_cast<std::int64_t>(shape.pre_emphasis * 1e6f));
  return hash;
}

} // namespace

Pool::Pool(const Shape& shape, const Tensors& tensors, int slots, const std::string& isa, const std::string& precision)
    : kernel_(&choose_kernel(isa, precision)),
      packed_(shape, tensors, *kernel_),
      slots_(slots),
      fingerprint_(fingerprint(shape, precision)) {
  if (slots < 1) throw std::invalid_argument("slots: " + std::to_string(slots) + ", expected at least 1");
  state_bytes_ = sizeof(Slot) + tone_floats() * sizeof(float) + packed_.ring_bytes();
  // Slots lie an odd number of lines apart, so that the same row of several slots never shares a cache set.
  stride_ = (state_bytes_ / 64 | 1) * 64;
  if (stride_ < state_bytes_) stride_ += 128;
  state_ = allocate(stride_ * static_cast<std::size_t>(slots));
  for (int slot = 0; slot < slots; ++slot) reset(slot, 0);
  streams_.resize(static_cast<std::size_t>(slots));
  make_scratch();
}

void Pool::make_scratch() {
  const Model& m = packed_.model();
  const auto lay_out = [this, &m](Layout layout) {
    const std::size_t group = group_streams, r = m.residual;
    scratch_.past_rows = std::max(group_streams, ahead_rows);
    scratch_.narrow_row = packed_.widest_control();
    scratch_.waves_row = (m.excitation.inputs + pad_outputs) / pad_outputs * pad_outputs;
    scratch_.read_row = packed_.widest_read();
    for (float*& narrow : scratch_.narrow) narrow = layout.take(group * scratch_.narrow_row);
    scratch_.amplitudes = layout.take(group * m.tone.outputs);
    scratch_.condition = layout.take(group * m.condition.outputs);
    scratch_.waves = layout.take(std::size_t{block_samples} * scratch_.waves_row);
    scratch_.tone = layout.take(group * block_samples);
    scratch_.entry = layout.take(group * block_samples * r);
    scratch_.hidden = layout.take(group * r);
    for (float*& read : scratch_.read) read = layout.take(group * scratch_.read_row);
    const std::size_t past = 2 * r * m.layers * scratch_.past_rows;
    if (kernel_->together) {
      scratch_.past_sums = layout.take<std::int32_t>(past);
      scratch_.hidden_levels = layout.take<std::int16_t>(group * (m.past_taps + 1) * r);
      scratch_.past_levels = layout.take<std::int16_t>(scratch_.past_rows * m.past_taps * r);
      scratch_.gate_levels = layout.take<std::int16_t>(group * r * m.layers);
      for (std::int16_t*& read : scratch_.read_levels) read = layout.take<std::int16_t>(group * scratch_.read_row);
    } else {
      scratch_.past = layout.take(past);
      scratch_.gates = layout.take(group * 2 * r);
      for (float*& active : scratch_.active) active = layout.take(group * r);
      scratch_.skip = layout.take(group * m.skip);
    }
    scratch_.choice = layout.take(group * block_samples);
    scratch_.spread = layout.take(group * block_samples);
    return layout.bytes();
  };
  scratch_memory_ = allocate(lay_out(Layout(nullptr)));
  lay_out(Layout(scratch_memory_.get()));
  held_.resize(group_streams);
  scratch_.held = held_.data();
}

void Pool::reset(int slot, std::uint64_t key) {
  std::memset(at(slot), 0, state_bytes_);
  header(slot)->key = key;
  header(slot)->phase = word_pair(key, 0, Purpose::phase);
  header(slot)->shape = fingerprint_;
}

void Pool::save(int slot, std::span<std::byte> to) const { std::memcpy(to.data(), at(slot), state_bytes_); }

bool Pool::restore(int slot, std::span<const std::byte> from) {
  Slot saved;
  if (from.size() != state_bytes_) return false;
  std::memcpy(&saved, from.data(), sizeof saved);
  if (saved.shape != fingerprint_) return false;
  std::memcpy(at(slot), from.data(), state_bytes_);
  return true;
}

void Pool::advance(std::span<const Request> requests, int frames) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const Request& request = requests[i];
    Slot* slot = header(request.slot);
    float* amplitudes = reinterpret_cast<float*>(slot + 1);
    std::byte* rings = reinterpret_cast<std::byte*>(amplitudes + tone_floats());
    streams_[i] = {slot, amplitudes, rings, request.controls, request.heard, request.forced, request.parameters};
  }
  kernel_->advance(packed_.model(), scratch_, streams_.data(), static_cast<int>(requests.size()), frames);
}

} // namespace ostinato
