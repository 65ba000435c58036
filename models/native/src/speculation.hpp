// Exact speculative sampling (Leviathan et al. 2023, Chen et al. 2023) of one stream: a draft proposes the samples of a
// window one by one, the model scores them all at once, and what it can't take is drawn anew.
//
// A proposal x ~ q is taken with probability min(1, p(x) / q(x)), else a value is drawn by max(0, p - q), and the
// window ends; so every value is distributed as p to the letter, whatever the draft. Windows start where the last one
// ended and stop at the next block, and each sample's noise is a function of its index alone: a stream is the same
// however it is cut into calls. A sample that is proposed again after a window ended before it meets the same noise;
// nothing that was heard depended on it before.
#pragma once

#include "density.hpp"
#include "excitation.hpp"
#include "place.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr int most_tries = 64; // draws of p before the remainder is enumerated or inverted

// Words of a sample's noise: which, where, and whether it is taken.
struct Noise {
  float choice, spread, verdict;
};

OSTINATO_INLINE Noise noise_of(const Model& m, const Words& words) {
  alignas(64) float choice[block_samples], second[block_samples], spread[block_samples];
  for (int i = 0; i < block_samples; ++i) {
    choice[i] = uniform(words.at[0]);
    second[i] = uniform(words.at[1]);
  }
  spread_of(m, choice, second, spread);
  return {choice[0], spread[0], uniform(words.at[2])};
}

// A value by max(0, p - q): draws of p that are kept with probability 1 - q / p, and after so many the remainder itself.
inline float draw_remainder(const Density& p, const Density& q, std::uint64_t key, std::int64_t sample, int tries,
                            Tally& tally) {
  const Model& m = *p.model;
  const auto words_of = [&](int n) {
    return philox(key, static_cast<std::uint64_t>(sample), static_cast<std::uint32_t>(n), Purpose::residual);
  };
  const double last = uniform(words_of(0).at[3]);
  if (m.head == HeadKind::mu_law)
    return enumerate(p, q, m.parameters, last, [](int i) { return static_cast<float>(i); });
  for (int n = 0; n < tries; ++n) {
    const Noise noise = noise_of(m, words_of(n));
    const float value = draw_value(m, p.parameters, noise.choice, noise.spread, p.temperature);
    const float there = probability(p, value);
    if (noise.verdict * there < there - probability(q, value)) return value;
  }
  ++tally.enumerated;
  return m.head == HeadKind::gaussian ? invert_gaussians(p, q, last) : enumerate_levels(p, q, last);
}

// A proposal of q, or what is drawn in its place. False where it is not the proposal.
inline bool judge(const Density& p, const Density& q, std::uint64_t key, std::int64_t sample, int tries, float& value,
                  Tally& tally) {
  const Words words = philox(key, static_cast<std::uint64_t>(sample), 0, Purpose::proposal);
  ++tally.proposed;
  if (uniform(words.at[2]) * probability(q, value) < probability(p, value)) {
    ++tally.accepted;
    return true;
  }
  value = draw_remainder(p, q, key, sample, tries, tally);
  return false;
}

// What the next sample sees of this one, which was the t-th of the block.
OSTINATO_INLINE float seen(const Part& part, float sample, int t) {
  const Held& held = part.scratch.held[0];
  return part.model.tone_harmonics ? (sample - part.scratch.tone[t]) * held.inverse_scale : sample;
}

// The input layer of a row of scratch.hidden.
OSTINATO_INLINE void enter_row(const Part& part, int row, int t, float previous) {
  const Model& m = part.model;
  const float* entry = part.scratch.entry + std::int64_t{t} * m.residual;
  for (int c = 0; c < m.residual; c += lanes)
    store(part.scratch.hidden + std::int64_t{row} * m.residual + c,
          mul_add(all(previous), load(m.input + c), load(entry + c)));
}

// One window, `first` samples into a block. Both clocks stand at its first sample.
class Window {
 public:
  Window(const Part& model, const Part& draft, int first, int size, float temperature)
      : model_(model), draft_(draft), first_(first), size_(size), temperature_(temperature) {}

  void propose() {
    const Model& m = draft_.model;
    const Scratch& s = draft_.scratch;
    Slot& slot = *draft_.stream.slot;
    for (int j = 0; j < size_; ++j) {
      const int t = first_ + j;
      enter_row(draft_, 0, t, slot.previous);
      float* row = run_stack(m, s, Place{&draft_.stream, 1, j, size_}).at[0];
      if (m.tone_harmonics) place(m, s.held[0], s.tone[t], row);
      __builtin_memcpy(s.proposed + std::int64_t{j} * s.read_row, row, sizeof(float) * m.parameters);
      value_[j] = draw_value(m, row, s.choice[t], s.spread[t], temperature_);
      slot.previous = seen(draft_, sample_of(m, value_[j]), t);
    }
  }

  void score() {
    const Model& m = model_.model;
    const Scratch& s = model_.scratch;
    float previous = model_.stream.slot->previous;
    for (int j = 0; j < size_; ++j) {
      enter_row(model_, j, first_ + j, previous);
      previous = seen(model_, sample_of(m, value_[j]), first_ + j);
    }
    scored_ = run_window(m, s, window(model_.stream, size_));
    for (int j = 0; m.tone_harmonics && j < size_; ++j) place(m, s.held[0], s.tone[first_ + j], scored_.at[j]);
  }

  // How many samples the window yields: those taken, and the one that was drawn anew.
  int settle(float* heard, Tally& tally) {
    Slot &slot = *model_.stream.slot, &draft = *draft_.stream.slot;
    int taken = 0;
    for (bool more = true; more && taken < size_; ++taken) {
      Density p, q;
      weigh(model_.model, scored_.at[taken], temperature_, p);
      weigh(draft_.model, draft_.scratch.proposed + std::int64_t{taken} * draft_.scratch.read_row, temperature_, q);
      more = judge(p, q, slot.key, slot.clock + taken, most_tries, value_[taken], tally);
      slot.output = sample_of(model_.model, value_[taken]) + model_.model.pre_emphasis * slot.output;
      heard[taken] = slot.output;
    }
    const int last = taken - 1;
    const float sample = sample_of(model_.model, value_[last]);
    slot.previous = seen(model_, sample, first_ + last);
    draft.previous = seen(draft_, sample, first_ + last);
    draft.output = slot.output;
    slot.clock += taken;
    draft.clock += taken;
    ++tally.windows;
    return taken;
  }

 private:
  const Part &model_, &draft_;
  const int first_, size_;
  const float temperature_;
  float value_[block_samples];
  Rows scored_;
};

inline void speculate(const Part& model, const Part& draft, int frames, int window, Tally& tally) {
  const int hop = model.model.hop;
  for (int frame = 0; frame < frames; ++frame) {
    const float temperature = model.stream.controls[std::int64_t{frame} * frame_channels + 6];
    for (const Part* part : {&model, &draft}) steer(part->model, part->scratch, &part->stream, 1, frame);
    for (int first = 0; first < hop; first += block_samples) {
      const int samples = hop - first < block_samples ? hop - first : block_samples;
      float* heard = model.stream.heard + std::int64_t{frame} * hop + first;
      draw_noise(draft.model, *draft.stream.slot, Purpose::proposal, draft.scratch.choice, draft.scratch.spread);
      for (const Part* part : {&model, &draft}) excite(part->model, part->scratch, &part->stream, 1, first, samples);
      for (int t = 0; t < samples;) {
        Window next(model, draft, t, window < samples - t ? window : samples - t, temperature);
        next.propose();
        next.score();
        t += next.settle(heard + t, tally);
      }
    }
    for (const Part* part : {&model, &draft}) keep_amplitudes(part->model, part->scratch, &part->stream, 1);
  }
}

} // namespace ostinato::inline OSTINATO_ISA
