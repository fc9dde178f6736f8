// SPDX-License-Identifier: Apache-2.0
// A proxy that shows for which client's connection it sends a request: HAProxy.
#pragma once

#include <unordered_map>
#include <vector>

#include "agent/correlation/execution/threads.h"

namespace clew::correlation {

/// Words of a caller: see bpf/execution/haproxy.bpf.h. Which of the requests of that connection it is follows from their order: they are
/// served one after the other, and none is sent once its own response is on its way. Where nothing was read: the rule of Threads.
class Proxied final : public Execution {
 public:
  explicit Proxied(const ExecutionSettings& settings) : settings_(settings), threads_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void responding(const RequestKey& request, const Caller& caller) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  bool idle() const override { return threads_.idle(); }

 private:
  struct Request {
    RequestKey key;
    bool responds = false;
    bool passed = false;  // its bytes have gone on: not those of another
  };

  Request* find(const RequestKey& key);
  std::optional<RequestKey> next_of(uint64_t connection, bool in_order);

  ExecutionSettings settings_;
  Threads threads_;
  std::unordered_map<uint64_t, std::vector<Request>> connections_;  // of clients → what is not answered yet, in its order
};

}  // namespace clew::correlation
