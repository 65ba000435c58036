// A hybrid: latents drawn once a hop from those before, and all samples of the hop decoded from them at once.
//
// As models/hybrid_network.py. The stack takes one step a hop, over latents; prior and decoder share what it says.
#pragma once

#include "at_once.hpp"
#include "heads.hpp"
#include "shaped_noise.hpp"
#include "stack.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float narrowest_prior = -6.0f, widest_prior = 2.0f;                   // natural logs
constexpr float least_gain = -8.0f, most_gain = 1.5f, most_cepstrum = 4.0f;

OSTINATO_INLINE float* remembered(const Stream& stream, std::int64_t at) {
  return reinterpret_cast<float*>(stream.rings) + at;
}

OSTINATO_INLINE float temperature_of(const Stream& stream, int frame) {
  return stream.controls[std::int64_t{frame} * frame_channels + 6];
}

// The normals of a hop's latents: [latents], padded ones too.
inline void draw_latent_noise(const Model& m, const Slot& slot, float* normals) {
  alignas(64) float choice[block_samples], second[block_samples];
  for (int first = 0; first < m.hybrid.latents; first += block_samples) {
    for (int i = 0; i < block_samples; ++i) {
      const int at = first + i;
      const Words words = philox(slot.key, static_cast<std::uint64_t>(slot.clock), static_cast<std::uint32_t>(at / 2),
                                 Purpose::latent);
      choice[i] = uniform(words.at[at % 2 * 2]);
      second[i] = uniform(words.at[at % 2 * 2 + 1]);
    }
    spread_of(m, choice, second, normals + first);
  }
}

// What the stack says of the latents before; scratch.read or scratch.skip.
inline Rows latent_context(const Model& m, const Scratch& s, const Stream* streams, const Rows& latents) {
  const Rows hidden = evenly(s.hidden, m.residual, latents.count);
  fill(hidden, m.residual, 0.0f);
  dense(m.hybrid.input, latents, hidden, hidden);
  const Rows context = run_stack_by_hop(m, s, streams, latents.count);
  map(context, context, m.hybrid.prior.inputs, [](Floats v) { return greater(v, Floats{}); });
  return context;
}

// The next latents, in place of those before. The lanes past them stay 0, as weights and memory are there.
inline void draw_latents(const Model& m, const Scratch& s, const Stream* streams, int frame, const Rows& context,
                         const Rows& latents) {
  const int d = m.hybrid.latents;
  const Rows prior = evenly(s.prior, m.hybrid.prior.outputs, latents.count);
  fill(prior, m.hybrid.prior.outputs, 0.0f);
  dense(m.hybrid.prior, context, prior, prior);
  for (int n = 0; n < latents.count; ++n) {
    alignas(64) float normals[most_latents];
    draw_latent_noise(m, *streams[n].slot, normals);
    const Floats temperature = all(temperature_of(streams[n], frame));
    for (int i = 0; i < d; i += lanes) {
      const Floats mean = mul_add(load(m.hybrid.memory + i), load(latents.at[n] + i), load(prior.at[n] + i));
      const Floats deviation = exp(clamp(load(prior.at[n] + d + i), narrowest_prior, widest_prior));
      const Floats spread = load(m.hybrid.real + i) * deviation * (load(normals + i) * temperature);
      store(latents.at[n] + i, mean + spread);
    }
  }
}

// What they make of the hop: gains and turns of the tone, gain and cepstrum of the noise, each from a whole line on.
inline Rows decode_latents(const Model& m, const Scratch& s, const Rows& context, const Rows& latents) {
  const Hybrid& h = m.hybrid;
  const Rows units = evenly(s.units, h.of_context.outputs, latents.count);
  const Rows moves = evenly(s.moves, h.of_units.outputs, latents.count);
  fill(units, h.of_context.outputs, 0.0f);
  dense(h.of_context, context, units, units);
  dense(h.of_latents, latents, units, units);
  map(units, units, h.of_units.inputs, [](Floats v) { return greater(v, Floats{}); });
  fill(moves, h.of_units.outputs, 0.0f);
  dense(h.of_units, units, moves, moves);
  dense(h.straight, latents, moves, moves);
  return moves;
}

// Levels, phases and scale as stated, moved: in place, before they become amplitudes.
inline void move_tone(const Model& m, float* stated, const float* moves) {
  const int row = m.tone_row;
  for (int k = 0; k < row; k += lanes) {
    const Floats level = lesser(load(stated + k), all(loudest));
    store(stated + k, level + clamp(load(moves + k), least_gain, most_gain));
    store(stated + row + k, load(stated + row + k) + load(moves + row + k));
  }
  const Floats scale = clamp(all(stated[2 * row]), quietest_scale, widest_scale);
  stated[2 * row] = (scale + clamp(all(moves[2 * row]), least_gain, most_gain))[0];
}

// The noise of a hop, into scratch.left, by a filter that holds the scale.
inline void filter_noise(const Model& m, const Scratch& s, const Stream& stream, int n, int frame, float* cepstrum) {
  const Hybrid& h = m.hybrid;
  const Floats temperature = all(temperature_of(stream, frame));
  float *before = remembered(stream, h.past_filter), *past = remembered(stream, h.past_noise);
  float* white = s.white + h.taps;
  for (int k = 0; k < h.cepstrum; k += lanes)
    store(cepstrum + k, clamp(load(cepstrum + k), -most_cepstrum, most_cepstrum) * load(h.slopes + k));
  impulse_response(cepstrum, h.cepstrum, s.held[n].scale, h.response, s.sums, s.filter);
  for (int i = 0; i < h.taps; i += lanes) store(s.white + i, load(past + i));
  Slot ahead = *stream.slot;
  for (int first = 0; first < m.hop; first += block_samples, ahead.clock += block_samples) {
    alignas(64) float choice[block_samples], shaped[block_samples];
    draw_noise(m, ahead, Purpose::sample, choice, white + first);
    for (int t = 0; t < block_samples; t += lanes) store(white + first + t, load(white + first + t) * temperature);
    shape_noise(before, s.filter, h.taps, white + first, first, m.hop, shaped);
    const int samples = m.hop - first < block_samples ? m.hop - first : block_samples;
    __builtin_memcpy(s.left + std::int64_t{n} * m.hop + first, shaped, sizeof(float) * static_cast<std::size_t>(samples));
  }
  for (int i = 0; i < h.taps; i += lanes) {
    store(past + i, load(s.white + m.hop + i));
    store(before + i, load(s.filter + i));
  }
  s.held[n].scale = 1.0f;
}

struct ByLatents {
  void operator()(const Model& m, const Scratch& s, const Stream* streams, int count, int frame) const {
    Rows latents;
    for (int n = 0; n < count; ++n) latents.add(remembered(streams[n], m.hybrid.past_latents));
    const Rows context = latent_context(m, s, streams, latents);
    draw_latents(m, s, streams, frame, context, latents);
    const Rows moves = decode_latents(m, s, context, latents);
    for (int n = 0; n < count; ++n) move_tone(m, s.amplitudes + std::int64_t{n} * m.tone.outputs, moves.at[n]);
    sound_tone(m, s, count);
    for (int n = 0; n < count; ++n) filter_noise(m, s, streams[n], n, frame, moves.at[n] + m.tone.outputs);
  }
};

} // namespace ostinato::inline OSTINATO_ISA
