#include "team.hpp"

#include <csignal>
#include <unistd.h>

namespace ostinato {
namespace {

// Signals belong to the interpreter's threads; a new thread inherits what its maker blocks.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

} // namespace

std::shared_ptr<Team> Team::of(int threads) {
  static std::mutex finding;
  static std::weak_ptr<Team> living;
  const std::lock_guard found(finding);
  std::shared_ptr<Team> team = living.lock();
  if (!team || team->process_ != getpid()) {
    team.reset(new Team);
    team->process_ = getpid();
    living = team;
  }
  team->grow(threads);
  return team;
}

void Team::grow(int threads) {
  const std::lock_guard mine(taken_);
  const SignalsBlocked blocked;
  while (static_cast<int>(members_.size()) < threads - 1) {
    Member& member = *members_.emplace_back(std::make_unique<Member>());
    const int part = static_cast<int>(members_.size());
    member.thread = std::thread([this, &member, part] { serve(member, part); });
  }
}

Team::~Team() {
  for (auto& member : members_) {
    if (process_ != getpid()) {
      static_cast<void>(member.release()); // its thread never was in this process, and can't be joined or detached
      continue;
    }
    member->dismissed = true;
    member->calls.fetch_add(1, std::memory_order_release);
    member->calls.notify_one();
    member->thread.join();
  }
}

void Team::serve(Member& member, int part) {
  for (std::uint32_t heard = 0;; ++heard) {
    member.calls.wait(heard, std::memory_order_acquire);
    if (member.dismissed) return;
    task_.call(task_.self, part);
    if (unfinished_.fetch_sub(1, std::memory_order_acq_rel) == 1) unfinished_.notify_one();
  }
}

bool Team::share(int parts, Task task) {
  const std::unique_lock mine(taken_, std::try_to_lock);
  if (!mine || process_ != getpid()) return false;
  task_ = task;
  unfinished_.store(static_cast<std::uint32_t>(parts - 1), std::memory_order_relaxed);
  for (int part = 1; part < parts; ++part) {
    Member& member = *members_[static_cast<std::size_t>(part - 1)];
    member.calls.fetch_add(1, std::memory_order_release);
    member.calls.notify_one();
  }
  task.call(task.self, 0);
  while (const std::uint32_t left = unfinished_.load(std::memory_order_acquire)) unfinished_.wait(left);
  return true;
}

} // namespace ostinato
