// Memory on 64-byte lines, allocated once and zeroed.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>

namespace ostinato {

struct FreeAligned {
  void operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t{64}); }
};

using Memory = std::unique_ptr<std::byte[], FreeAligned>;

inline Memory allocate(std::size_t bytes) {
  auto* memory = static_cast<std::byte*>(::operator new(bytes ? bytes : 1, std::align_val_t{64}));
  std::memset(memory, 0, bytes);
  return Memory(memory);
}

// Hands out zeroed rows of numbers on 64-byte lines. Without memory it only counts, so that one walk over a layout
// measures it and a second walk fills it.
class Layout {
 public:
  explicit Layout(std::byte* memory) : base_(memory) {}

  template <class Number = float>
  Number* take(std::size_t count) {
    std::byte* here = base_ ? base_ + used_ : nullptr;
    used_ += (count * sizeof(Number) + 63) / 64 * 64;
    return reinterpret_cast<Number*>(here);
  }
  std::size_t bytes() const { return used_; }

 private:
  std::byte* base_;
  std::size_t used_ = 0;
};

} // namespace ostinato
