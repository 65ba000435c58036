// A packed model, its slots and its scratch as plain data: what the packer fills and every kernel reads.
//
// No code here, so that all translation units may share it.
#pragma once

#include "networks.hpp"

#include <cstddef>
#include <cstdint>

namespace ostinato {

constexpr int group_streams = 16;    // streams advanced in lockstep
constexpr int block_samples = 16;    // samples whose noise, phase, harmonics and tone are prepared together
constexpr int ahead_rows = 8;        // streams x samples whose past taps are taken ahead, one tile of work
constexpr int frame_channels = 7;    // note, velocity, gate, since_onset, since_release, instrument, temperature
constexpr int feature_channels = 12; // pitch, pitch^2, velocity, gate, then decays since onset and since release

struct Layer {
  std::int32_t dilation;
  std::int64_t ring; // floats from the start of a slot's rings
  std::int64_t mask; // ring length - 1, a power of two less one
  const Matrix* past; // kernel_size - 1 of them, oldest first; outputs: filter, padding, gate, padding
  Matrix current;
  Matrix skip;
  Matrix residual; // weights are null in the last layer
};

// y = W x of levels, with W as [inputs / together][outputs][together] as the kernel multiplies. Sums start from the
// bias, less what raising the levels adds.
template <class Weight>
struct Integers {
  const Weight* weights;
  const std::int32_t* start;
  const float* scale;   // of one unit of an output
  std::int32_t inputs;  // padded
  std::int32_t outputs; // padded
};

// A layer in int8. Its ring holds levels.
struct IntegerLayer {
  std::int32_t dilation;
  std::int64_t ring;                // bytes from the start of a slot's rings
  std::int64_t mask;                // ring length - 1, a power of two less one
  Integers<std::int8_t> tap;        // the oldest, the others behind it; filter outputs, padding, gate outputs, padding
  Integers<std::int8_t> residual;   // none in the last layer
  float hidden_levels, gate_levels; // levels a unit of what enters the layer, and of what its gate lets through
};

// A matrix of the head in 16 bits, and the levels of what enters it.
struct IntegerHead {
  Integers<std::int16_t> matrix;
  const float* bias;
  float levels, top;
};

enum class HeadKind : std::int32_t { mu_law, logistics, gaussian };

// What draws the samples of a hop.
enum class Strategy : std::int32_t { wavenet, nade, blocks, flow, hybrid };
constexpr int strategies = 5;

// Whether all samples of a hop are drawn at once (at_once.hpp), and not each from the one before it.
constexpr bool draws_at_once(Strategy strategy) { return strategy > Strategy::blocks; }

// Whether what is drawn moves the tone, so that it can't be sounded as it is stated.
constexpr bool moves_tone(Strategy strategy) { return strategy == Strategy::hybrid; }

struct Model {
  Strategy strategy;
  std::int32_t sample_rate, hop, residual, skip, layers, past_taps; // residual and skip are padded
  std::int32_t harmonics;                // at the input
  std::int32_t tone_harmonics, tone_row; // 0 without a tone; the row is padded
  std::int32_t local_layers, global_entries, global_channels, head_layers;
  std::int32_t parameters, components, draws; // head parameters and components are not padded
  HeadKind head;
  float log_scale_min, amplitude, pre_emphasis;
  const Matrix* local;         // local_layers of them, 0 without a control network
  Matrix tone;                 // last hidden layer -> levels, phases, log-scale, each padded; none without a tone
  const float* global_entries_table; // [entries][channels]
  Matrix condition;            // C -> what it adds, side by side: of a stack layers x 2 residual, biases folded in
  Matrix excitation;           // 2 harmonics -> residual, the input's bias folded in; of a NADE -> units, no bias
  const float* input;          // [residual]: the last sample's column of the input layer
  const Layer* layer;                // of float32
  const Matrix* head_matrix;         // head_layers of them
  const IntegerLayer* integer_layer; // of int8
  Integers<std::int8_t> skip_sum;    // of all layers' gates side by side; one scale an output
  const IntegerHead* integer_head;   // head_layers of them
  const float* levels;         // mu-law: the sample of each level
  Nade nade;
  Flow flow;
  Blocks blocks;
  Hybrid hybrid;
};

// What a slot holds ahead of its rings. The tone's amplitudes at the last hop's end follow at the next 64-byte line
// (rows of sines and cosines), and the rings behind them.
struct alignas(64) Slot {
  std::uint64_t key;
  std::uint64_t phase; // 2^64 a turn
  std::uint64_t shape; // fingerprint of the model it belongs to
  std::int64_t clock;  // samples since reset
  float previous;      // last sample in the model's domain, less its tone, in its scale
  float output;        // last sample heard
};

// One stream of a call: frames of control in, samples out.
struct Stream {
  Slot* slot;
  float* amplitudes;
  std::byte* rings;
  const float* controls; // [frames][frame_channels]
  float* heard;          // [frames * hop]
  const float* forced;   // the same, or null to draw
  float* parameters;     // [frames * hop][parameters], or null
};

// What holds for one stream over one hop.
struct Held {
  std::uint64_t step;                    // phase per sample, 2^64 a turn
  std::int32_t heard;                    // harmonics low enough to sound
  float log_scale, scale, inverse_scale; // of what the tone leaves
};

// What became of the windows of a call.
struct Tally {
  std::int64_t windows, proposed, accepted, enumerated; // enumerated: draws by max(0, p - q) that took the long way
};

// Of blocks, rows that hold for the present one: [group] of each, but for `units`.
struct BlockRows {
  float *normed, *heard, *said, *up, *taps, *activation;
  float* units;   // [block][units]
  float* planned; // [group][block][head parameters]
};

// Scratch of one group, allocated once. Every row starts on a 64-byte line.
struct Scratch {
  Held* held;        // [group]
  float* narrow[2];  // [group][widest activation of the control network]: layers read the one and write the other
  float* amplitudes; // [group][3 tone rows]: of sines, of cosines, the log-scale
  float* condition;  // [group][what the condition adds]
  float* waves;      // [block][2 harmonics padded]
  float* tone;       // [group][block]
  float* entry;      // [group][block][residual]: the input layer without the last sample; of a NADE [units]
  float* past;       // [layers][rows][2 residual]; of float32
  float* gates;      // [group][2 residual]; of float32
  float* hidden;     // [group][residual]
  float* active[2];  // [group][residual]: gated activations of this layer and the one before; of float32
  float* skip;       // [group][skip]; of float32
  float* read[2];    // [group][widest head layer]
  float* units;      // [group][units]: of a NADE, the hidden units of one sample; of a hybrid, its decoder's
  float* drawn;      // [group][head parameters]: of a NADE
  BlockRows blocks;
  float* left;       // [group][hop]: of strategies that draw a hop at once, what is added to the tone
  float* taps;         // [group][read of each frame]: of a flow's coupling
  float* read_of_taps; // [group][filter, gate, lines, shift]
  float* affine;       // [group][shift, log-scale]
  float* moved;        // [2][half a hop]
  float* mean;         // [hop]: of given samples, what the couplings so far add to the noise of each place
  float* log_scale;    // [hop]: and what it is multiplied by
  float* hop_tone;     // [hop]: of given samples
  float* prior;      // [group][2 latents]: of a hybrid, as its other rows below
  float* moves;      // [group][what the decoder says of a hop]
  float* white;      // [taps + hop]: noise of one stream
  float* filter;     // [taps]
  float* sums;       // [taps + cepstrum]
  float* choice;     // [group][block]: uniform that chooses a level or component, or its logit
  float* spread;     // [group][block]: standardised deviation from its centre
  std::int32_t* past_sums; // [layers][rows][2 residual]; of int8
  void* hidden_levels;     // [group][taps, the current one last][residual] levels
  void* past_levels;       // [rows][past taps][residual] levels
  void* gate_levels;       // [group][layers * residual] levels
  std::int16_t* read_levels[2]; // [group][widest head layer]
  float* proposed;  // [block][head parameters]: of each proposal; where windows are scored
  std::int32_t narrow_row, waves_row, read_row; // row lengths in floats
  std::int32_t past_rows;                       // rows per layer
};

// One of the two models of a speculation, with its state of the stream.
struct Part {
  const Model& model;
  const Scratch& scratch;
  const Stream& stream;
};

// Scales and conditions of int8 layers are packed as powers of 2 that their tanh and sigmoid take.
constexpr float tanh_exponent = -2.0f * 1.44269504f, sigmoid_exponent = -1.44269504f;

// What one instruction set offers, for weights of one precision.
struct Kernel {
  const char* name;
  const char* precision;
  std::int32_t together; // levels of 8 bits that are multiplied as one word
  std::int32_t raised;   // what is added to each of them
  // By strategy; null where there is none for weights of this precision.
  void (*advance[strategies])(const Model&, const Scratch&, const Stream* streams, int count, int frames);
  // Frames of one stream, by windows of a draft's proposals that the model judges.
  void (*speculate)(const Part& model, const Part& draft, int frames, int window, Tally&);
  // For tests: evaluate a function of vectors.hpp over an array; `count` is a multiple of 16.
  void (*evaluate)(int function, const float* in, float* out, int count);
  // For tests: draw one sample from given head parameters, uniforms and temperature.
  float (*sample)(const Model&, const float* parameters, const float* uniforms, float temperature);
  // For tests: judge a draft's proposal for a sample of a key; the value drawn, and whether it is the proposal.
  float (*judge)(const Model&, const float* parameters, const Model& draft, const float* draft_parameters,
                 float temperature, std::uint64_t key, std::int64_t sample, int tries, Tally&);
  // Limits of the machine: bytes a second over a buffer of that size, multiply-adds a second from registers.
  double (*read_rate)(std::size_t bytes);
  double (*multiply_rate)();
};

const Kernel* avx512_float32_kernel();
const Kernel* avx512_int8_kernel();
const Kernel* avx2_float32_kernel();
const Kernel* avx2_int8_kernel();
const Kernel* portable_float32_kernel();
const Kernel* portable_int8_kernel();

} // namespace ostinato
