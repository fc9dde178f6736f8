// SPDX-License-Identifier: Apache-2.0
// Which request caused which. Told of requests in the order in which the kernel told of them; answers with a context for each.
// A parent that is not certain enough is none: see docs/trace-context.md for the rules.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "agent/base/counters.h"
#include "agent/base/flat_map.h"
#include "agent/correlation/context.h"
#include "agent/correlation/execution/execution.h"
#include "agent/correlation/ids.h"
#include "agent/correlation/propagation/context.h"
#include "agent/sampling/sampler.h"

namespace clew::correlation {

using propagation::RemoteContext;

/// Not thread-safe. Memory: one node per request under way, bounded by Limits.
class Correlator {
 public:
  struct Limits {
    size_t requests_max = 262'144;  // under way; the next get no context but their own ids
    size_t processes_max = 16'384;
    size_t given_up_max = 4'096;  // of clients that have not waited: the server may read the request yet
    ExecutionSettings execution{};
    sampling::SamplerSettings sampler{};
  };

  Correlator(const Ids& ids, base::Counters& counters, Limits limits);
  Correlator(const Ids& ids, base::Counters& counters) : Correlator(ids, counters, Limits()) {}

  /// The head of a request was read by a traced server.
  void request_received(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire, const RemoteContext* header);
  /// Its body is there as well.
  void request_completed(const RequestKey& key, const Caller& caller);
  /// The head of a request was sent by a traced client. `injected`: `header` is what the kernel side gave it: the ids of its own span.
  void request_sent(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire, const RemoteContext* header,
                    bool injected = false);
  /// That context has left the node beside a request that was sent already.
  void request_carried(const RequestKey& key, const RemoteContext& given);
  /// The head of its response was sent by a traced server.
  void response_sent(const RequestKey& key, const Caller& caller);
  /// The head of its response was read by a traced client.
  void response_received(const RequestKey& key, const Caller& caller);
  /// A thread began to connect; the connection's requests of that moment belong to what the thread was doing.
  void connecting(uint64_t connection, const Caller& caller);
  /// Another program runs in the process now, or under its number.
  void new_program(uint32_t process_id);
  /// Events were lost. What was received before may be answered by now, and its thread may work for another request of which nobody knows:
  /// what is sent from now on is not sent for it.
  void events_lost() { ++losses_; }
  /// Its runtime begins or ceases to be read: what is known of its executions may be of others by now. What is under way stays so.
  void runtime_changed(uint32_t process_id, uint64_t time_ns);
  /// A process has read from a connection with many streams: what it does then may be for any of them.
  void interrupted(const Caller& caller);
  /// Something happened inside the runtime of a process (Execution::noted).
  void noted(uint32_t what, const Caller& caller);
  /// It is answered: what its thread does from now on is not done for it.
  void answered(const RequestKey& key, uint64_t time_ns);
  /// Its context is asked for no more; but a request that its client has given up is still joined with the server that reads it.
  void closed(const RequestKey& key, uint64_t time_ns);

  /// The context of a request under way. One that was never announced, or did not fit, gets ids of its own.
  Context context_of(const RequestKey& key, exporter::SpanKind kind) const;

  /// Traced clients have connected or sent requests: a server's may be one of them, of which the kernel tells only later.
  bool has_clients() const { return has_clients_; }

  size_t size() const { return nodes_.size(); }

 private:
  struct Node {
    Context context;
    uint32_t process_id = 0;
    bool is_client = false;
    bool done = false;         // server: its process works for it no more
    bool handed_on = false;    // others share its trace id: it cannot change any more
    bool sees_header = false;  // the request carries a context
    bool passes_on = false;    // client: what it carries is what its parent had received
    bool has_cause = false;
    bool has_wire = false;
    bool answered = false;    // client: the response has come
    bool joined = false;      // client: with the server that has read it
    bool is_brought = false;  // in brought_
    uint32_t losses = 0;      // that were before it
    RequestKey cause;         // client: the server's request that it was made for
    exporter::TraceId header_trace_id{};
    exporter::SpanId header_span_id{};
    WireKey wire;
  };
  /// A context that requests under way have brought into a process that sends contexts on.
  struct BroughtKey {
    uint32_t process_id = 0;
    exporter::TraceId trace_id{};
    exporter::SpanId span_id{};
    bool operator==(const BroughtKey&) const = default;
  };
  struct BroughtHash {
    size_t operator()(const BroughtKey& key) const;
  };
  struct Brought {
    Node* by = nullptr;  // null: several have
    uint32_t requests = 0;
  };
  struct Process {
    ExecutionModel model = ExecutionModel::kThreads;
    std::unique_ptr<Execution> execution;
    bool sends_contexts = false;  // that it has made, or passes on
  };

  Node* find(const RequestKey& key) const;
  Context root(const RequestKey& key, exporter::SpanKind kind) const;
  Execution* execution_of(const Caller& caller);
  void begin(Process& process, uint32_t process_id, ExecutionModel model, uint64_t time_ns);
  Execution* execution_of(const RequestKey& key, Caller& caller);
  void finish(Node& node, const RequestKey& key, uint64_t time_ns);
  Node* add(const RequestKey& key, const Caller& caller, exporter::SpanKind kind, const std::optional<WireKey>& wire,
            const RemoteContext* header);
  void hang_below(Node& node, Node& parent, Evidence evidence);
  void adopt(Node& node, const RemoteContext& given);
  void join(Node& server, Node& client);
  Node* bringer_of(const Node& client, const RemoteContext& header) const;
  void bring(Node& node);
  void begin_to_look_for_bringers(uint32_t process_id);
  void forget_brought(Node& node);
  void leave_wire(const Node& node);
  void give_up(std::unique_ptr<Node> node);

  const Ids& ids_;
  Limits limits_;
  sampling::Sampler sampler_;
  bool has_clients_ = false;
  uint32_t losses_ = 0;
  base::FlatMap<RequestKey, std::unique_ptr<Node>, KeyHash> nodes_;
  mutable RequestKey latest_key_;                    // what find() was asked for last: what is told of a request comes in runs
  mutable Node* latest_ = nullptr;                   // null: not in nodes_
  base::FlatMap<WireKey, Node*, KeyHash> sent_;      // by clients, under way or given up
  base::FlatMap<WireKey, Node*, KeyHash> received_;  // by servers, under way
  base::FlatMap<BroughtKey, Brought, BroughtHash> brought_;
  std::deque<std::unique_ptr<Node>> given_up_;  // not in nodes_ any more; the earliest first
  base::FlatMap<uint32_t, Process, std::hash<uint32_t>> processes_;
  base::Counter& full_;
  base::Counter& late_;
  base::Counter& lost_;
  base::Counter& injected_otherwise_;
};

}  // namespace clew::correlation
