// SPDX-License-Identifier: Apache-2.0
// A proxy's loop: what it sends in a turn belongs to what it has read in that turn.
#pragma once

#include <unordered_map>

#include "agent/correlation/execution/begun_connections.h"
#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

class EventLoop final : public Execution {
 public:
  explicit EventLoop(const ExecutionSettings& settings) : settings_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override { turn(request, caller); }
  void completed(const RequestKey& request, const Caller& caller) override { turn(request, caller); }
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  void answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) override;
  void connecting(uint64_t connection, const Caller& caller) override;
  void interrupted(const Caller& caller) override;
  bool idle() const override;

 private:
  struct Turn {
    std::optional<RequestKey> request;  // none: that thread serves nobody now
    uint64_t time_ns = 0;
    uint64_t number = 0;  // as the kernel counts turns (bpf/execution/loop.bpf.h); 0: not known
    bool used = false;    // a request was made for it in this turn
  };
  void turn(const RequestKey& request, const Caller& caller);
  std::optional<RequestKey> take(const Caller& caller);

  ExecutionSettings settings_;
  std::unordered_map<uint32_t, Turn> threads_;                       // what each read last
  BegunConnections<std::optional<RequestKey>> connects_{settings_};  // none: its first request is sent for nobody knows whom
};

}  // namespace clew::correlation
