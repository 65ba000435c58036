// From a checkpoint's tensors to a packed model.
#pragma once

#include "memory.hpp"
#include "model.hpp"

#include <map>
#include <stdexcept>
#include <string>
#include <variant>
#include <vector>

namespace ostinato {

inline int padded(int width, int to) { return (width + to - 1) / to * to; }

// A transformer over blocks of samples, as its config names it.
struct BlocksShape {
  int block = 0, before = 0, width = 0, heads = 0, kv_heads = 0, feed_forward = 0, layers = 0, window = 0;
  int units = 0, taps = 0;
  std::string inside; // parallel, nade
};

// A network as its config names it, widths as they are.
struct Shape {
  std::string strategy; // as models/config.py names it
  int sample_rate, hop, residual, skip, kernel_size;
  std::vector<int> dilations; // one a layer; empty where there is no stack
  bool bias;
  std::vector<int> head_widths; // from the skip sum to the head parameters
  std::string head;             // mu_law, logistics, gaussian
  float log_scale_min, amplitude, pre_emphasis;
  std::vector<int> local_widths; // of the control network's layers, the condition last; empty where there is none
  int harmonics, tone_harmonics, global_entries, global_channels; // 0 where there is none
  int window; // most samples of one stream that are scored at once; 0 where each waits for the one before
  int units;      // of a NADE, where head_widths end; 0 where there is none
  int parameters; // of the head
  std::vector<int> bits, moves_set; // one a coupling of a flow; empty where there is none
  int coupling_units, coupling_lines; // of each
  BlocksShape blocks;

  int condition_channels() const { return local_widths.empty() ? global_channels : local_widths.back(); }
  int latents, decoder_units, cepstrum, taps; // of a hybrid; 0 where there is none
};

// Numbers of one of the types that a tensor may have.
struct Tensor {
  std::variant<const float*, const std::int8_t*, const std::int16_t*, const std::int32_t*> data;
  std::size_t size;
};

using Tensors = std::map<std::string, Tensor>;

// The numbers of a tensor. Throws std::invalid_argument where it is missing, of another size or of another type.
template <class Number>
const Number* find(const Tensors& tensors, const std::string& name, std::size_t size) {
  const auto found = tensors.find(name);
  if (found == tensors.end()) throw std::invalid_argument("tensors: " + name + " is missing");
  if (found->second.size != size)
    throw std::invalid_argument("tensors: " + name + " has " + std::to_string(found->second.size) +
                                " values, expected " + std::to_string(size));
  if (const auto* data = std::get_if<const Number*>(&found->second.data)) return *data;
  throw std::invalid_argument("tensors: " + name + " is not of the type expected");
}

// Throws std::invalid_argument where a number of a shape is out of its range, both ends included.
inline void check_range(const char* field, std::int64_t value, std::int64_t least, std::int64_t most) {
  if (value < least || value > most)
    throw std::invalid_argument(std::string(field) + ": " + std::to_string(value) + ", expected " +
                                std::to_string(least) + ".." + std::to_string(most));
}

// Owns the packed weights, laid out as one kernel reads them; `model` points into them.
class PackedModel {
 public:
  // Throws std::invalid_argument where a tensor is missing, of another size or of another type.
  PackedModel(const Shape& shape, const Tensors& tensors, const Kernel& kernel);

  const Model& model() const { return model_; }
  std::size_t ring_bytes() const { return ring_bytes_; } // of one slot
  std::size_t weight_bytes() const { return weight_bytes_; }
  int widest_read() const { return widest_read_; }       // floats of a head activation's row
  int widest_control() const { return widest_control_; } // floats of a control network activation's row

 private:
  void lay_out(const Shape& shape, const Tensors& tensors, Layout& layout);
  void lay_out_floats(const Shape& shape, const Tensors& tensors, Layout& layout);
  void lay_out_nade(const Shape& shape, const Tensors& tensors, Layout& layout);
  void lay_out_flow(const Shape& shape, const Tensors& tensors, Layout& layout);
  void lay_out_blocks(const Shape& shape, const Tensors& tensors, Layout& layout);
  void lay_out_hybrid(const Shape& shape, const Tensors& tensors, Layout& layout);
  void lay_out_integers(const Shape& shape, const Tensors& tensors, Layout& layout);
  void place_rings(const Shape& shape);
  std::int64_t place_block_rings(std::int64_t at);

  Model model_{};
  std::int32_t together_, raised_; // 0 where weights are float32
  std::vector<Layer> layers_;
  std::vector<Matrix> past_;
  std::vector<Matrix> heads_;
  std::vector<IntegerLayer> integer_layers_;
  std::vector<IntegerHead> integer_heads_;
  std::vector<Matrix> local_;
  std::vector<Matrix> conditionals_; // of a NADE
  std::vector<Coupling> couplings_;   // of a flow
  std::vector<BlockLayer> block_layers_;
  Memory memory_;
  std::size_t ring_bytes_ = 0, weight_bytes_ = 0;
  int widest_read_ = 0, widest_control_ = 0;
};

} // namespace ostinato
