// Threads that share the streams of a call: one team for the process, so that several pools never ask for more cores
// than one of them would. Its members sleep between calls.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ostinato {

class Team {
 public:
  // The process's team, grown to at least so many threads with the caller's. It ends with the last who holds it.
  static std::shared_ptr<Team> of(int threads);

  ~Team();

  // Calls work(part) for each part in 0..parts-1, 0 by the caller and the others by a member each; returns when all
  // are done. False, and nothing done, where another thread has the team.
  template <class Work>
  bool share(int parts, const Work& work) {
    return share(parts, {[](const void* self, int part) { (*static_cast<const Work*>(self))(part); }, &work});
  }

 private:
  struct Task {
    void (*call)(const void* self, int part);
    const void* self;
  };

  struct alignas(64) Member {
    std::thread thread;
    std::atomic<std::uint32_t> calls{0}; // counts up to wake it
    bool dismissed = false;
  };

  Team() = default;
  void grow(int threads);
  bool share(int parts, Task task);
  void serve(Member& member, int part);

  std::mutex taken_;
  std::vector<std::unique_ptr<Member>> members_;
  std::int64_t process_ = 0; // whose threads these are: a fork has none
  Task task_{};
  alignas(64) std::atomic<std::uint32_t> unfinished_{0};
};

} // namespace ostinato
