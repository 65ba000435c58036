// What each strategy has beside the layers of a stack, as plain data; `Model` holds one of each.
#pragma once

#include "matrix.hpp"

#include <cstdint>

namespace ostinato {

// A NADE over frames of one hop; the layers are then a stack whose step is a frame.
struct Nade {
  std::int32_t units;   // padded; 0 where each sample runs the stack
  Matrix frame;         // hop -> residual: the frame before enters the stack
  Matrix before;        // hop -> units: and the activation, as it is
  const float* weights; // [hop][units]: what each sample of a frame adds to the running activation
  const Matrix* output; // hop of them: units -> head parameters
  std::int64_t past;    // where the frame lies, floats from the start of a slot's rings
};

// An affine coupling over frames of one hop, whose half that is moved has a bit of its place set, or has it clear.
struct Coupling {
  Matrix read;   // what is read of each frame, oldest first -> filter, gate, lines, shift; each padded
  Matrix output; // gated units -> shift, log-scale
  Matrix shift;  // lines -> shift
  std::int64_t condition; // where what the condition adds lies: that of `read`, the lines' gains, the log-scale
  std::int64_t past;      // where what was read of the frames before lies, floats from the start of a slot's rings
  std::int32_t bit;
  bool moves_set;
};

struct Flow {
  std::int32_t couplings, units, lines, half; // of each; units, lines and half a hop are padded
  std::int32_t past_frames;
  const Coupling* coupling; // from samples to noise
};

constexpr int most_pairs = 64;    // of channels that turn together, in a head of attention
constexpr int most_window = 4096; // steps that attention sees
constexpr float norm_epsilon = 1e-5f;

// Attention over the last `window` steps of a stream. Rows are padded to whole lines.
struct Attention {
  std::int32_t heads, kv_heads, head_width, head_row, window, window_row;
  float inverse_root;               // of the width of a head
  const std::uint32_t* frequencies; // of each pair of channels: 2^32 a turn, from one step to the next
};

struct BlockLayer {
  const float *attention_norm, *forward_norm; // [width]
  Matrix heard;                               // width -> queries, keys, values, as they follow each other
  Matrix said;                                // what each head says, from a whole line on -> width
  Matrix up;                                  // width -> values, padding, gates, padding
  Matrix down;
};

// A transformer whose step is a block of samples. `nade` holds the head inside: its units, and an output for each
// place, or one for all where the samples of a block are independent.
struct Blocks {
  std::int32_t samples, before, width, layers, taps_taken; // width and taps are not padded
  Attention attention;
  const BlockLayer* layer;
  Matrix input;                // before -> width
  const float* norm;           // [width], of what the layers end in
  Matrix context, as_they_are; // width, and before -> units
  Matrix taps;                 // width -> taps, oldest first
  const float* places;         // [samples][units]: what tells independent places apart; null for a NADE
  std::int64_t ring_floats;    // of a layer
  std::int64_t recent;         // where the samples before a block lie, floats from the start of a slot's rings
};

constexpr int most_latents = 64;

// Latents drawn once a hop, and their decoder; the layers are then a stack over latents, whose step is a hop.
struct Hybrid {
  std::int32_t latents, cepstrum, taps; // padded; no latents where there is no hybrid
  std::int32_t response;                // taps that are not 0
  Matrix input;             // latents -> residual
  Matrix prior;             // context -> means, log-deviations
  Matrix of_context;        // context -> units of the decoder
  Matrix of_latents;        // latents -> the same
  Matrix of_units;          // units -> gains, turns, the noise's gain, its cepstrum
  Matrix straight;          // latents -> the same
  const float* memory;      // [latents]: how much of itself each remembers
  const float* real;        // [latents]: 1, and 0 in the lanes past them
  const float* slopes;      // [cepstrum]: 1, 2, ...
  std::int64_t past_latents, past_filter, past_noise; // floats from the start of a slot's rings
};

} // namespace ostinato
