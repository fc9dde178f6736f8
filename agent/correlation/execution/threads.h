// SPDX-License-Identifier: Apache-2.0
// A program of which nothing is known: threads that wait for their requests; else, the only request under way.
#pragma once

#include <unordered_map>
#include <vector>

#include "agent/base/flat_map.h"
#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

/// A thread pool may run, for one request, what another one's thread has left there. So a program in which a request was answered by
/// another thread than the one that read it hands its work on, and no thread says anything of it any more.
class Threads final : public Execution {
 public:
  /// `earns_trust`: one in which that is likely. While it has several requests under way its threads count for something only after some
  /// have answered what they read.
  explicit Threads(const ExecutionSettings& settings, bool earns_trust = false) : settings_(settings), earns_trust_(earns_trust) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void responding(const RequestKey& request, const Caller& caller) override;
  void handed_out(const RequestKey& request) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  std::vector<RequestKey> candidates(const Caller& caller) const override;
  /// It waited in a blocking read for a request that is not answered yet.
  bool serves(uint64_t thread_id) const {
    const auto found = threads_.find(thread_id);
    return found != threads_.end() && !found->second.empty();
  }
  /// The only request under way is inferred, whoever has read it.
  Streams takes_streams() const override { return Streams::kAnonymous; }
  bool idle() const override { return open_.size() == 0; }

 private:
  void flip(const RequestKey& request);
  bool trusts_threads() const;
  std::optional<Cause> infer(const Caller& caller);

  ExecutionSettings settings_;
  RequestKey all_open_;                                            // of `open_`, by exclusive or: where it is one, that one
  base::FlatMap<RequestKey, uint64_t, KeyHash> open_;              // received, not answered → its thread, 0: none waited for it
  std::unordered_map<uint64_t, std::vector<RequestKey>> threads_;  // read by blocking calls, not answered yet
  bool earns_trust_ = false;
  uint32_t own_answers_ = 0;  // by the thread that had read the request
  bool hands_on_ = false;     // there was another one
  bool hands_out_ = false;    // there was another process: what it sends here need not be for any request that it has read
  bool waits_ = false;        // its threads wait in blocking reads: a request belongs to a thread, not to the process
  uint64_t since_ns_ = 0;     // of the latest change between busy and idle; 0: none yet
  uint64_t busy_ns_ = 0;
  uint64_t idle_ns_ = 0;
  uint64_t busy_sent_ = 0;
  uint64_t idle_sent_ = 0;
};

}  // namespace clew::correlation
