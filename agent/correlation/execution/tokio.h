// SPDX-License-Identifier: Apache-2.0
// tokio: a request belongs to the task that has read it; what is sent, to the task that waits for the answer.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/correlation/execution/execution.h"
#include "agent/correlation/execution/threads.h"

namespace clew::correlation {

/// Words of a caller: see bpf/execution/tokio.bpf.h. A task that waits for an answer works for a request if it has read it; or if the task
/// that has read it waits for its end, or has spawned it since and kept its JoinHandle. What nobody joins may be a worker of the program's
/// own, that works for whoever asks. Bounded by settings; what does not fit is forgotten, and counted.
class Tokio final : public Execution {
 public:
  explicit Tokio(const ExecutionSettings& settings) : settings_(settings), streams_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  void noted(uint32_t what, const Caller& caller) override;
  /// Streams: the only request under way is inferred, or a few are candidates.
  Streams takes_streams() const override { return Streams::kAnonymous; }
  std::vector<RequestKey> candidates(const Caller& caller) const override {
    return caller.thread_id == 0 ? streams_.candidates(caller) : std::vector<RequestKey>();
  }
  bool idle() const override { return open_.empty() && streams_.idle(); }

 private:
  struct Open {
    uint64_t task = 0;              // that has read it
    std::vector<uint64_t> spawned;  // by that one since
  };
  struct Spawned {
    RequestKey request;
    bool blocking = false;  // a function in a thread of its own: what is sent there is its own
  };
  std::optional<Cause> cause_of(uint64_t task, Evidence evidence) const;
  std::optional<RequestKey> served_by(uint64_t task) const;

  ExecutionSettings settings_;
  Threads streams_;  // told of every request, and of streams that are sent
  std::unordered_map<RequestKey, Open, KeyHash> open_;
  std::unordered_map<uint64_t, std::vector<RequestKey>> serving_;  // task → what it has read and not answered, in order
  std::unordered_map<uint64_t, Spawned> spawned_;                  // task → for which open request
  std::unordered_set<uint64_t> outlived_;  // tasks that were there still when their request was answered; the latest
  std::deque<uint64_t> outlived_in_order_;
  std::unordered_set<uint32_t> joined_;  // kinds of tasks for which those wait that have spawned them
  std::unordered_set<uint32_t> pools_;   // kinds of tasks of which one works for others than have spawned it
};

}  // namespace clew::correlation
