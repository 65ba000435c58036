// What a hybrid has beside its stack over latents: the prior of the next ones, and the decoder.
#include "packer.hpp"

#include <algorithm>

namespace ostinato {
namespace {

class HybridPacker : public Packer {
 public:
  using Packer::Packer;

  // Means, then log-deviations, each from a whole line on.
  Matrix prior(int context) {
    const int d = shape_.latents, row = padded(d, pad_outputs);
    Matrix m = blank(context, 2 * row);
    for (int part = 0; part < 2; ++part) {
      put(m, part * row, part * d, d, {"prior.weight", 2 * d, context});
      put_bias(part * row, part * d, d, {"prior.bias", 2 * d});
    }
    return m;
  }

  // `taken` inputs of the decoder's hidden layer, from `first` on; its bias comes in with the first ones.
  Matrix hidden(int inputs, int first, int taken) {
    const int v = shape_.decoder_units;
    Matrix m = blank(taken, v);
    put(m, 0, 0, v, {"decoder.hidden.weight", v, inputs, 1, 0, first, taken});
    if (!first) put_bias(0, 0, v, {"decoder.hidden.bias", v});
    return m;
  }

  // The same of what it decodes: gains, turns, the noise's gain and cepstrum, each from a whole line on.
  Matrix decoded(int inputs, int first, int taken) {
    const int k = shape_.tone_harmonics, row = padded(k, pad_outputs);
    const int widths[] = {k, k, 1, shape_.cepstrum}, columns[] = {0, row, 2 * row, 2 * row + pad_outputs};
    const int outputs = 2 * k + 1 + shape_.cepstrum;
    Matrix m = blank(taken, columns[3] + padded(shape_.cepstrum, pad_outputs));
    for (int part = 0, at = 0; part < 4; at += widths[part++]) {
      put(m, columns[part], at, widths[part], {"decoder.output.weight", outputs, inputs, 1, 0, first, taken});
      if (!first) put_bias(columns[part], at, widths[part], {"decoder.output.bias", outputs});
    }
    return m;
  }

  // How much of itself each latent remembers.
  const float* memory() {
    float* row = layout_.take(padded(shape_.latents, pad_outputs));
    const float* logits = find<float>(tensors_, "memory", static_cast<std::size_t>(shape_.latents));
    for (int i = 0; row && i < shape_.latents; ++i) row[i] = static_cast<float>(1.0 / (1.0 + std::exp(-double{logits[i]})));
    return row;
  }

  // 1 for each latent, 0 for each lane past them.
  const float* real() {
    float* row = layout_.take(padded(shape_.latents, pad_outputs));
    for (int i = 0; row && i < shape_.latents; ++i) row[i] = 1.0f;
    return row;
  }

  // k for c_k, 0 past the cepstrum.
  const float* slopes() {
    float* row = layout_.take(padded(shape_.cepstrum, pad_outputs));
    for (int k = 0; row && k < shape_.cepstrum; ++k) row[k] = static_cast<float>(k + 1);
    return row;
  }

  // Nothing is known to what is drawn at once, sample by sample.
  Matrix nothing() { return blank(0, 0); }
};

} // namespace

void PackedModel::lay_out_hybrid(const Shape& shape, const Tensors& tensors, Layout& layout) {
  HybridPacker packer(shape, tensors, layout);
  const int d = shape.latents, v = shape.decoder_units, context = shape.head_widths.back();
  Hybrid& h = model_.hybrid;
  model_.excitation = packer.nothing();
  h.input = packer.plain("input", d, shape.residual, shape.bias);
  h.prior = packer.prior(context);
  h.of_context = packer.hidden(context + d, 0, context);
  h.of_latents = packer.hidden(context + d, context, d);
  h.of_units = packer.decoded(v + d, 0, v);
  h.straight = packer.decoded(v + d, v, d);
  h.memory = packer.memory();
  h.real = packer.real();
  h.slopes = packer.slopes();
}

} // namespace ostinato
