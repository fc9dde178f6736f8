// SPDX-License-Identifier: Apache-2.0
// How long an exporter may still try: for ever, until shutdown() says when. Wakes whoever sleeps between two tries.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace clew::exporter {

class Patience {
 public:
  using Clock = std::chrono::steady_clock;

  /// From now on nothing may take longer than until `deadline`; an earlier one holds. Any thread.
  void end_at(Clock::time_point deadline) {
    {
      std::lock_guard lock(mutex_);
      deadline_ = std::min(deadline_, deadline);
    }
    changed_.notify_all();
  }
  /// shutdown() was called.
  bool stopping() const { return deadline() != Clock::time_point::max(); }
  bool over() const { return Clock::now() >= deadline(); }
  Clock::time_point deadline() const {
    std::lock_guard lock(mutex_);
    return deadline_;
  }
  /// Sleeps, never past the deadline; with `wake_when_stopping` it ends at once when stopping has begun. False: patience is over.
  bool sleep(Clock::duration duration, bool wake_when_stopping) const {
    std::unique_lock lock(mutex_);
    const Clock::time_point until = Clock::now() + duration;
    while (Clock::now() < std::min(until, deadline_) && !(wake_when_stopping && deadline_ != Clock::time_point::max()))
      changed_.wait_until(lock, std::min(until, deadline_));  // which may come nearer meanwhile
    return Clock::now() < deadline_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  Clock::time_point deadline_ = Clock::time_point::max();
};

}  // namespace clew::exporter
