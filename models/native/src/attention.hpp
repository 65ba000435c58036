// Causal attention of one stream over a ring of steps, as models/attention.py: the present step, then the window.
//
// Keys lie with the window along the lanes, so that a score is a running sum over channels and no lane is summed across;
// values lie a row a step. Sums go in the ring's own order, which the stream's position decides alone.
#pragma once

#include "functions.hpp"
#include "heads.hpp"
#include "rows.hpp"

namespace ostinato::inline OSTINATO_ISA {

constexpr float unseen = -1e30f; // a score that leaves nothing
constexpr int value_chains = 4;

// Cosines and sines of every pair of channels at a position. Angles wrap as turns do, in integers.
struct Rotation {
  alignas(64) float cosine[most_pairs], sine[most_pairs];

  OSTINATO_INLINE void stand_at(const Attention& a, std::int64_t position) {
    alignas(64) std::int32_t angle[most_pairs];
    const int pairs = a.head_width / 2;
    for (int i = 0; i < pairs; ++i)
      angle[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(position) * a.frequencies[i] >> 8);
    for (int i = pairs; i % lanes; ++i) angle[i] = 0;
    for (int i = 0; i < pairs; i += lanes) {
      const SineCosine turned = sine_cosine(load(angle + i));
      store(cosine + i, turned.cosine);
      store(sine + i, turned.sine);
    }
  }

  // Turns the pairs (i, i + d / 2) of a head's channels in place.
  OSTINATO_INLINE void turn(float* channels, int head_width) const {
    const int pairs = head_width / 2;
    for (int i = 0; i < pairs; ++i) {
      const float a = channels[i], b = channels[pairs + i];
      channels[i] = a * cosine[i] - b * sine[i];
      channels[pairs + i] = a * sine[i] + b * cosine[i];
    }
  }
};

// Where a layer's rings lie: keys [kv_heads][head_width][window_row], values [kv_heads][window][head_row].
OSTINATO_INLINE float* keys_of(const Attention& a, float* rings, int group) {
  return rings + std::int64_t{group} * a.head_width * a.window_row;
}
OSTINATO_INLINE float* values_of(const Attention& a, float* rings, int group) {
  return keys_of(a, rings, a.kv_heads) + std::int64_t{group} * a.window * a.head_row;
}

// Keys and values of the present step into the rings.
OSTINATO_INLINE void write_rings(const Attention& a, float* rings, int here, const float* keys, const float* values) {
  for (int g = 0; g < a.kv_heads; ++g)
    for (int c = 0; c < a.head_width; ++c) {
      keys_of(a, rings, g)[std::int64_t{c} * a.window_row + here] = keys[g * a.head_width + c];
      values_of(a, rings, g)[std::int64_t{here} * a.head_row + c] = values[g * a.head_width + c];
    }
}

// Softmax of the scores of a query over the first `seen` steps of a ring of keys: [window_row], the others nothing.
OSTINATO_INLINE void weigh_steps(const Attention& a, const float* query, const float* keys, int seen, float* weights) {
  alignas(64) float sums[pad_outputs] = {};
  for (int w = 0; w < a.window_row; w += lanes) {
    Floats score{};
    for (int c = 0; c < a.head_width; ++c)
      score = mul_add(all(query[c]), load(keys + std::int64_t{c} * a.window_row + w), score);
    store(weights + w, score);
  }
  for (int w = seen; w < a.window_row; ++w) weights[w] = unseen;
  const float largest = largest_of(weights, a.window_row / pad_outputs);
  for (int w = 0; w < a.window_row; w += lanes) {
    const Floats e = exp(load(weights + w) - largest);
    store(weights + w, e);
    store(sums + w % pad_outputs, load(sums + w % pad_outputs) + e);
  }
  const Floats total = all(sum_of_line(sums));
  for (int w = 0; w < a.window_row; w += lanes) store(weights + w, load(weights + w) / total);
}

// The weighted sum of the first `seen` rows of values: [head_row].
OSTINATO_INLINE void sum_values(const Attention& a, const float* weights, const float* values, int seen, float* said) {
  for (int c = 0; c < a.head_row; c += lanes) {
    Floats sum[value_chains]{};
    for (int w = 0; w < seen; w += value_chains)
      for (int chain = 0; chain < value_chains && w + chain < seen; ++chain)
        sum[chain] = mul_add(all(weights[w + chain]), load(values + std::int64_t{w + chain} * a.head_row + c), sum[chain]);
    store(said + c, (sum[0] + sum[1]) + (sum[2] + sum[3]));
  }
}

// What a stream hears at a position: `heard` holds its queries, keys and values, `said` becomes [heads][head_row].
inline void attend(const Attention& a, const Rotation& rotation, float* rings, std::int64_t position, float* heard,
                   float* said) {
  const int d = a.head_width;
  float* keys = heard + a.heads * d;
  for (int h = 0; h < a.heads + a.kv_heads; ++h) rotation.turn(heard + h * d, d); // keys follow the queries
  write_rings(a, rings, static_cast<int>(position % a.window), keys, keys + a.kv_heads * d);
  for (int c = 0; c < a.heads * d; ++c) heard[c] *= a.inverse_root;
  const int seen = position + 1 < a.window ? static_cast<int>(position) + 1 : a.window;
  alignas(64) float weights[most_window];
  for (int h = 0; h < a.heads; ++h) {
    const int group = h / (a.heads / a.kv_heads);
    weigh_steps(a, heard + h * d, keys_of(a, rings, group), seen, weights);
    sum_values(a, weights, values_of(a, rings, group), seen, said + std::int64_t{h} * a.head_row);
  }
}

} // namespace ostinato::inline OSTINATO_ISA
