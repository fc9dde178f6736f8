// SPDX-License-Identifier: Apache-2.0
// A proxy's loop that reads from several clients and then serves them in that order (HAProxy).
#pragma once

#include <deque>
#include <unordered_map>

#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

class ProxyQueue final : public Execution {
 public:
  explicit ProxyQueue(const ExecutionSettings& settings) : settings_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  void answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) override;
  void connecting(uint64_t connection, const Caller& caller) override;
  bool idle() const override;

 private:
  struct Waiting {
    RequestKey request;
    uint64_t time_ns = 0;
    bool doubtful = false;
  };
  std::optional<RequestKey> take(const Caller& caller);

  ExecutionSettings settings_;
  struct Thread {
    std::deque<Waiting> waiting;  // read, nothing sent for it yet; in the order of reading
    bool has_sent = false;        // since the last read
    uint64_t sent_ns = 0;
    double congested = 0;  // share of the latest turns that have left something waiting
  };
  static void doubt(Thread& thread);
  void begin_turn(Thread& thread);
  std::unordered_map<uint32_t, Thread> threads_;
  std::unordered_map<uint64_t, RequestKey> connects_;  // connection → for which request it was begun
};

}  // namespace clew::correlation
