// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/correlator.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace clew::correlation {
namespace {

constexpr std::string_view kMetric = "clew_correlation_refused_total";

}  // namespace

std::string_view name_of(Evidence evidence) {
  switch (evidence) {
    case Evidence::kNone: break;
    case Evidence::kHeader: return "header";
    case Evidence::kTcpOption: return "tcp_option";
    case Evidence::kConnection: return "connection";
    case Evidence::kExecution: return "execution";
    case Evidence::kCausal: return "causal";
    case Evidence::kInferred: return "inferred";
  }
  return {};
}

Correlator::Correlator(const Ids& ids, base::Counters& counters, Limits limits)
    : ids_(ids),
      limits_(limits),
      sampler_(limits.sampler),
      full_(counters.get(kMetric, "reason=\"full\"")),
      late_(counters.get(kMetric, "reason=\"late\"")),
      lost_(counters.get(kMetric, "reason=\"events_lost\"")),
      injected_otherwise_(counters.get(kMetric, "reason=\"injected_otherwise\"")) {
  limits_.execution.full = &full_;
  limits_.execution.ambiguous = &counters.get(kMetric, "reason=\"ambiguous\"");
  limits_.execution.unread = &counters.get(kMetric, "reason=\"unread\"");
}

Correlator::Node* Correlator::find(const RequestKey& key) const {
  if (latest_ != nullptr && latest_key_ == key) return latest_;
  const auto found = nodes_.find(key);
  latest_key_ = key;
  latest_ = found == nodes_.end() ? nullptr : found->second.get();
  return latest_;
}

// The rule of the caller's process; null where the bound is reached.
Execution* Correlator::execution_of(const Caller& caller) {
  auto found = processes_.find(caller.process_id);
  if (found == processes_.end()) {
    if (processes_.size() >= limits_.processes_max)
      processes_.erase_if([](const auto& entry) { return entry.second.execution->idle(); });  // most of them have ended
    if (processes_.size() >= limits_.processes_max) {
      full_.add();
      return nullptr;
    }
    found = processes_.try_emplace(caller.process_id).first;
  }
  Process& process = found->second;
  // Of a runtime nothing may be read in one call or another: that does not make it another program.
  const bool changed = process.model != caller.model && caller.model != ExecutionModel::kThreads;
  if (process.execution == nullptr || changed) begin(process, caller.process_id, caller.model, caller.time_ns);
  return process.execution.get();
}

// A process that was followed before has requests under way. Nobody knows whose they are, but none of them is the only one.
void Correlator::begin(Process& process, uint32_t process_id, ExecutionModel model, uint64_t time_ns) {
  const bool followed = process.execution != nullptr;
  process.model = model;
  process.execution = make_execution(model, limits_.execution);
  if (!followed) return;
  const Caller nobody{.process_id = process_id, .time_ns = time_ns};
  nodes_.for_each([&](const auto& entry) {
    const Node& node = *entry.second;
    if (node.process_id == process_id && !node.is_client && !node.done) process.execution->received(entry.first, nobody);
  });
}

// The same, if it holds for this request. One of many streams on a connection is read and sent by nobody in particular.
Execution* Correlator::execution_of(const RequestKey& key, Caller& caller) {
  Execution* const execution = execution_of(caller);
  if (key.stream_id == 0 || execution == nullptr) return execution;
  execution->interrupted(caller);
  const Execution::Streams streams = execution->takes_streams();
  if (streams == Execution::Streams::kCallers) return execution;
  if (streams == Execution::Streams::kNothing) return nullptr;
  caller.thread_id = 0;
  caller.blocking = false;
  caller.execution = {};
  return execution;
}

Correlator::Node* Correlator::add(const RequestKey& key, const Caller& caller, exporter::SpanKind kind, const std::optional<WireKey>& wire,
                                  const RemoteContext* header) {
  if (nodes_.size() >= limits_.requests_max) {
    full_.add();
    if (kind == exporter::SpanKind::kServer) events_lost();  // its process may be at that one from now on
    return nullptr;
  }
  std::unique_ptr<Node>& owned = nodes_[key];
  if (owned != nullptr) {
    leave_wire(*owned);
    forget_brought(*owned);
  }
  owned = std::make_unique<Node>(root(key, kind), caller.process_id, kind == exporter::SpanKind::kClient);
  latest_key_ = key;
  latest_ = owned.get();
  Node& node = *owned;
  node.losses = losses_;
  node.has_wire = wire.has_value();
  if (wire) node.wire = *wire;
  if (header != nullptr) {
    node.sees_header = true;
    node.header_trace_id = header->trace_id;
    node.header_span_id = header->span_id;
    node.context.trace_id = header->trace_id;
    node.context.parent_span_id = header->span_id;
    node.context.evidence = header->in_tcp_option ? Evidence::kTcpOption : Evidence::kHeader;
    node.context.trace_state = header->trace_state;
    const bool sampled = header->sampled == propagation::Sampled::kDeferred
                             ? sampler_.root(header->trace_id, node.context.trace_state)
                             : sampler_.child((header->flags & exporter::kFlagSampled) != 0, header->trace_id, node.context.trace_state);
    node.context.flags = (header->flags & 0xff & ~exporter::kFlagSampled) | (sampled ? exporter::kFlagSampled : 0) |
                         exporter::kFlagHasIsRemote | exporter::kFlagIsRemote;
  }
  return &node;
}

void Correlator::hang_below(Node& node, Node& parent, Evidence evidence) {
  node.context.trace_id = parent.context.trace_id;
  node.context.parent_span_id = parent.context.span_id;
  node.context.evidence = evidence;
  node.context.flags =
      (parent.context.flags & 0xff) | exporter::kFlagHasIsRemote | (evidence == Evidence::kConnection ? exporter::kFlagIsRemote : 0);
  node.context.trace_state = parent.context.trace_state;
  parent.handed_on = true;
}

// What has left the node is said: the span has the ids that its request carries.
void Correlator::adopt(Node& node, const RemoteContext& given) {
  node.context.trace_id = given.trace_id;
  node.context.span_id = given.span_id;
  node.context.flags = given.flags & (exporter::kFlagSampled | propagation::kFlagRandom);
  node.context.trace_state.clear();
  node.handed_on = true;
}

// Both ends of one request. A context of its own that it carries says more than the connection, unless a proxy only passed it on.
// Each is joined once: a Unix socket's name comes again with the memory that it is made from, and the end of a server's is told late.
void Correlator::join(Node& server, Node& client) {
  if (client.joined || server.context.evidence == Evidence::kConnection) return;
  if (server.sees_header && !client.passes_on) return;
  if (server.context.trace_id != client.context.trace_id && server.handed_on) {
    late_.add();
    return;
  }
  client.joined = true;
  hang_below(server, client, Evidence::kConnection);
}

size_t Correlator::BroughtHash::operator()(const BroughtKey& key) const {
  uint64_t words[3];
  std::memcpy(words, key.trace_id.data(), 16);
  std::memcpy(words + 2, key.span_id.data(), 8);
  return KeyHash::mixed(words[0] ^ key.process_id, words[1], words[2]);
}

// The only request under way in the client's process that has brought the very context that the client's carries. Not its own other end.
Correlator::Node* Correlator::bringer_of(const Node& client, const RemoteContext& header) const {
  const auto found = brought_.find({client.process_id, header.trace_id, header.span_id});
  if (found == brought_.end() || found->second.by == nullptr || !client.has_wire) return nullptr;
  Node* const node = found->second.by;
  return node->has_wire && node->wire != client.wire ? node : nullptr;
}

void Correlator::bring(Node& node) {
  if (std::exchange(node.is_brought, true)) return;
  Brought& brought = brought_[{node.process_id, node.header_trace_id, node.header_span_id}];
  brought.by = brought.requests++ == 0 ? &node : nullptr;
}

void Correlator::forget_brought(Node& node) {
  if (!std::exchange(node.is_brought, false)) return;
  const auto found = brought_.find({node.process_id, node.header_trace_id, node.header_span_id});
  if (found != brought_.end() && --found->second.requests == 0) brought_.erase(found);
}

// Not before it sends a context itself: most servers never do, and have many requests under way.
void Correlator::begin_to_look_for_bringers(uint32_t process_id) {
  const auto process = processes_.find(process_id);
  if (process == processes_.end() || std::exchange(process->second.sends_contexts, true)) return;
  nodes_.for_each([&](const auto& entry) {
    Node& node = *entry.second;
    if (node.process_id == process_id && !node.is_client && !node.done && node.sees_header) bring(node);
  });
}

void Correlator::request_received(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire,
                                  const RemoteContext* header) {
  execution_of(caller);  // if it begins now, then with what was there before
  Node* const node = add(key, caller, exporter::SpanKind::kServer, wire, header);
  if (node == nullptr) return;
  if (header != nullptr) {
    const auto process = processes_.find(node->process_id);
    if (process != processes_.end() && process->second.sends_contexts) bring(*node);
  }
  if (wire) {
    received_[*wire] = node;
    if (const auto sent = sent_.find(*wire); sent != sent_.end()) join(*node, *sent->second);
  }
  Caller reader = caller;
  if (Execution* const execution = execution_of(key, reader)) execution->received(key, reader);
}

void Correlator::request_completed(const RequestKey& key, const Caller& caller) {
  const Node* const node = find(key);
  if (node == nullptr || node->done) return;
  Caller reader = caller;
  if (Execution* const execution = execution_of(key, reader)) execution->completed(key, reader);
}

void Correlator::request_sent(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire, const RemoteContext* header,
                              bool injected) {
  Node* const node = add(key, caller, exporter::SpanKind::kClient, wire, injected ? nullptr : header);
  if (node == nullptr) return;
  if (injected) {
    adopt(*node, *header);
    header = nullptr;
  }
  Caller sender = caller;
  Execution* const execution = execution_of(key, sender);
  if (const auto cause = execution != nullptr ? execution->sent(key, sender) : std::nullopt) {
    node->has_cause = true;
    node->cause = cause->request;
    if (Node* const parent = find(cause->request); parent != nullptr && !parent->done) {
      node->passes_on = header != nullptr && parent->sees_header && parent->header_trace_id == header->trace_id &&
                        parent->header_span_id == header->span_id;
      if (injected && node->context.trace_id != parent->context.trace_id) {
        injected_otherwise_.add();  // the kernel knew less: it has no parent then
      } else if (!injected && header == nullptr && parent->losses != losses_) {
        lost_.add();
      } else if (header == nullptr || node->passes_on) {
        hang_below(*node, *parent, cause->evidence);
        node->context.confidence = cause->confidence;
      }
    }
  } else if (execution != nullptr && header == nullptr) {
    for (const RequestKey& candidate : execution->candidates(sender))
      if (const Node* const parent = find(candidate); parent != nullptr && !parent->done && parent->losses == losses_)
        node->context.candidates.push_back({parent->context.trace_id, parent->context.span_id, parent->context.flags});
  }
  // Nobody knows who has sent it, but whose context it is.
  if (header != nullptr && !node->passes_on) begin_to_look_for_bringers(node->process_id);
  if (Node* const bringer = header != nullptr && !node->passes_on ? bringer_of(*node, *header) : nullptr; bringer != nullptr) {
    node->passes_on = true;
    hang_below(*node, *bringer, Evidence::kHeader);
  }
  if (!wire) return;
  has_clients_ = true;
  sent_[*wire] = node;
  if (const auto received = received_.find(*wire); received != received_.end()) join(*received->second, *node);
}

void Correlator::request_carried(const RequestKey& key, const RemoteContext& given) {
  Node* const node = find(key);
  if (node == nullptr || (node->context.trace_id == given.trace_id && node->context.span_id == given.span_id)) return;
  if (node->context.evidence != Evidence::kNone) injected_otherwise_.add();
  node->context.evidence = Evidence::kNone;
  node->context.parent_span_id = {};
  node->context.candidates.clear();
  adopt(*node, given);
  const auto received = node->has_wire ? received_.find(node->wire) : received_.end();
  if (received == received_.end() || received->second->context.evidence != Evidence::kConnection) return;
  Context& server = received->second->context;  // the server was faster: it hangs below an id that no span has any more
  server.evidence = Evidence::kNone;
  server.parent_span_id = {};
  server.flags &= ~(exporter::kFlagHasIsRemote | exporter::kFlagIsRemote);
  node->joined = false;
  join(*received->second, *node);
}

void Correlator::response_sent(const RequestKey& key, const Caller& caller) {
  const Node* const node = find(key);
  if (node == nullptr || node->done) return;
  if (const auto reader = processes_.find(node->process_id); node->process_id != caller.process_id && reader != processes_.end())
    reader->second.execution->handed_out(key);
  Caller sender = caller;
  if (Execution* const execution = execution_of(key, sender)) execution->responding(key, sender);
}

void Correlator::response_received(const RequestKey& key, const Caller& caller) {
  Node* const node = find(key);
  if (node != nullptr) node->answered = true;
  const Node* const cause = node != nullptr && node->has_cause ? find(node->cause) : nullptr;
  Caller reader = caller;
  if (Execution* const execution = execution_of(key, reader))
    execution->answered(key, reader, cause != nullptr && !cause->done ? std::optional(node->cause) : std::nullopt);
}

void Correlator::connecting(uint64_t connection, const Caller& caller) {
  has_clients_ = true;
  if (Execution* const execution = execution_of(caller)) execution->connecting(connection, caller);
}

void Correlator::interrupted(const Caller& caller) {
  if (const auto found = processes_.find(caller.process_id); found != processes_.end()) found->second.execution->interrupted(caller);
}

void Correlator::noted(uint32_t what, const Caller& caller) {
  if (Execution* const execution = execution_of(caller)) execution->noted(what, caller);
}

void Correlator::new_program(uint32_t process_id) {
  if (const auto found = processes_.find(process_id); found != processes_.end()) processes_.erase(found);
}

void Correlator::runtime_changed(uint32_t process_id, uint64_t time_ns) {
  if (const auto found = processes_.find(process_id); found != processes_.end())
    begin(found->second, process_id, ExecutionModel::kThreads, time_ns);
}

// Its process is free of it.
void Correlator::finish(Node& node, const RequestKey& key, uint64_t time_ns) {
  forget_brought(node);
  if (node.is_client || std::exchange(node.done, true)) return;
  if (const auto process = processes_.find(node.process_id); process != processes_.end()) process->second.execution->done(key, time_ns);
}

void Correlator::leave_wire(const Node& node) {
  if (!node.has_wire) return;
  auto& table = node.is_client ? sent_ : received_;
  if (const auto entry = table.find(node.wire); entry != table.end() && entry->second == &node) table.erase(entry);
}

// Seldom: it went away before it was answered. The bytes are on their way, however late the server comes to read them.
void Correlator::give_up(std::unique_ptr<Node> node) {
  given_up_.push_back(std::move(node));
  if (given_up_.size() <= limits_.given_up_max) return;
  leave_wire(*given_up_.front());
  given_up_.pop_front();
}

void Correlator::answered(const RequestKey& key, uint64_t time_ns) {
  if (Node* const node = find(key)) finish(*node, key, time_ns);
}

void Correlator::closed(const RequestKey& key, uint64_t time_ns) {
  const auto found = nodes_.find(key);
  if (found == nodes_.end()) return;
  Node& node = *found->second;
  finish(node, key, time_ns);
  if (latest_ == &node) latest_ = nullptr;
  if (node.is_client && node.has_wire && !node.answered && !node.joined)
    give_up(std::move(found->second));
  else
    leave_wire(node);
  nodes_.erase(found);
}

// A trace of its own.
Context Correlator::root(const RequestKey& key, exporter::SpanKind kind) const {
  const RequestIds ids = ids_.of(key.connection, key.position, key.stream_id, kind);
  Context context{.trace_id = ids.trace_id, .span_id = ids.span_id};
  if (!sampler_.root(context.trace_id, context.trace_state)) context.flags &= ~exporter::kFlagSampled;
  return context;
}

Context Correlator::context_of(const RequestKey& key, exporter::SpanKind kind) const {
  const Node* const node = find(key);
  return node != nullptr ? node->context : root(key, kind);
}

}  // namespace clew::correlation
