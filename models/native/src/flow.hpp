// A flow over frames: a hop's noise through its couplings, all samples of it at once; or given samples back to noise.
//
// As models/flow_network.py. What a stream remembers of each coupling is the half that it read, which is the same in
// both directions.
#pragma once

#include "at_once.hpp"
#include "coupling.hpp"
#include "heads.hpp"

namespace ostinato::inline OSTINATO_ISA {

// Standard noise of a hop, times the temperature: -> scratch.left of one stream.
OSTINATO_INLINE void take_noise(const Model& m, const Scratch& s, const Stream& stream, int n, int frame) {
  const float temperature = stream.controls[std::int64_t{frame} * frame_channels + 6];
  float* left = s.left + std::int64_t{n} * m.hop;
  alignas(64) float choice[block_samples], spread[block_samples];
  Slot at = *stream.slot;
  for (int first = 0; first < m.hop; first += block_samples, at.clock += block_samples) {
    draw_noise(m, at, Purpose::sample, choice, spread);
    for (int t = 0; t < block_samples && first + t < m.hop; ++t) left[first + t] = temperature * spread[t];
  }
}

// The first stream's given samples of a hop, less their tone and in its scale: -> scratch.left. The phase stays where it
// was.
inline void take_given(const Model& m, const Scratch& s, const Stream& stream, int frame) {
  Slot& slot = *stream.slot;
  const std::uint64_t phase = slot.phase;
  const float* forced = stream.forced + std::int64_t{frame} * m.hop;
  float before = slot.output;
  for (int first = 0; first < m.hop; first += block_samples) {
    if (m.tone_harmonics) take_waves(m, s, stream, 0, first);
    for (int t = 0; t < block_samples && first + t < m.hop; ++t) {
      const float sample = forced[first + t] - m.pre_emphasis * before;
      before = forced[first + t];
      s.hop_tone[first + t] = m.tone_harmonics ? s.tone[t] : 0.0f;
      s.left[first + t] = m.tone_harmonics ? (sample - s.tone[t]) * s.held[0].inverse_scale : sample;
    }
    slot.phase += s.held[0].step * std::uint64_t{block_samples};
  }
  slot.phase = phase;
}

// b = b' exp(s) + t of every stream, the last coupling first.
inline void go_to_samples(const Model& m, const Scratch& s, const Stream* streams, int count) {
  const int half = m.flow.half;
  for (int k = m.flow.couplings - 1; k >= 0; --k) {
    const Coupling& c = m.flow.coupling[k];
    const Rows affine = affine_of(m, s, streams, count, c);
    for (int n = 0; n < count; ++n) {
      float* left = s.left + std::int64_t{n} * m.hop;
      take_half(c, m.hop, true, left, s.moved);
      for (int i = 0; i < half; i += lanes)
        store(s.moved + i, mul_add(load(s.moved + i), exp(load(affine.at[n] + half + i)), load(affine.at[n] + i)));
      put_moved(c, m.hop, s.moved, left);
    }
  }
}

// b' = (b - t) exp(-s) of one stream, which lies first; what all couplings make of each place's noise: mean and
// log-scale -> scratch.mean, scratch.log_scale.
inline void go_to_noise(const Model& m, const Scratch& s, const Stream& stream) {
  const int half = m.flow.half;
  std::memset(s.mean, 0, sizeof(float) * m.hop);
  std::memset(s.log_scale, 0, sizeof(float) * m.hop);
  float *row = s.moved, *scales = s.moved + half;
  for (int k = 0; k < m.flow.couplings; ++k) {
    const Coupling& c = m.flow.coupling[k];
    const float* shift = affine_of(m, s, &stream, 1, c).at[0];
    const float* log_scale = shift + half;
    take_half(c, m.hop, true, s.log_scale, row);
    for (int i = 0; i < half; i += lanes) store(scales + i, exp(load(row + i)));
    for (int i = 0; i < half; i += lanes) store(row + i, load(row + i) + load(log_scale + i));
    put_moved(c, m.hop, row, s.log_scale);
    take_half(c, m.hop, true, s.mean, row);
    for (int i = 0; i < half; i += lanes)
      store(row + i, mul_add(load(scales + i), load(shift + i), load(row + i)));
    put_moved(c, m.hop, row, s.mean);
    take_half(c, m.hop, true, s.left, row);
    for (int i = 0; i < half; i += lanes)
      store(row + i, (load(row + i) - load(shift + i)) * exp(-load(log_scale + i)));
    put_moved(c, m.hop, row, s.left);
  }
}

// The head parameters of a hop's given samples, where they are asked for.
inline void weigh_hop(const Model& m, const Scratch& s, const Stream& stream, int frame) {
  take_given(m, s, stream, frame);
  go_to_noise(m, s, stream);
  for (int t = 0; stream.parameters && t < m.hop; ++t) {
    float* parameters = stream.parameters + (std::int64_t{frame} * m.hop + t) * m.parameters;
    parameters[0] = 0.0f; // the logit of a mixture of one
    parameters[m.parameters - 2] = s.mean[t];
    parameters[m.parameters - 1] = s.log_scale[t];
    if (m.tone_harmonics) place(m, s.held[0], s.hop_tone[t], parameters);
  }
}

struct DrawFlow {
  OSTINATO_INLINE void operator()(const Model& m, const Scratch& s, const Stream* streams, int count, int frame) const {
    if (streams[0].forced) return weigh_hop(m, s, streams[0], frame); // a call of given samples is of one stream
    for (int n = 0; n < count; ++n) take_noise(m, s, streams[n], n, frame);
    go_to_samples(m, s, streams, count);
  }
};

} // namespace ostinato::inline OSTINATO_ISA
