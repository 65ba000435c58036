// What a control frame says of its hop, taken once per hop: pitch, what is added before every gate, and the tone.
#pragma once

#include "functions.hpp"
#include "pitch.hpp"
#include "rows.hpp"
#include "tone.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float onset_times[] = {0.005f, 0.02f, 0.08f, 0.32f, 1.28f}; // seconds, as models/controls.py
constexpr float release_times[] = {0.01f, 0.04f, 0.16f};
constexpr int onsets = sizeof onset_times / sizeof(float), releases = sizeof release_times / sizeof(float);
static_assert(4 + onsets + releases == feature_channels);

constexpr double audible = 0.45; // harmonics above this share of the sample rate are silent

// What the control network sees of a frame.
OSTINATO_INLINE void control_features(const float* frame, float* features) {
  const float note = frame[0], velocity = frame[1], gate = frame[2], since_onset = frame[3], since_release = frame[4];
  const float pitch = (note - 69.0f) / 12.0f;
  alignas(64) float decay[pad_outputs] = {};
  for (int i = 0; i < onsets; ++i) decay[i] = -since_onset / onset_times[i];
  for (int i = 0; i < releases; ++i) decay[onsets + i] = -since_release / release_times[i];
  for (int i = 0; i < pad_outputs; i += lanes) store(decay + i, exp(load(decay + i)));
  features[0] = pitch;
  features[1] = pitch * pitch;
  features[2] = velocity;
  features[3] = gate;
  for (int i = 0; i < onsets; ++i) features[4 + i] = decay[i];
  for (int i = onsets; i < onsets + releases; ++i) features[4 + i] = (1.0f - gate) * decay[i];
}

// Row of the embedding table; an index outside it, which the sampler refuses, takes the nearest entry.
OSTINATO_INLINE const float* global_entry(const Model& m, float index) {
  int entry = index > 0.0f ? (index < 4096.0f ? static_cast<int>(index) : 4096) : 0;
  if (entry >= m.global_entries) entry = m.global_entries - 1;
  return m.global_entries_table + static_cast<std::int64_t>(entry) * m.global_channels;
}

// The phase's step, and how many of the harmonics needed it leaves audible.
OSTINATO_INLINE void hold_pitch(const Model& m, float note, Held& held) {
  const double hertz = frequency(note, m.sample_rate), highest = audible * m.sample_rate;
  const int needed = m.harmonics > m.tone_harmonics ? m.harmonics : m.tone_harmonics;
  held.step = increment(hertz, m.sample_rate);
  for (held.heard = 0; held.heard < needed && (held.heard + 1) * hertz <= highest;) ++held.heard;
}

// Fills scratch.held, scratch.condition (rows of layers x 2 residual, biases included) and, where there is a tone,
// scratch.amplitudes; levels and phases in their place where they are still to be moved.
inline void steer(const Model& m, const Scratch& s, const Stream* streams, int count, int frame) {
  Rows x = evenly(s.narrow[0], s.narrow_row, count), y = evenly(s.narrow[1], s.narrow_row, count);
  fill(x, s.narrow_row, 0.0f);
  for (int n = 0; n < count; ++n) {
    const float* controls = streams[n].controls + std::int64_t{frame} * frame_channels;
    hold_pitch(m, controls[0], s.held[n]);
    if (m.local_layers) control_features(controls, x.at[n]);
    if (!m.global_entries) continue;
    const float* entry = global_entry(m, controls[5]);
    float* to = x.at[n] + (m.local_layers ? feature_channels : 0);
    for (int c = 0; c < m.global_channels; ++c) to[c] = entry[c];
  }
  for (int i = 0; i < m.local_layers; ++i) {
    if (i + 1 == m.local_layers && m.tone_harmonics) state_tone(m, s, x);
    fill(y, s.narrow_row, 0.0f);
    dense(m.local[i], x, y, y);
    map(y, y, m.local[i].outputs, [](Floats v) { return tanh(v); });
    const Rows next = y;
    y = x;
    x = next;
  }
  if (m.tone_harmonics && !moves_tone(m.strategy)) sound_tone(m, s, count);
  const Rows conditions = evenly(s.condition, m.condition.outputs, count);
  fill(conditions, m.condition.outputs, 0.0f);
  dense(m.condition, x, conditions, conditions);
}

} // namespace ostinato::inline OSTINATO_ISA
