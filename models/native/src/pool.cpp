#include "pool.hpp"

#include "dispatch.hpp"
#include "philox.hpp"

#include <algorithm>
#include <stdexcept>

namespace ostinato {
namespace {

// Bytes of weights, times streams and samples, that one thread goes through in the time of some wake-ups: a thread is
// given no less.
constexpr double worth_waking = 16e6;

// Of all that decides what the bytes of a slot mean (FNV-1a over the numbers).
std::uint64_t fingerprint(const Shape& shape, const std::string& precision) {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto mix = [&hash](std::int64_t value) {
    for (int i = 0; i < 8; ++i) hash = (hash ^ (static_cast<std::uint64_t>(value) >> 8 * i & 0xff)) * 0x100000001b3;
  };
  for (int value : {shape.sample_rate, shape.hop, shape.residual, shape.skip, shape.kernel_size, shape.harmonics,
                    shape.tone_harmonics, shape.global_entries, shape.global_channels, shape.window,
                    shape.units, shape.parameters, shape.coupling_units, shape.coupling_lines})
    mix(value);
  const BlocksShape& b = shape.blocks;
  for (int value : {b.block, b.before, b.width, b.heads, b.kv_heads, b.feed_forward, b.layers, b.window, b.units, b.taps})
    mix(value);
  for (int width : shape.local_widths) mix(width);
  for (int dilation : shape.dilations) mix(dilation);
  for (int width : shape.head_widths) mix(width);
  for (int bit : shape.bits) mix(bit);
  for (int set : shape.moves_set) mix(set);
  for (char letter : shape.strategy + shape.head + b.inside + precision) mix(letter);
  mix(static_cast<std::int64_t>(shape.pre_emphasis * 1e6f));
  return hash;
}

} // namespace

Pool::Pool(const Shape& shape, const Tensors& tensors, int slots, const std::string& isa, const std::string& precision,
           int threads)
    : kernel_(&choose_kernel(isa, precision)),
      packed_(shape, tensors, *kernel_),
      slots_(slots),
      window_(shape.window),
      fingerprint_(fingerprint(shape, precision)) {
  if (slots < 1) throw std::invalid_argument("slots: " + std::to_string(slots) + ", expected at least 1");
  if (threads < 1) throw std::invalid_argument("threads: " + std::to_string(threads) + ", expected at least 1");
  state_bytes_ = sizeof(Slot) + tone_floats() * sizeof(float) + packed_.ring_bytes();
  // Slots lie an odd number of lines apart, so that the same row of several slots never shares a cache set.
  stride_ = (state_bytes_ / 64 | 1) * 64;
  if (stride_ < state_bytes_) stride_ += 128;
  state_ = allocate(stride_ * static_cast<std::size_t>(slots));
  for (int slot = 0; slot < slots; ++slot) reset(slot, 0);
  streams_.resize(static_cast<std::size_t>(slots));
  tallies_.resize(static_cast<std::size_t>(std::min(threads, slots)));
  make_scratch(std::min(threads, slots));
  if (scratch_.size() > 1) team_ = Team::of(static_cast<int>(scratch_.size()));
}

Scratch Pool::lay_out_scratch(Layout& layout) const {
  const Model& m = packed_.model();
  const std::size_t group = group_streams, r = m.residual;
  Scratch s{};
  s.past_rows = std::max(group_streams, ahead_rows);
  s.narrow_row = packed_.widest_control();
  s.waves_row = (m.excitation.inputs + pad_outputs) / pad_outputs * pad_outputs;
  s.read_row = packed_.widest_read();
  s.held = layout.take<Held>(group);
  for (float*& narrow : s.narrow) narrow = layout.take(group * s.narrow_row);
  s.amplitudes = layout.take(group * m.tone.outputs);
  s.condition = layout.take(group * m.condition.outputs);
  s.waves = layout.take(std::size_t{block_samples} * s.waves_row);
  s.tone = layout.take(group * block_samples);
  s.entry = layout.take(group * block_samples * m.excitation.outputs);
  s.hidden = layout.take(group * r);
  for (float*& read : s.read) read = layout.take(group * s.read_row);
  const std::size_t past = 2 * r * m.layers * s.past_rows;
  if (kernel_->together) {
    s.past_sums = layout.take<std::int32_t>(past);
    s.hidden_levels = layout.take<std::int16_t>(group * (m.past_taps + 1) * r);
    s.past_levels = layout.take<std::int16_t>(s.past_rows * m.past_taps * r);
    s.gate_levels = layout.take<std::int16_t>(group * r * m.layers);
    for (std::int16_t*& read : s.read_levels) read = layout.take<std::int16_t>(group * s.read_row);
  } else {
    s.past = layout.take(past);
    s.gates = layout.take(group * 2 * r);
    for (float*& active : s.active) active = layout.take(group * r);
    s.skip = layout.take(group * m.skip);
  }
  if (window_) s.proposed = layout.take(std::size_t{block_samples} * s.read_row);
  s.units = layout.take(group * m.nade.units);
  s.drawn = layout.take(m.nade.units ? group * m.nade.output->outputs : 0);
  if (m.strategy == Strategy::blocks) s.blocks = lay_out_block_rows(layout);
  s.left = layout.take(draws_at_once(m.strategy) ? group * static_cast<std::size_t>(m.hop) : 0);
  if (m.flow.couplings) {
    const Coupling& c = *m.flow.coupling;
    const std::size_t hop = m.hop, half = m.flow.half;
    s.taps = layout.take(group * c.read.inputs);
    s.read_of_taps = layout.take(group * c.read.outputs);
    s.affine = layout.take(group * 2 * half);
    s.moved = layout.take(2 * half);
    for (float** row : {&s.mean, &s.log_scale, &s.hop_tone}) *row = layout.take(hop);
  }
  s.choice = layout.take(group * block_samples);
  s.spread = layout.take(group * block_samples);
  return s;
}

BlockRows Pool::lay_out_block_rows(Layout& layout) const {
  const Model& m = packed_.model();
  const BlockLayer& layer = m.blocks.layer[0];
  const std::size_t group = group_streams, block = block_samples;
  BlockRows rows{};
  rows.normed = layout.take(group * m.residual);
  rows.heard = layout.take(group * layer.heard.outputs);
  rows.said = layout.take(group * layer.said.inputs);
  rows.up = layout.take(group * layer.up.outputs);
  rows.taps = layout.take(group * m.blocks.taps.outputs);
  rows.activation = layout.take(group * m.nade.units);
  rows.units = layout.take(block * m.nade.units);
  rows.planned = layout.take(group * block * m.nade.output->outputs);
  return rows;
}

void Pool::make_scratch(int threads) {
  Layout counted(nullptr);
  for (int i = 0; i < threads; ++i) lay_out_scratch(counted);
  scratch_memory_ = allocate(counted.bytes());
  Layout filled(scratch_memory_.get());
  for (int i = 0; i < threads; ++i) scratch_.push_back(lay_out_scratch(filled));
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

// How many threads a call is shared among. A stream is drawn by one: its layers wait for each other.
int Pool::parts(int streams, int frames) const {
  const Model& m = packed_.model();
  const bool blocks = m.strategy == Strategy::blocks;
  const int runs = m.strategy == Strategy::wavenet ? m.hop : blocks ? m.hop / m.blocks.samples : 1; // a hop
  const double read = static_cast<double>(packed_.weight_bytes()) * streams * frames * runs;
  return static_cast<int>(std::clamp(read / worth_waking, 1.0, static_cast<double>(std::min(threads(), streams))));
}

Stream Pool::stream_of(const Request& request) {
  Slot* slot = header(request.slot);
  float* amplitudes = reinterpret_cast<float*>(slot + 1);
  std::byte* rings = reinterpret_cast<std::byte*>(amplitudes + tone_floats());
  return {slot, amplitudes, rings, request.controls, request.heard, request.forced, request.parameters};
}

// Each part of a call, a run of its streams, on a thread of its own where that pays and the team is free.
template <class Work>
void Pool::share(int streams, int frames, const Work& work) {
  const int together = parts(streams, frames);
  const auto run = [&](int part) {
    work(static_cast<std::size_t>(part), streams * part / together, streams * (part + 1) / together);
  };
  if (together < 2 || !team_->share(together, run))
    for (int part = 0; part < together; ++part) run(part);
}

void Pool::advance(std::span<const Request> requests, int frames) {
  for (std::size_t i = 0; i < requests.size(); ++i) streams_[i] = stream_of(requests[i]);
  const auto advance = kernel_->advance[static_cast<int>(packed_.model().strategy)];
  share(static_cast<int>(requests.size()), frames, [&](std::size_t part, int first, int end) {
    advance(packed_.model(), scratch_[part], streams_.data() + first, end - first, frames);
  });
}

void Pool::speculate(Pool& draft, std::span<const Request> requests, int frames, int window, Tally& tally) {
  if (window < 1 || window > std::min({window_, draft.window_, block_samples}))
    throw std::invalid_argument("window: " + std::to_string(window) + ", expected 1.." +
                                std::to_string(std::min({window_, draft.window_, block_samples})));
  if (kernel_ != draft.kernel_ || draft.slots() < slots() || draft.threads() < threads())
    throw std::invalid_argument("draft: its pool is of another kernel, or smaller");
  for (std::size_t i = 0; i < requests.size(); ++i) {
    streams_[i] = stream_of(requests[i]);
    draft.streams_[i] = draft.stream_of(requests[i]);
  }
  std::fill(tallies_.begin(), tallies_.end(), Tally{});
  share(static_cast<int>(requests.size()), frames, [&](std::size_t part, int first, int end) {
    for (int i = first; i < end; ++i) {
      const std::size_t n = static_cast<std::size_t>(i);
      const Part own{packed_.model(), scratch_[part], streams_[n]};
      const Part proposing{draft.packed_.model(), draft.scratch_[part], draft.streams_[n]};
      kernel_->speculate(own, proposing, frames, window, tallies_[part]);
    }
  });
  for (const Tally& t : tallies_) {
    tally.windows += t.windows;
    tally.proposed += t.proposed;
    tally.accepted += t.accepted;
    tally.enumerated += t.enumerated;
  }
}

} // namespace ostinato
