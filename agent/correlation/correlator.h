// SPDX-License-Identifier: Apache-2.0
// Which request caused which. Told of requests in the order in which the kernel told of them; answers with a context for each.
// A parent that is not certain enough is none: see docs/trace-context.md for the rules.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "agent/base/counters.h"
#include "agent/base/flat_map.h"
#include "agent/correlation/context.h"
#include "agent/correlation/execution_model.h"
#include "agent/correlation/ids.h"
#include "agent/correlation/propagation/context.h"

namespace clew::correlation {

/// Who made the call, and when.
struct Caller {
  uint32_t process_id = 0;
  uint32_t thread_id = 0;
  bool blocking = false;  // the call waited for its bytes
  ExecutionModel model = ExecutionModel::kGeneric;
  uint64_t time_ns = 0;
};

using propagation::RemoteContext;

/// Not thread-safe. Memory: one node per request under way, bounded by Limits.
class Correlator {
 public:
  struct Limits {
    size_t requests_max = 262'144;          // under way; the next get no context but their own ids
    size_t threads_max = 65'536;            // that have something under way
    size_t processes_max = 16'384;          // that have received a request
    size_t connects_max = 16'384;           // connections that a loop has begun and sent nothing on yet
    double confidence_min = 0.9;            // below it an inferred parent is none
    uint64_t loop_turn_ns_max = 5'000'000;  // a loop that acts later than this may act for something else
  };

  Correlator(const Ids& ids, base::Counters& counters, Limits limits);
  Correlator(const Ids& ids, base::Counters& counters) : Correlator(ids, counters, Limits()) {}

  /// The head of a request was read by a traced server.
  void request_received(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire, const RemoteContext* header);
  /// Its body is there as well.
  void request_completed(const RequestKey& key, const Caller& caller);
  /// The head of a request was sent by a traced client.
  void request_sent(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire, const RemoteContext* header);
  /// The head of its response was read.
  void response_received(const RequestKey& key, const Caller& caller);
  /// A thread began to connect; the connection's requests of that moment belong to what the thread was doing.
  void connecting(uint64_t connection, const Caller& caller);
  /// It is answered: what its thread does from now on is not done for it.
  void answered(const RequestKey& key, uint64_t time_ns);
  /// Its context is asked for no more.
  void closed(const RequestKey& key, uint64_t time_ns);

  /// The context of a request under way. One that was never announced, or did not fit, gets ids of its own.
  Context context_of(const RequestKey& key, exporter::SpanKind kind) const;

  size_t size() const { return nodes_.size(); }

 private:
  struct KeyHash {
    size_t operator()(const RequestKey& key) const;
    size_t operator()(const WireKey& key) const;
  };
  struct Node {
    Context context;
    uint32_t process_id = 0;
    uint32_t thread_id = 0;
    bool is_client = false;
    bool held_by_process = false;  // stands in its process's `open`
    bool held_by_thread = false;   // stands in its thread's `open`
    bool handed_on = false;        // others share its trace id: it cannot change any more
    bool answered = false;
    bool sees_header = false;         // the request carries a context
    bool passes_on = false;           // client: what it carries is what its parent had received
    std::optional<RequestKey> cause;  // client: the server's request that it was made for
    exporter::TraceId header_trace_id{};
    exporter::SpanId header_span_id{};
    std::optional<WireKey> wire;
  };
  struct Thread {
    uint32_t process_id = 0;
    std::vector<RequestKey> open;    // read by blocking calls, not answered yet
    std::optional<RequestKey> last;  // event loop: what was read last
    uint64_t last_ns = 0;
    bool used = false;  // a request was made for it in this turn
  };
  /// For programs of which nothing better is known: what they have under way, and what they send while they have nothing.
  struct Process {
    size_t open_count = 0;  // received, not answered
    RequestKey open;        // all of them, by exclusive or: where it is one, that one
    bool waits = false;     // its threads wait in blocking reads: a request belongs to a thread, not to the process
    uint64_t since_ns = 0;  // of the latest change between busy and idle
    uint64_t busy_ns = 0;
    uint64_t idle_ns = 0;
    uint64_t busy_sent = 0;
    uint64_t idle_sent = 0;
  };

  Node* find(const RequestKey& key);
  void let_go(Node& node, const RequestKey& key, uint64_t time_ns);
  Thread* thread_of(const Caller& caller);
  Node* add(const RequestKey& key, const Caller& caller, exporter::SpanKind kind, const std::optional<WireKey>& wire,
            const RemoteContext* header);
  std::optional<RequestKey> cause_of(const RequestKey& key, const Caller& caller, Evidence& evidence);
  void hang_below(Node& node, Node& parent, Evidence evidence);
  void join(Node& server, Node& client);
  void turn(const Caller& caller, const RequestKey& key);
  void begin(Node& node, const RequestKey& key, const Caller& caller);
  void finish(Node& node, const RequestKey& key, uint64_t time_ns);
  static void flip(RequestKey& all, const RequestKey& key);
  std::optional<RequestKey> infer(const Caller& caller, double& confidence);

  const Ids& ids_;
  Limits limits_;
  std::unordered_map<RequestKey, Node, KeyHash> nodes_;
  base::FlatMap<WireKey, RequestKey, KeyHash> sent_;      // by clients, under way
  base::FlatMap<WireKey, RequestKey, KeyHash> received_;  // by servers, under way
  base::FlatMap<uint32_t, Thread, std::hash<uint32_t>> threads_;
  std::unordered_map<uint32_t, Process> processes_;
  std::unordered_map<uint64_t, RequestKey> connects_;  // connection → cause
  base::Counter& full_;
  base::Counter& late_;
  base::Counter& ambiguous_;
};

}  // namespace clew::correlation
