// What a control frame adds before every gate, taken once per hop: local network, global vector, projection.
#pragma once

#include "functions.hpp"
#include "pitch.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

// What the control network sees of a frame; rates as models/controls.py.
OSTINATO_INLINE void control_features(const float* frame, float* features) {
  const float note = frame[0], velocity = frame[1], gate = frame[2], since_onset = frame[3], since_release = frame[4];
  const float pitch = (note - 69.0f) / 12.0f;
  features[0] = pitch;
  features[1] = pitch * pitch;
  features[2] = velocity;
  features[3] = gate;
  features[4] = static_cast<float>(exp(-8.0 * since_onset));
  features[5] = (1.0f - gate) * static_cast<float>(exp(-12.0 * since_release));
}

// Row of the embedding table; an index outside it, which the sampler refuses, takes the nearest entry.
OSTINATO_INLINE const float* global_entry(const Model& m, float index) {
  int entry = index > 0.0f ? (index < 4096.0f ? static_cast<int>(index) : 4096) : 0;
  if (entry >= m.global_entries) entry = m.global_entries - 1;
  return m.global_entries_table + static_cast<std::int64_t>(entry) * m.global_channels;
}

// Fills scratch.condition: rows of layers x 2 residual, biases included.
inline void project_conditions(const Model& m, const Scratch& s, const Stream* streams, int count, int frame) {
  const Rows first = evenly(s.features, s.narrow_row, count), second = evenly(s.narrow, s.narrow_row, count);
  fill(first, s.narrow_row, 0.0f);
  if (m.local[0].weights) {
    for (int n = 0; n < count; ++n)
      control_features(streams[n].controls + std::int64_t{frame} * frame_channels, first.at[n]);
    const auto tanh_of = [](Floats v) { return tanh(v); };
    fill(second, s.narrow_row, 0.0f);
    dense(m.local[0], first, second, second);
    map(second, second, m.local[0].outputs, tanh_of);
    fill(first, s.narrow_row, 0.0f);
    dense(m.local[1], second, first, first);
    map(first, first, m.local[1].outputs, tanh_of);
  }
  if (m.global_entries)
    for (int n = 0; n < count; ++n) {
      const float* entry = global_entry(m, streams[n].controls[std::int64_t{frame} * frame_channels + 5]);
      for (int c = 0; c < m.global_channels; ++c) first.at[n][m.local_channels + c] = entry[c];
    }
  const Rows conditions = evenly(s.condition, m.condition.outputs, count);
  fill(conditions, m.condition.outputs, 0.0f);
  dense(m.condition, first, conditions, conditions);
}

} // namespace ostinato::inline OSTINATO_ISA
