// A pool of slots over one packed model: the state of every stream, and the scratch that a call needs.
#pragma once

#include "pack.hpp"
#include "team.hpp"

#include <span>

namespace ostinato {

// What one call asks of one slot.
struct Request {
  int slot;
  const float* controls; // [frames][frame_channels]
  float* heard;          // [frames * hop]
  const float* forced;   // the same, or null to draw
  float* parameters;     // [frames * hop][parameters], or null
};

class Pool {
 public:
  // `isa` empty takes the best that the machine has. Throws std::invalid_argument on one that is not there.
  Pool(const Shape& shape, const Tensors& tensors, int slots, const std::string& isa, const std::string& precision,
       int threads);

  const char* isa() const { return kernel_->name; }
  const char* precision() const { return kernel_->precision; }
  int slots() const { return slots_; }
  int threads() const { return static_cast<int>(scratch_.size()); }
  int hop() const { return packed_.model().hop; }
  int parameters() const { return packed_.model().parameters; }
  const Model& model() const { return packed_.model(); }
  const Kernel& kernel() const { return *kernel_; }
  std::size_t weight_bytes() const { return packed_.weight_bytes(); }
  std::size_t state_bytes() const { return state_bytes_; } // of one slot

  void reset(int slot, std::uint64_t key);
  void save(int slot, std::span<std::byte> to) const;
  // False, and nothing changed, where the state belongs to another model's shape.
  bool restore(int slot, std::span<const std::byte> from);
  // Draws `frames` hops of each request's slot, all together, on as many threads as pay. Allocates nothing.
  void advance(std::span<const Request> requests, int frames);
  // The same by windows of what `draft` proposes, whose slots stand for the same streams. Requests draw.
  void speculate(Pool& draft, std::span<const Request> requests, int frames, int window, Tally& tally);

 private:
  std::size_t tone_floats() const { return 2 * static_cast<std::size_t>(packed_.model().tone_row); } // of one slot
  std::byte* at(int slot) const { return state_.get() + static_cast<std::size_t>(slot) * stride_; }
  Slot* header(int slot) const { return reinterpret_cast<Slot*>(at(slot)); }
  Scratch lay_out_scratch(Layout& layout) const;
  void make_scratch(int threads);
  int parts(int streams, int frames) const;
  template <class Work>
  void share(int streams, int frames, const Work& work);
  Stream stream_of(const Request& request);

  const Kernel* kernel_;
  PackedModel packed_;
  int slots_, window_;
  std::uint64_t fingerprint_;
  std::size_t state_bytes_, stride_;
  Memory state_, scratch_memory_;
  std::vector<Scratch> scratch_; // of each thread
  std::vector<Stream> streams_;
  std::vector<Tally> tallies_; // of each thread
  std::shared_ptr<Team> team_; // none for one thread
};

} // namespace ostinato
