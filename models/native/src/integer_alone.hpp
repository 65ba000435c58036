// One stream through the layers, of widths known beforehand.
//
// Nothing but the levels leaves registers between two layers. The past taps of a layer are taken ahead, for several
// samples at once, off the critical path; while a layer's gate waits on its powers and its division, the layer before
// adds to the skip sums.
#pragma once

#include "integer_layer.hpp"

namespace ostinato::inline OSTINATO_ISA {

// Past taps of the next `samples` samples of one layer, into rows of scratch.past_sums.
inline void take_past(const Model& m, const Scratch& s, const Place& p, int index, int samples) {
  const IntegerLayer& layer = m.integer_layer[index];
  const int r = m.residual, width = 2 * r, reach = m.past_taps * r;
  const EvenRows<Level> x{static_cast<Level*>(s.past_levels), reach};
  std::int32_t* sums = s.past_sums + std::int64_t{index} * s.past_rows * width;
  for (int j = 0; j < samples; ++j)
    for (int tap = 0; tap < m.past_taps; ++tap) {
      const std::int64_t delay = std::int64_t{m.past_taps - tap} * layer.dilation;
      const std::int64_t sample = p.streams[0].slot->clock + p.t + j - delay;
      raise(ring_row(m, layer, p.streams[0], sample), x.at(j) + tap * r, r);
      fetch_soon(m, ring_row(m, layer, p.streams[0], sample + samples));
    }
  const Integers<std::int8_t> past{layer.tap.weights, layer.tap.start, layer.tap.scale, reach, width};
  dense(past, x, samples, [&](int, int column) { return load(past.start + column); },
        [&](int j, int column, Ints sum) { store(sums + j * width + column, sum); });
}

// Past taps of all layers, where it is their turn.
inline void take_due_past(const Model& m, const Scratch& s, const Place& p) {
  for (int index = 0; index < m.layers; ++index) {
    const int stride = ahead(m.integer_layer[index].dilation, 1), left = p.samples - p.t;
    if (p.t % stride == 0) take_past(m, s, p, index, left < stride ? left : stride);
  }
}

// sums += W x, over rows of Width vectors that lie one after another. Few sums wait for each other's products, so they
// are taken in several chains.
template <int Inputs, int Width>
OSTINATO_INLINE void add_products(const std::int8_t* from, const Level* x, Ints (&sum)[Width]) {
  constexpr int words = Inputs / together<Level>, chains = Width >= 8 ? 1 : Width >= 4 ? 2 : 4;
  Ints other[chains][Width]{};
#pragma GCC unroll 32
  for (int i = 0; i < words; ++i) {
    const Ints levels = word(x + i * together<Level>);
#pragma GCC unroll 16
    for (int v = 0; v < Width; ++v) {
      const std::int8_t* at = from + (i * Width + v) * lanes * together<Level>;
      Ints& to = i % chains ? other[i % chains][v] : sum[v];
      to = dot<std::int8_t>(to, levels, weights(at));
    }
  }
#pragma GCC unroll 4
  for (int chain = 1; chain < chains; ++chain)
#pragma GCC unroll 16
    for (int v = 0; v < Width; ++v) sum[v] += other[chain][v];
}

// scratch.hidden -> scratch.read_levels, what enters the head.
template <int R, int S>
inline void run_alone_of_width(const Model& m, const Scratch& s, const Place& p) {
  constexpr int across = R / lanes, width = 2 * R;
  take_due_past(m, s, p);
  alignas(64) Level x[R], gates[2][R];
  Floats hidden[across];
  Ints skip[S / lanes];
  for (int v = 0; v < across; ++v) hidden[v] = load(s.hidden + v * lanes);
  for (int v = 0; v < S / lanes; ++v) skip[v] = load(m.skip_sum.start + v * lanes);
  for (int index = 0; index < m.layers; ++index) {
    const IntegerLayer& layer = m.integer_layer[index];
    std::int8_t* ring = ring_row_now(m, layer, p, 0);
    const std::int64_t taken = std::int64_t{index} * s.past_rows + p.t % ahead(layer.dilation, 1);
    const std::int32_t* past = s.past_sums + taken * width;
    Ints sum[2 * across];
#pragma GCC unroll 16
    for (int v = 0; v < across; ++v) {
      const Ints held = hidden_levels(layer, hidden[v]);
      store_levels(x + v * lanes, held);
      store_in_ring(ring + v * lanes, held);
    }
#pragma GCC unroll 16
    for (int v = 0; v < 2 * across; ++v) sum[v] = load(past + v * lanes);
    add_products<R>(layer.tap.weights + std::int64_t{m.past_taps} * R * width, x, sum);
    if (index) add_products<R>(m.skip_sum.weights + std::int64_t{index - 1} * R * S, gates[(index - 1) % 2], skip);
#pragma GCC unroll 16
    for (int v = 0; v < across; ++v) {
      const Ints both[2] = {sum[v], sum[across + v]};
      const Ints held = gate_levels(layer, v * lanes, R, both, s.condition + std::int64_t{index} * width);
      store_levels(gates[index % 2] + v * lanes, held);
    }
    if (!layer.residual.weights) break;
    Ints more[across];
#pragma GCC unroll 16
    for (int v = 0; v < across; ++v) more[v] = load(layer.residual.start + v * lanes);
    add_products<R>(layer.residual.weights, gates[index % 2], more);
#pragma GCC unroll 16
    for (int v = 0; v < across; ++v) hidden[v] += to_floats(more[v]) * load(layer.residual.scale + v * lanes);
  }
  add_products<R>(m.skip_sum.weights + std::int64_t{m.layers - 1} * R * S, gates[(m.layers - 1) % 2], skip);
  for (int v = 0; v < S / lanes; ++v)
    enter_head(m.integer_head[0], to_floats(skip[v]) * load(m.skip_sum.scale + v * lanes),
               s.read_levels[0] + v * lanes);
}

// False where the model is of other widths, or what one layer holds fits no registers.
OSTINATO_INLINE bool run_alone(const Model& m, const Scratch& s, const Place& p) {
  if constexpr (lanes < 16) return false;
  if (m.residual == 16 && m.skip == 32) {
    run_alone_of_width<16, 32>(m, s, p);
  } else if (m.residual == 32 && m.skip == 64) {
    run_alone_of_width<32, 64>(m, s, p);
  } else if (m.residual == 64 && m.skip == 128) {
    run_alone_of_width<64, 128>(m, s, p);
  } else {
    return false;
  }
  return true;
}

} // namespace ostinato::inline OSTINATO_ISA
