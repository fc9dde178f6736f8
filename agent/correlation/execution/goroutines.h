// SPDX-License-Identifier: Apache-2.0
// Go: a request belongs to the goroutine that has read it, a stream of HTTP/2 to the one that serves it, and what that goroutine and those
// that it has started meanwhile send is for it.
#pragma once

#include <array>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/correlation/execution/execution.h"
#include "agent/correlation/execution/goroutine_streams.h"

namespace clew::correlation {

/// Which ids the scheduler has given out when. It hands them to its processors in batches, and each processor gives them out in order: that
/// an id was still free at some moment proves that its goroutine was started later. Bounded: forgets the lowest ids.
class GoroutineIds {
 public:
  /// What was free at `time_ns`, as the kernel side read it (bpf/execution/go.bpf.h); `near`: an id of about the same height.
  struct Free {
    uint64_t next = 0;     // of one processor's batch …
    uint64_t end = 0;      // … the ids from `next` on, below `end`
    uint64_t highest = 0;  // no higher one has been handed to any processor; 0: not known
    static Free decode(uint64_t word, uint64_t near);
  };

  void saw(const Free& free, uint64_t time_ns);
  /// The latest moment known at which `id` was free; 0: none.
  uint64_t free_at(uint64_t id) const;

 private:
  static constexpr size_t kBatch = 16;
  static constexpr size_t kBatchesMax = 1024;
  using Seen = std::array<uint64_t, kBatch + 1>;  // by how many were left: the latest moment
  std::map<uint64_t, Seen> batches_;              // by `end`
};

/// The caller's words: its goroutine; its Origin; GoroutineIds::Free.
class Goroutines final : public Execution {
 public:
  explicit Goroutines(const ExecutionSettings& settings) : settings_(settings), streams_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void completed(const RequestKey& request, const Caller& caller) override;
  void responding(const RequestKey& request, const Caller& caller) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  void answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) override;
  void noted(uint32_t what, const Caller& caller) override;
  Streams takes_streams() const override { return Streams::kCallers; }
  bool idle() const override { return open_.empty(); }

 private:
  struct Origin {
    uint64_t parent = 0;    // who started it; 0: not known
    uint32_t function = 0;  // a hash of what it runs
    bool handed = false;    // it has last waited for a value from a channel
    static Origin decode(uint64_t word);
  };
  struct Work {
    RequestKey request;
    uint64_t since_ns = 0;
    uint64_t highest = 0;  // ids above it were free then; 0: not known
    bool only = false;     // the goroutine was started for it
  };
  struct Goroutine {
    uint64_t parent = 0;
    uint32_t function = 0;
    bool serves = false;      // has read requests: what it does between them is for none
    bool takes_jobs = false;  // was handed something, then sent a request: for whoever has handed it
    std::vector<Work> work;   // open requests, in their order
  };

  Goroutine* learn(const Caller& caller);
  Goroutine* learn(uint64_t id, uint64_t origin_word);
  std::optional<Cause> cause_of(const Goroutine& holder) const;
  bool started_for(uint64_t id, const Goroutine& parent) const;
  void judge(uint64_t id, Goroutine& goroutine);

  ExecutionSettings settings_;
  std::unordered_map<uint64_t, Goroutine> goroutines_;      // seen in a call
  std::unordered_map<RequestKey, uint64_t, KeyHash> open_;  // whose it is
  std::unordered_set<uint32_t> pools_;  // functions of goroutines that take jobs longer than the request lasts that has started them
  GoroutineIds ids_;
  GoroutineStreams streams_;
};

}  // namespace clew::correlation
