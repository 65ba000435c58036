// The causal dilated stack and the head in integers: one sample of every stream of a group.
#pragma once

#include "integer_alone.hpp"
#include "integer_together.hpp"

namespace ostinato::inline OSTINATO_ISA {

// scratch.read_levels -> the head parameters of each stream.
OSTINATO_INLINE Rows read_out(const Model& m, const Scratch& s, int count) {
  const EvenRows<std::int16_t> read[2] = {{s.read_levels[0], s.read_row}, {s.read_levels[1], s.read_row}};
  const Rows parameters = evenly(s.read[0], s.read_row, count);
  for (int i = 0; i < m.head_layers; ++i) {
    const IntegerHead& head = m.integer_head[i];
    const bool last = i + 1 == m.head_layers;
    dense(head.matrix, read[i % 2], count, [](int, int) { return Ints{}; },
          [&](int n, int column, Ints sum) {
            const Floats y = to_floats(sum) * load(head.matrix.scale + column) + load(head.bias + column);
            if (last)
              store(parameters.at[n] + column, y);
            else
              enter_head(m.integer_head[i + 1], y, read[(i + 1) % 2].at(n) + column);
          });
  }
  return parameters;
}

// scratch.hidden -> the head parameters of each stream.
inline Rows run_stack(const Model& m, const Scratch& s, const Place& p) {
  if (p.count > 1 || !run_alone(m, s, p)) run_together(m, s, p);
  return read_out(m, s, p.count);
}

// The same for a window, whose rows lie in scratch.hidden.
inline Rows run_window(const Model& m, const Scratch& s, const Place& p) {
  run_together(m, s, p);
  return read_out(m, s, p.count);
}

} // namespace ostinato::inline OSTINATO_ISA
