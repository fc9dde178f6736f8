// SPDX-License-Identifier: Apache-2.0
// A program of which nothing is known: threads that wait for their requests; else, the only request under way.
#pragma once

#include <unordered_map>
#include <vector>

#include "agent/base/flat_map.h"
#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

class Threads final : public Execution {
 public:
  explicit Threads(const ExecutionSettings& settings) : settings_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  std::vector<RequestKey> candidates(const Caller& caller) const override;
  /// It waited in a blocking read for a request that is not answered yet.
  bool serves(uint32_t thread_id) const {
    const auto found = threads_.find(thread_id);
    return found != threads_.end() && !found->second.empty();
  }
  bool idle() const override { return open_.size() == 0; }

 private:
  void flip(const RequestKey& request);
  std::optional<Cause> infer(const Caller& caller);

  ExecutionSettings settings_;
  RequestKey all_open_;                                            // of `open_`, by exclusive or: where it is one, that one
  base::FlatMap<RequestKey, uint32_t, KeyHash> open_;              // received, not answered → its thread, 0: none waited for it
  std::unordered_map<uint32_t, std::vector<RequestKey>> threads_;  // read by blocking calls, not answered yet
  bool waits_ = false;     // its threads wait in blocking reads: a request belongs to a thread, not to the process
  uint64_t since_ns_ = 0;  // of the latest change between busy and idle; 0: none yet
  uint64_t busy_ns_ = 0;
  uint64_t idle_ns_ = 0;
  uint64_t busy_sent_ = 0;
  uint64_t idle_sent_ = 0;
};

}  // namespace clew::correlation
