// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/node.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace clew::correlation {
namespace {

// Words of a call, bpf/execution/node.bpf.h.
constexpr uint32_t kRead = 1;
constexpr uint32_t kConnect = 2;
constexpr uint64_t kInTurn = uint64_t{1} << 63;
constexpr unsigned kNumberShift = 53;
constexpr uint64_t kNumberMask = (uint64_t{1} << (64 - kNumberShift)) - 1;

constexpr size_t kTurnsMax = 4096;

uint64_t execution_id(const Caller& caller) { return caller.execution[0] & ~kInTurn; }
uint64_t trigger_id(const Caller& caller) { return caller.execution[1] & ((uint64_t{1} << kNumberShift) - 1); }
uint64_t number_of(const Caller& caller) { return caller.execution[1] >> kNumberShift; }

bool debug() {
  static const bool on = std::getenv("NODE_DEBUG_CLEW") != nullptr;
  return on;
}
void say(const char* w, uint64_t conn, uint64_t pos, const Caller& c, const char* more = "") {
  if (debug())
    fprintf(stderr, "@@ %lu %-9s conn %lu pos %lu  E %lu T %lu C %lu  %s %lu m%d %s\n", (c.time_ns / 1000) % 100000000, w, conn, pos,
            execution_id(c), trigger_id(c), c.execution[2], c.execution[0] & kInTurn ? "turn" : "OUT", number_of(c), (int)c.model, more);
}
}  // namespace

void Node::remember(uint64_t connection, const std::optional<RequestKey>& owner, bool is_server) {
  if (connections_.size() >= settings_.connects_max && !connections_.contains(connection)) {
    settings_.full->add(connections_.size());
    connections_.clear();
  }
  connections_[connection] = {.owner = owner, .is_server = is_server};
}

void Node::noted(uint32_t what, const Caller& caller) {
  if (what == kConnect) connect_ = caller;
  if (what != kRead) return;
  if (debug())
    fprintf(stderr, "@@ %lu READ conn %lu C %lu n %lu\n", (caller.time_ns / 1000) % 100000000, caller.execution[0], caller.execution[1],
            caller.execution[2]);
  Turn turn{.number = caller.execution[2], .connection = caller.execution[0], .first_id = caller.execution[1]};
  if (const auto found = connections_.find(turn.connection); found != connections_.end()) {
    turn.owner = found->second.owner;
    turn.is_server = found->second.is_server;
  }
  // Another process's, if its counter has gone back: a fork, an exec that was missed.
  if (!turns_.empty() && turn.first_id < turns_.back().first_id) turns_.clear();
  if (turns_.size() >= kTurnsMax) turns_.pop_front();
  turns_.push_back(turn);
}

const Node::Turn* Node::turn_of(const Caller& caller) const {
  if ((caller.execution[0] & kInTurn) == 0 || turns_.empty() || (turns_.back().number & kNumberMask) != number_of(caller)) return nullptr;
  return &turns_.back();
}

void Node::received(const RequestKey& request, const Caller& caller) {
  open_.insert(request);
  say("REQ", request.connection, request.position, caller);
  remember(request.connection, request, true);
  if (caller.model != ExecutionModel::kNode || turns_.empty() || turns_.back().connection != request.connection) return;
  Turn& turn = turns_.back();
  turn.owner = request;
  turn.is_server = true;
  turn.requests++;
}

void Node::answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) {
  remember(request.connection, cause, false);
  say("  ANSWER", request.connection, request.position, caller);
  if (caller.model != ExecutionModel::kNode || turns_.empty() || turns_.back().connection != request.connection) return;
  turns_.back().owner = cause;
  turns_.back().is_server = false;
}

void Node::done(const RequestKey& request, uint64_t /*time_ns*/) { open_.erase(request); }

// In whose turn it was made, if that is known.
std::optional<RequestKey> Node::owner_of(uint64_t id) const {
  const auto behind = std::ranges::lower_bound(turns_, id, {}, &Turn::first_id);  // the first that began with it or later
  if (behind == turns_.begin()) return std::nullopt;
  return std::prev(behind)->owner;
}

std::optional<Cause> Node::cause_of(const Caller& caller) {
  if (caller.model != ExecutionModel::kNode) return std::nullopt;
  const Turn* const turn = turn_of(caller);
  if (turn == nullptr) return std::nullopt;
  if (turn->requests > 1) {
    settings_.ambiguous->add();
    return std::nullopt;
  }
  const uint64_t trigger = trigger_id(caller);
  if (!turn->is_server && trigger != 0) {
    const auto owner = owner_of(trigger);
    if (!is_open(owner)) return std::nullopt;
    return Cause{.request = *owner, .evidence = Evidence::kCausal};
  }
  if (!is_open(turn->owner)) return std::nullopt;
  return Cause{.request = *turn->owner, .evidence = turn->is_server ? Evidence::kExecution : Evidence::kCausal};
}

std::optional<Cause> Node::sent(const RequestKey& request, const Caller& caller) {
  std::optional<Cause> cause;
  say("  send", request.connection, request.position, caller);
  if (auto begun = connects_.extract(request.connection))
    cause = begun.mapped();
  else
    cause = cause_of(caller);
  if (cause && !is_open(cause->request)) cause.reset();
  remember(request.connection, cause ? std::optional(cause->request) : std::nullopt, false);
  return cause;
}

void Node::connecting(uint64_t connection, const Caller& caller) {
  if (!connect_) return;
  const Caller noted = *connect_;
  connect_.reset();
  say("CONNECT", connection, 0, noted);
  if (noted.thread_id != caller.thread_id) return;
  const auto cause = cause_of(noted);
  if (!cause) return;
  if (connects_.size() >= settings_.connects_max) {
    settings_.full->add(connects_.size());
    connects_.clear();
  }
  connects_[connection] = *cause;
}

}  // namespace clew::correlation
