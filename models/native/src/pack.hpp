// From a checkpoint's tensors to a packed model.
#pragma once

#include "memory.hpp"
#include "model.hpp"

#include <map>
#include <string>
#include <vector>

namespace ostinato {

// A network as its config names it, widths as they are.
struct Shape {
  int sample_rate, hop, residual, skip, kernel_size;
  std::vector<int> dilations; // one a layer
  bool bias;
  std::vector<int> head_widths; // from the skip sum to the head parameters
  std::string head;             // mu_law, logistics, gaussian
  float log_scale_min, amplitude, pre_emphasis;
  std::vector<int> local_widths; // of the control network's layers, the condition last; empty where there is none
  int harmonics, tone_harmonics, global_entries, global_channels; // 0 where there is none
};

struct Tensor {
  const float* data;
  std::size_t size;
};

using Tensors = std::map<std::string, Tensor>;

// Owns the packed weights; `model` points into them.
class PackedModel {
 public:
  // Throws std::invalid_argument where a tensor is missing or of another size.
  PackedModel(const Shape& shape, const Tensors& tensors);

  const Model& model() const { return model_; }
  std::size_t ring_floats() const { return ring_floats_; } // of one slot
  std::size_t weight_bytes() const { return weight_bytes_; }
  int widest_read() const { return widest_read_; }       // floats of a head activation's row
  int widest_control() const { return widest_control_; } // floats of a control network activation's row

 private:
  void lay_out(const Shape& shape, const Tensors& tensors, Layout& layout);

  Model model_{};
  std::vector<Layer> layers_;
  std::vector<Matrix> past_;
  std::vector<Matrix> heads_;
  std::vector<Matrix> local_;
  Memory memory_;
  std::size_t ring_floats_ = 0, weight_bytes_ = 0;
  int widest_read_ = 0, widest_control_ = 0;
};

} // namespace ostinato
