// The couplings of a flow: what they read as one matrix each, and what the condition adds to all of them as one.
#include "packer.hpp"

namespace ostinato {
namespace {

// As models/flow_config.py and models/network.py have them.
constexpr int most_units = 1024, most_frames = 16, most_places = 4096;

class FlowPacker : public Packer {
 public:
  using Packer::Packer;

  // Filter, gate, lines and the direct shift side by side, of what is read of each frame, the oldest first.
  Matrix read(const std::string& name) {
    Matrix m = blank(half_ * shape_.kernel_size, row_);
    for (int tap = 0; tap < shape_.kernel_size; ++tap) {
      taps(m, tap, 0, 0, units_, {name + ".gate.weight", 2 * units_, half_, shape_.kernel_size, tap});
      taps(m, tap, gates_, units_, units_, {name + ".gate.weight", 2 * units_, half_, shape_.kernel_size, tap});
      taps(m, tap, 2 * gates_, 0, lines_, {name + ".lines.weight", lines_, half_, shape_.kernel_size, tap});
      taps(m, tap, 2 * gates_ + gains_, 0, half_, {name + ".direct.weight", half_, half_, shape_.kernel_size, tap});
    }
    put_bias(0, 0, units_, {name + ".gate.bias", 2 * units_});
    put_bias(gates_, units_, units_, {name + ".gate.bias", 2 * units_});
    return m;
  }

  // Of gated units: shift, then log-scale from the padded half on.
  Matrix output(const std::string& name) {
    Matrix m = blank(units_, 2 * moved_);
    for (int part = 0; part < 2; ++part) {
      put(m, part * moved_, part * half_, half_, {name + ".output.weight", 2 * half_, units_});
      put_bias(part * moved_, part * half_, half_, {name + ".output.bias", 2 * half_});
    }
    return m;
  }

  Matrix shift(const std::string& name) {
    Matrix m = blank(lines_, half_);
    put(m, 0, 0, half_, {name + ".shift.weight", half_, lines_});
    return m;
  }

  // Of each coupling: what is added to what it reads, the gains of its lines, which are 1 by themselves, its log-scale.
  Matrix conditions(int channels) {
    const int couplings = static_cast<int>(shape_.bits.size()), stated = 2 * units_ + lines_ + half_;
    Matrix m = blank(channels, couplings * width());
    for (int k = 0; k < couplings; ++k) {
      const Weights from{"couplings." + std::to_string(k) + ".condition.weight", stated, channels};
      const int first = k * width();
      if (channels) {
        put(m, first, 0, units_, from);
        put(m, first + gates_, units_, units_, from);
        put(m, first + row_, 2 * units_, lines_, from);
        put(m, first + row_ + gains_, 2 * units_ + lines_, half_, from);
      }
      for (int l = 0; bias_ && l < lines_; ++l) bias_[first + row_ + l] = 1.0f;
    }
    return m;
  }

  int width() const { return row_ + gains_ + moved_; } // of one coupling's conditions

 private:
  // One frame's share of the inputs.
  void taps(const Matrix& m, int tap, int column, int first_output, int outputs, const Weights& from) {
    float* const whole = weights_;
    if (weights_) weights_ += static_cast<std::size_t>(tap) * half_ * m.outputs;
    put(m, column, first_output, outputs, from);
    weights_ = whole;
  }

  const int half_ = shape_.hop / 2, units_ = shape_.coupling_units, lines_ = shape_.coupling_lines;
  const int moved_ = padded(half_, pad_outputs), gates_ = padded(units_, pad_outputs);
  const int gains_ = padded(lines_, pad_outputs), row_ = 2 * gates_ + gains_ + moved_;
};

void check_flow(const Shape& shape) {
  if (shape.bits.empty()) throw std::invalid_argument("bits: none, expected one for each coupling");
  if (shape.moves_set.size() != shape.bits.size())
    throw std::invalid_argument("moves_set: " + std::to_string(shape.moves_set.size()) +
                                " values, expected one for each of bits, " + std::to_string(shape.bits.size()));
  check_range("coupling_units", shape.coupling_units, 1, most_units);
  check_range("coupling_lines", shape.coupling_lines, 1, most_units);
  check_range("kernel_size", shape.kernel_size, 1, most_frames);
  check_range("hop", shape.hop, 2, most_places);
  if (shape.hop % 2) throw std::invalid_argument("hop: " + std::to_string(shape.hop) + ", expected an even number");
  int most_bit = 0; // the highest that splits a hop into two halves
  while (shape.hop % (4 << most_bit) == 0) ++most_bit;
  for (int bit : shape.bits) check_range("bits", bit, 0, most_bit);
}

} // namespace

void PackedModel::lay_out_flow(const Shape& shape, const Tensors& tensors, Layout& layout) {
  check_flow(shape);
  FlowPacker packer(shape, tensors, layout);
  const int couplings = static_cast<int>(shape.bits.size());
  model_.flow = {couplings, padded(shape.coupling_units, pad_outputs), padded(shape.coupling_lines, pad_outputs),
                 padded(shape.hop / 2, pad_outputs), shape.kernel_size - 1, nullptr};
  couplings_.assign(static_cast<std::size_t>(couplings), Coupling{});
  for (int k = 0; k < couplings; ++k) {
    const std::string name = "couplings." + std::to_string(k);
    Coupling& c = couplings_[static_cast<std::size_t>(k)];
    c.read = packer.read(name);
    c.output = packer.output(name);
    c.shift = packer.shift(name);
    c.condition = std::int64_t{k} * packer.width();
    c.bit = shape.bits[static_cast<std::size_t>(k)];
    c.moves_set = shape.moves_set[static_cast<std::size_t>(k)] != 0;
  }
  model_.condition = packer.conditions(shape.condition_channels());
}

} // namespace ostinato
