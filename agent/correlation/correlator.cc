// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/correlator.h"

#include <algorithm>
#include <utility>

namespace clew::correlation {
namespace {

constexpr std::string_view kMetric = "clew_correlation_refused_total";

uint64_t mixed(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t h = a * 0x9e3779b97f4a7c15ULL ^ (b + 0x7f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL ^ c * 0x94d049bb133111ebULL;
  h ^= h >> 31;
  return h * 0xd6e8feb86659fd93ULL ^ h >> 29;
}

}  // namespace

std::string_view name_of(Evidence evidence) {
  switch (evidence) {
    case Evidence::kNone: break;
    case Evidence::kHeader: return "header";
    case Evidence::kConnection: return "connection";
    case Evidence::kExecution: return "execution";
    case Evidence::kCausal: return "causal";
    case Evidence::kInferred: return "inferred";
  }
  return {};
}

size_t Correlator::KeyHash::operator()(const RequestKey& key) const { return mixed(key.connection, key.position, key.stream_id); }
size_t Correlator::KeyHash::operator()(const WireKey& key) const {
  return mixed(uint64_t{key.request_base} << 32 | key.response_base, key.position, key.stream_id);
}

Correlator::Correlator(const Ids& ids, base::Counters& counters, Limits limits)
    : ids_(ids),
      limits_(limits),
      full_(counters.get(kMetric, "reason=\"full\"")),
      late_(counters.get(kMetric, "reason=\"late\"")),
      ambiguous_(counters.get(kMetric, "reason=\"ambiguous\"")) {}

Correlator::Node* Correlator::find(const RequestKey& key) {
  const auto found = nodes_.find(key);
  return found == nodes_.end() ? nullptr : &found->second;
}

// The state of the caller's thread; null where the bound is reached.
Correlator::Thread* Correlator::thread_of(const Caller& caller) {
  auto found = threads_.find(caller.thread_id);
  if (found == threads_.end()) {
    if (threads_.size() >= limits_.threads_max) threads_.erase_if([](const auto& entry) { return entry.second.open.empty(); });
    if (threads_.size() >= limits_.threads_max) {
      full_.add();
      return nullptr;
    }
    found = threads_.try_emplace(caller.thread_id).first;
  }
  Thread& thread = found->second;
  if (thread.process_id != caller.process_id) {  // a new thread of an old number
    thread = Thread{};
    thread.process_id = caller.process_id;
  }
  return &thread;
}

Correlator::Node* Correlator::add(const RequestKey& key, const Caller& caller, exporter::SpanKind kind, const std::optional<WireKey>& wire,
                                  const RemoteContext* header) {
  if (nodes_.size() >= limits_.requests_max) {
    full_.add();
    return nullptr;
  }
  Node& node = nodes_[key];
  node = Node{};
  const RequestIds ids = ids_.of(key.connection, key.position, key.stream_id, kind);
  node.context = {.trace_id = ids.trace_id, .span_id = ids.span_id};
  node.process_id = caller.process_id;
  node.thread_id = caller.thread_id;
  node.is_client = kind == exporter::SpanKind::kClient;
  node.wire = wire;
  if (header != nullptr) {
    node.sees_header = true;
    node.header_trace_id = header->trace_id;
    node.header_span_id = header->span_id;
    node.context.trace_id = header->trace_id;
    node.context.parent_span_id = header->span_id;
    node.context.evidence = Evidence::kHeader;
    node.context.flags = (header->flags & 0xff) | exporter::kFlagHasIsRemote | exporter::kFlagIsRemote;
    node.context.trace_state = header->trace_state;
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

// Both ends of one request. A context of its own that it carries says more than the connection, unless a proxy only passed it on.
void Correlator::join(Node& server, Node& client) {
  if (server.sees_header && !client.passes_on) return;
  if (server.context.trace_id != client.context.trace_id && server.handed_on) {
    late_.add();
    return;
  }
  hang_below(server, client, Evidence::kConnection);
}

// The loop has read something that belongs to `key`: what it sends in this turn is for it.
void Correlator::turn(const Caller& caller, const RequestKey& key) {
  Thread* const thread = thread_of(caller);
  if (thread == nullptr) return;
  thread->last = key;
  thread->last_ns = caller.time_ns;
  thread->used = false;
}

void Correlator::request_received(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire,
                                  const RemoteContext* header) {
  Node* const node = add(key, caller, exporter::SpanKind::kServer, wire, header);
  if (node == nullptr) return;
  if (wire) {
    received_[*wire] = key;
    if (const auto sent = sent_.find(*wire); sent != sent_.end())
      if (Node* const client = find(sent->second)) join(*node, *client);
  }
  if (caller.model == ExecutionModel::kEventLoop) {
    turn(caller, key);
    return;
  }
  begin(*node, key, caller);
  if (caller.blocking) {
    if (Thread* const thread = thread_of(caller)) {
      thread->open.push_back(key);
      node->held_by_thread = true;
    }
  }
}

void Correlator::flip(RequestKey& all, const RequestKey& key) {
  all.connection ^= key.connection;
  all.position ^= key.position;
  all.stream_id ^= key.stream_id;
}

// The process has one more request under way.
void Correlator::begin(Node& node, const RequestKey& key, const Caller& caller) {
  auto found = processes_.find(caller.process_id);
  if (found == processes_.end()) {
    if (processes_.size() >= limits_.processes_max)
      std::erase_if(processes_, [](const auto& entry) { return entry.second.open_count == 0; });  // most of them have ended
    if (processes_.size() >= limits_.processes_max) return full_.add();
    found = processes_.try_emplace(caller.process_id).first;
    found->second.since_ns = caller.time_ns;
  }
  Process& process = found->second;
  process.waits |= caller.blocking;
  if (process.open_count == 0) {
    process.idle_ns += caller.time_ns - std::min(caller.time_ns, process.since_ns);
    process.since_ns = caller.time_ns;
  }
  process.open_count++;
  flip(process.open, key);
  node.held_by_process = true;
}

void Correlator::finish(Node& node, const RequestKey& key, uint64_t time_ns) {
  if (!std::exchange(node.held_by_process, false)) return;
  const auto found = processes_.find(node.process_id);
  if (found == processes_.end()) return;
  Process& process = found->second;
  flip(process.open, key);
  if (--process.open_count > 0) return;
  process.busy_ns += time_ns - std::min(time_ns, process.since_ns);
  process.since_ns = std::max(time_ns, process.since_ns);
}

// The one request that the process has under way, if it hardly ever sends one of its own accord: how many of those that it sends while
// it is busy are so is told by the rate at which it sends them while it is idle, and taken for at least one in a second.
std::optional<RequestKey> Correlator::infer(const Caller& caller, double& confidence) {
  const auto found = processes_.find(caller.process_id);
  if (found == processes_.end() || found->second.waits) return std::nullopt;
  Process& process = found->second;
  if (process.open_count == 0) {
    process.idle_sent++;
    return std::nullopt;
  }
  process.busy_sent++;
  if (process.open_count > 1) {
    ambiguous_.add();
    return std::nullopt;
  }
  const double own_rate = (static_cast<double>(process.idle_sent) + 1) / (static_cast<double>(process.idle_ns) + 1e9);
  const auto busy_ns = static_cast<double>(process.busy_ns + caller.time_ns - std::min(caller.time_ns, process.since_ns));
  confidence = 1 - std::min(1.0, own_rate * busy_ns / static_cast<double>(process.busy_sent));
  if (confidence < limits_.confidence_min) return std::nullopt;
  return process.open;
}

void Correlator::request_completed(const RequestKey& key, const Caller& caller) {
  if (caller.model == ExecutionModel::kEventLoop && nodes_.contains(key)) turn(caller, key);
}

std::optional<RequestKey> Correlator::cause_of(const RequestKey& key, const Caller& caller, Evidence& evidence) {
  if (caller.model == ExecutionModel::kEventLoop) {
    evidence = Evidence::kCausal;
    if (const auto begun = connects_.find(key.connection); begun != connects_.end()) {
      const RequestKey cause = begun->second;
      connects_.erase(begun);
      return cause;
    }
  }
  const auto found = threads_.find(caller.thread_id);
  if (found == threads_.end() || found->second.process_id != caller.process_id) return std::nullopt;
  Thread& thread = found->second;
  if (caller.model == ExecutionModel::kEventLoop) {
    if (!thread.last || thread.used || caller.time_ns > thread.last_ns + limits_.loop_turn_ns_max) return std::nullopt;
    thread.used = true;
    return thread.last;
  }
  evidence = Evidence::kExecution;
  if (thread.open.empty()) return std::nullopt;
  // Requests of one connection are answered in their order; those of two are served in nobody knows which.
  for (const RequestKey& open : thread.open) {
    if (open.connection == thread.open.front().connection) continue;
    ambiguous_.add();
    return std::nullopt;
  }
  return thread.open.front();
}

void Correlator::request_sent(const RequestKey& key, const Caller& caller, const std::optional<WireKey>& wire,
                              const RemoteContext* header) {
  Node* const node = add(key, caller, exporter::SpanKind::kClient, wire, header);
  if (node == nullptr) return;
  Evidence evidence = Evidence::kNone;
  node->cause = cause_of(key, caller, evidence);
  if (!node->cause && caller.model == ExecutionModel::kGeneric && header == nullptr) {
    evidence = Evidence::kInferred;
    node->cause = infer(caller, node->context.confidence);
  }
  if (Node* const cause = node->cause ? find(*node->cause) : nullptr; cause != nullptr && !cause->answered) {
    node->passes_on =
        header != nullptr && cause->sees_header && cause->header_trace_id == header->trace_id && cause->header_span_id == header->span_id;
    if (header == nullptr || node->passes_on) hang_below(*node, *cause, evidence);
  }
  if (!wire) return;
  sent_[*wire] = key;
  if (const auto received = received_.find(*wire); received != received_.end())
    if (Node* const server = find(received->second)) join(*server, *node);
}

void Correlator::response_received(const RequestKey& key, const Caller& caller) {
  if (caller.model != ExecutionModel::kEventLoop) return;
  const Node* const node = find(key);
  const Node* const cause = node != nullptr && node->cause ? find(*node->cause) : nullptr;
  if (cause != nullptr && !cause->answered)
    turn(caller, *node->cause);
  else if (const auto found = threads_.find(caller.thread_id); found != threads_.end())
    found->second.last.reset();
}

void Correlator::connecting(uint64_t connection, const Caller& caller) {
  if (caller.model != ExecutionModel::kEventLoop) return;
  Evidence evidence = Evidence::kNone;
  const auto cause = cause_of({.connection = connection}, caller, evidence);
  if (!cause) return;
  if (connects_.size() >= limits_.connects_max) {
    full_.add(connects_.size());
    connects_.clear();
  }
  connects_[connection] = *cause;
}

// Its process and its thread are free of it.
void Correlator::let_go(Node& node, const RequestKey& key, uint64_t time_ns) {
  finish(node, key, time_ns);
  const auto held = threads_.find(node.thread_id);
  if (held == threads_.end()) return;
  Thread& thread = held->second;
  if (std::exchange(node.held_by_thread, false)) std::erase(thread.open, key);
  if (thread.last == key) thread.last.reset();
  if (thread.open.empty() && !thread.last) threads_.erase(held);
}

void Correlator::answered(const RequestKey& key, uint64_t time_ns) {
  Node* const node = find(key);
  if (node == nullptr) return;
  node->answered = true;
  if (!node->is_client) let_go(*node, key, time_ns);
}

void Correlator::closed(const RequestKey& key, uint64_t time_ns) {
  const auto found = nodes_.find(key);
  if (found == nodes_.end()) return;
  Node& node = found->second;
  if (node.wire) {
    auto& table = node.is_client ? sent_ : received_;
    if (const auto entry = table.find(*node.wire); entry != table.end() && entry->second == key) table.erase(entry);
  }
  if (!node.is_client) let_go(node, key, time_ns);
  nodes_.erase(found);
}

Context Correlator::context_of(const RequestKey& key, exporter::SpanKind kind) const {
  if (const auto found = nodes_.find(key); found != nodes_.end()) return found->second.context;
  const RequestIds ids = ids_.of(key.connection, key.position, key.stream_id, kind);
  return {.trace_id = ids.trace_id, .span_id = ids.span_id};
}

}  // namespace clew::correlation
