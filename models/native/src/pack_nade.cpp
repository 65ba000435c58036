// What a NADE has beside its stack: a conditional for each place of a frame, and what each place adds to the activation.
#include "packer.hpp"

#include <algorithm>

namespace ostinato {
namespace {

class NadePacker : public Packer {
 public:
  using Packer::Packer;

  // The frame before, as it is, into the activation.
  Matrix before() {
    const int d = shape_.units, n = shape_.hop, stack = shape_.head_widths[shape_.head_widths.size() - 2];
    Matrix m = blank(n, d);
    put(m, 0, 0, d, {"nade.context.weight", d, stack + n, 1, 0, stack, n});
    return m;
  }

  // The conditional of one place of a frame.
  Matrix conditional(int place) {
    const int p = shape_.parameters, every = shape_.hop * p;
    Matrix m = blank(shape_.units, p);
    put(m, 0, place * p, p, {"nade.output.weight", every, shape_.units});
    put_bias(0, place * p, p, {"nade.output.bias", every});
    return m;
  }

  // What each sample of a frame adds to the activation, a row each.
  const float* additions() {
    const int d = shape_.units, row = padded(d, pad_outputs);
    float* rows = layout_.take(static_cast<std::size_t>(shape_.hop) * row);
    const float* data = find<float>(tensors_, "nade.weight", static_cast<std::size_t>(shape_.hop) * d);
    for (int i = 0; rows && i < shape_.hop; ++i) std::copy_n(data + i * d, d, rows + i * row);
    return rows;
  }

  // The harmonics' share of a NADE's activation.
  Matrix known() {
    const int waves = 2 * shape_.harmonics;
    Matrix m = blank(waves, shape_.units);
    if (waves) put(m, 0, 0, shape_.units, {"nade.known.weight", shape_.units, waves});
    return m;
  }
};

} // namespace

void PackedModel::lay_out_nade(const Shape& shape, const Tensors& tensors, Layout& layout) {
  NadePacker packer(shape, tensors, layout);
  conditionals_.clear();
  model_.nade.frame = packer.plain("input", shape.hop, shape.residual, shape.bias);
  model_.nade.before = packer.before();
  model_.excitation = packer.known();
  model_.nade.weights = packer.additions();
  for (int place = 0; place < shape.hop; ++place) conditionals_.push_back(packer.conditional(place));
  model_.nade.output = conditionals_.data();
}

} // namespace ostinato
