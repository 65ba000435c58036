// The sampling loop, compiled once for each instruction set.
//
// Frames one after another, blocks of samples within a frame: what does not wait for the last sample is prepared for
// a whole block, then the samples are drawn one by one, every stream of the group in lockstep. The block grid starts
// at each hop, and calls take whole hops, so how a stream is cut into calls changes nothing.
#include "conditioning.hpp"
#include "excitation.hpp"
#include "heads.hpp"
#include "limits.hpp"
#include "tone.hpp"
#ifdef OSTINATO_INT8
#include "integer_stack.hpp"
#define OSTINATO_PRECISION int8
#else
#include "at_once.hpp"
#include "blocks.hpp"
#include "flow.hpp"
#include "nade.hpp"
#include "stack.hpp"
#define OSTINATO_PRECISION float32
#endif
#include "speculation.hpp" // over either stack

namespace ostinato::inline OSTINATO_ISA {
namespace {

// The input layer: what was prepared, and the last sample's share.
void enter(const Model& m, const Scratch& s, const Place& p) {
  for (int n = 0; n < p.count; ++n) {
    const float* entry = s.entry + (std::int64_t{n} * block_samples + p.t) * m.residual;
    const Floats previous = all(p.streams[n].slot->previous);
    for (int c = 0; c < m.residual; c += lanes)
      store(s.hidden + std::int64_t{n} * m.residual + c, mul_add(previous, load(m.input + c), load(entry + c)));
  }
}

// Draw, or take the forced sample; then what the next sample needs of it.
void leave(const Model& m, const Scratch& s, const Place& p, const Rows& parameters, int frame, std::int64_t at) {
  for (int n = 0; n < p.count; ++n) {
    const Stream& stream = p.streams[n];
    Slot& slot = *stream.slot;
    const int here = n * block_samples + p.t;
    if (m.tone_harmonics) place(m, s.held[n], s.tone[here], parameters.at[n]);
    float sample;
    if (stream.parameters)
      __builtin_memcpy(stream.parameters + at * m.parameters, parameters.at[n], sizeof(float) * m.parameters);
    if (stream.forced) {
      sample = stream.forced[at] - m.pre_emphasis * slot.output;
      slot.output = stream.forced[at];
    } else {
      const float temperature = stream.controls[std::int64_t{frame} * frame_channels + 6];
      sample = draw(m, parameters.at[n], s.choice[here], s.spread[here], temperature);
      slot.output = sample + m.pre_emphasis * slot.output;
    }
    slot.previous = m.tone_harmonics ? (sample - s.tone[here]) * s.held[n].inverse_scale : sample;
    stream.heard[at] = slot.output;
  }
}

// `parameters` gives those of the sample at a place in the block.
template <class Parameters>
void run_block(const Model& m, const Scratch& s, const Stream* streams, int count, int frame, int first, int samples,
               const Parameters& parameters) {
  for (int n = 0; n < count; ++n)
    draw_noise(m, *streams[n].slot, Purpose::sample, s.choice + n * block_samples, s.spread + n * block_samples);
  excite(m, s, streams, count, first, samples);
  for (int t = 0; t < samples; ++t) {
    const Place place{streams, count, t, samples};
    leave(m, s, place, parameters(place), frame, std::int64_t{frame} * m.hop + first + t);
  }
  for (int n = 0; n < count; ++n) streams[n].slot->clock += samples;
}

// Every sample runs the whole stack.
struct BySample {
  OSTINATO_INLINE BySample(const Model&, const Scratch&, const Stream*, int) {}
  OSTINATO_INLINE Rows step(const Model& m, const Scratch& s, const Place& place, int) const {
    enter(m, s, place);
    return run_stack(m, s, place);
  }
};

#ifndef OSTINATO_INT8
// The stack runs once a frame.
struct ByFrame {
  Rows activation;
  OSTINATO_INLINE ByFrame(const Model& m, const Scratch& s, const Stream* streams, int count)
      : activation(begin_frame(m, s, streams, count)) {}
  OSTINATO_INLINE Rows step(const Model& m, const Scratch& s, const Place& place, int at) const {
    return step_nade(m, s, place, activation, at);
  }
};

// A transformer runs once a block.
struct ByBlock {
  OSTINATO_INLINE ByBlock(const Model&, const Scratch&, const Stream*, int) {}
  OSTINATO_INLINE Rows step(const Model& m, const Scratch& s, const Place& place, int at) const {
    return step_blocks(m, s, place, at);
  }
};
#endif

template <class Hop>
void advance(const Model& m, const Scratch& s, const Stream* streams, int count, int frames) {
  for (int done = 0; done < count; done += group_streams) {
    const int group = count - done < group_streams ? count - done : group_streams;
    for (int frame = 0; frame < frames; ++frame) {
      steer(m, s, streams + done, group, frame);
      const Hop hop(m, s, streams + done, group);
      for (int first = 0; first < m.hop; first += block_samples) {
        const int samples = m.hop - first < block_samples ? m.hop - first : block_samples;
        run_block(m, s, streams + done, group, frame, first, samples,
                  [&](const Place& place) { return hop.step(m, s, place, first + place.t); });
      }
      keep_amplitudes(m, s, streams + done, group);
    }
  }
}

void evaluate(int function, const float* in, float* out, int count) {
  for (int i = 0; i < count; i += lanes) {
    const Floats x = load(in + i);
    switch (function) {
      case 0: store(out + i, exp(x)); break;
      case 1: store(out + i, log(x)); break;
      case 2: store(out + i, tanh(x)); break;
      case 3: store(out + i, sine_cosine(__builtin_convertvector(x * 16777216.0f, Ints)).sine); break;
      case 4: store(out + i, sine_cosine(__builtin_convertvector(x * 16777216.0f, Ints)).cosine); break;
      case 5: store(out + i, gate(x, x)); break;
      case 6: store(out + i, sine_cosine_of_radians(x).sine); break;
      default: store(out + i, sine_cosine_of_radians(x).cosine); break;
    }
  }
}

float sample(const Model& m, const float* parameters, const float* uniforms, float temperature) {
  alignas(64) float choice[block_samples], second[block_samples], spread[block_samples];
  for (int t = 0; t < block_samples; ++t) {
    choice[t] = uniforms[0];
    second[t] = uniforms[m.draws - 1];
  }
  spread_of(m, choice, second, spread);
  alignas(64) float row[65536] = {};
  for (int i = 0; i < m.parameters; ++i) row[i] = parameters[i];
  return draw(m, row, choice[0], spread[0], temperature);
}

float judge_one(const Model& m, const float* parameters, const Model& draft, const float* proposed, float temperature,
                std::uint64_t key, std::int64_t sample, int tries, Tally& tally) {
  alignas(64) float of_model[65536] = {}, of_draft[65536] = {}, drawn_from[65536] = {};
  for (int i = 0; i < m.parameters; ++i) of_model[i] = parameters[i];
  for (int i = 0; i < draft.parameters; ++i) of_draft[i] = drawn_from[i] = proposed[i];
  const Noise noise = noise_of(draft, philox(key, static_cast<std::uint64_t>(sample), 0, Purpose::proposal));
  float value = draw_value(draft, drawn_from, noise.choice, noise.spread, temperature);
  Density p, q;
  weigh(m, of_model, temperature, p);
  weigh(draft, of_draft, temperature, q);
  judge(p, q, key, sample, tries, value, tally);
  return sample_of(m, value);
}

#ifdef OSTINATO_INT8
constexpr int levels_together = together<Level>, levels_raised = raised;
#define OSTINATO_FLOATS_ALONE(advance) nullptr
#else
constexpr int levels_together = 0, levels_raised = 0; // has none
#define OSTINATO_FLOATS_ALONE(advance) advance
#endif

#define OSTINATO_TEXT_OF(x) #x
#define OSTINATO_TEXT(x) OSTINATO_TEXT_OF(x)
constexpr Kernel kernel{OSTINATO_TEXT(OSTINATO_NAME),
                        OSTINATO_TEXT(OSTINATO_PRECISION),
                        levels_together,
                        levels_raised,
                        {advance<BySample>, OSTINATO_FLOATS_ALONE(advance<ByFrame>), OSTINATO_FLOATS_ALONE(advance<ByBlock>),
                         OSTINATO_FLOATS_ALONE(advance_at_once<DrawFlow>)},
                        speculate,
                        evaluate,
                        sample,
                        judge_one,
                        read_rate,
                        multiply_rate};

} // namespace
} // namespace ostinato::inline OSTINATO_ISA

#define OSTINATO_JOIN_OF(a, b) a##b
#define OSTINATO_JOIN(a, b) OSTINATO_JOIN_OF(a, b)
const ostinato::Kernel* ostinato::OSTINATO_JOIN(OSTINATO_ISA, _kernel)() { return &kernel; }
