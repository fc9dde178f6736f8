// SPDX-License-Identifier: Apache-2.0
// Node.js: what is sent in the callback of a read belongs to what was read, unless the ids show that it had waited for that. Over HTTP/2,
// in that of a frame.
#pragma once

#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "agent/correlation/execution/begun_connections.h"
#include "agent/correlation/execution/execution.h"
#include "agent/correlation/execution/node_streams.h"

namespace clew::correlation {

/// A turn is the callback of one read of the main thread, with all microtasks and ticks that it leaves behind; bpf/execution/node.bpf.h
/// tells what is done in it. Ids come from one counter, so an id that was made in a turn names the request that the turn was for.
class Node final : public Execution {
 public:
  explicit Node(const ExecutionSettings& settings) : settings_(settings), streams_(settings) {}

  void received(const RequestKey& request, const Caller& caller) override;
  void responding(const RequestKey& request, const Caller& caller) override;
  void done(const RequestKey& request, uint64_t time_ns) override;
  std::optional<Cause> sent(const RequestKey& request, const Caller& caller) override;
  void answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) override;
  void connecting(uint64_t connection, const Caller& caller) override;
  void noted(uint32_t what, const Caller& caller) override;
  Streams takes_streams() const override { return Streams::kCallers; }
  bool idle() const override { return open_.empty(); }

 private:
  struct Turn {
    uint64_t number = 0;
    uint64_t connection = 0;
    uint64_t first_id = 0;  // what the counter showed when it began: its own ids are above
    std::optional<RequestKey> owner;
    bool is_server = false;  // of a request that was received, not of an answer
    uint32_t requests = 0;   // that were received in it
    uint64_t state = 0;      // of timers and thread pool when it began
    uint64_t loop = 0;       // turns of the loop
    bool alone = false;      // no thread pool until the next one
    bool clean = false;      // nothing else ran until the next one: no timer, no thread pool, no immediate of before
  };
  struct Connection {
    std::optional<RequestKey> owner;  // the request that was received on it last, or for which the last was sent
    bool is_server = false;
    uint64_t first_id = 0;  // those made while its latest request was sent: above the first, up to the last
    uint64_t last_id = 0;
  };

  void noted_of_stream(uint32_t what, const Caller& caller);
  std::optional<Cause> cause_of(const Caller& caller);
  std::optional<Cause> cause_in_frame(const Turn& turn, const NodeStreams::Frame& frame, const Caller& caller) const;
  bool believes(const std::optional<Cause>& cause) const;
  const NodeStreams::Frame* frame_of(const Turn* turn) const;
  void distrust();
  std::optional<Cause> cause_behind(const Caller& caller);
  bool knows_latest(const Caller& caller) const;
  const Turn* turn_of(const Caller& caller) const;
  const Turn* turn_behind(const Caller& caller) const;
  std::optional<RequestKey> owner_of(const Turn& turn, uint64_t id) const;
  bool is_open(const std::optional<RequestKey>& request) const { return request && open_.contains(*request); }
  Connection& remember(uint64_t connection, const std::optional<RequestKey>& owner, bool is_server);

  ExecutionSettings settings_;
  NodeStreams streams_;
  std::deque<Turn> turns_;  // the latest is the last; by first_id, as the counter only grows
  std::unordered_map<uint64_t, Connection> connections_;
  BegunConnections<Cause> connects_{settings_};
  std::unordered_set<RequestKey, KeyHash> open_;
  std::optional<Caller> connect_;  // noted; its connection comes next
  uint64_t distrusted_ = 0;        // turns for which nothing is said of what follows an answer
  uint64_t distrust_next_ = 10'000;
  uint32_t own_answers_ = 0;  // streams that were answered in the callback of a frame that was theirs, none in another's
  uint64_t immediate_ = 0;    // that has sent something already
  uint64_t foreign_ns_ = 0;   // when something was sent last that no turn explains
};

}  // namespace clew::correlation
