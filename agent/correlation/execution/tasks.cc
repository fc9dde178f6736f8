// SPDX-License-Identifier: Apache-2.0
//
// How a context is tied to a request. All of asyncio's callbacks and tasks run in contexts that are copied from the one that makes them.
//   1. asyncio reads a connection in a callback that has a context of its own. What is copied from it while it has one request under way is
//      made for that request (uvicorn: the task that runs the application); further copies inherit.
//   2. A server with a task for each connection (aiohttp, asyncio.start_server) makes it when it accepts:
//        accepting task ─┬─ callback connection_made ─┬─ the connection's task
//                        │                            └─ perhaps timers and other callbacks
//                        └─ callback add_reader ── the callback that reads
//      The first two are made one right after the other, as the first and second child (Lib/asyncio/selector_events.py,
//      _SelectorSocketTransport). The task serves the one request of the connection that is under way. Which child it is, is learned from
//      the first answer in the process. It may work on after an answer, when the reader has read the next request for it: it is trusted
//      with more than the first request once such a task was seen to ask for something before its first answer, or to do nothing after
//      several; never again once one has asked after its answer.
//      Within TLS the reading callback itself makes the connection's task, when the handshake is over: one of the children that it has
//      before it reads the first request.
//   3. uvloop reads in no context, and then runs the protocol's callback at once in the server's: the first copy on that thread after a
//      request is the request's task, once that has been so several times without an exception: each time a copy, and no copy of that
//      context but then. Within TLS it reads in the server's context, which the kernel side tells from one of asyncio's by how the
//      encrypted bytes were received; there other copies of it are no exception, but one counts only if the thread has moved no bytes in
//      between.
//   4. Connections older than the notes: the context that answered two requests in a row serves the connection.
// Where two of them disagree, or what answers a request is not what they say, the context is nobody's.
#include "agent/correlation/execution/tasks.h"

#include <algorithm>
#include <utility>

#include "bpf/events.h"

namespace clew::correlation {
namespace {

constexpr uint32_t kCallbacksMin = 3;
constexpr uint32_t kVotesMin = 2;
constexpr uint32_t kIdleMin = 8;           // once or twice a task may have had nothing to do after its answer by chance
constexpr uint64_t kIdleNs = 100'000'000;  // what is done after an answer has begun to ask by then, as a rule
constexpr uint32_t kChildrenMax = 8;       // of connection_made, or of the callback that reads, that may be the connection's task

constexpr uint32_t kOfMade = (1U << kChildrenMax) - 1;   // bits of serving_children_: of connection_made …
constexpr uint32_t kOfReader = kOfMade << kChildrenMax;  // … and of the callback that reads

constexpr uint64_t kOfAll = UINT64_MAX;  // in place of a context's id: any of those that read for all connections

uint64_t context_of(const Caller& caller) { return caller.execution[0]; }

// Several connections are read there, whatever has been seen so far.
bool is_of_all(const RequestKey& request, const Caller& caller) {
  return (request.connection & kTlsConnection) != 0 && context_of(caller) != 0 && caller.execution[1] != 0;
}

}  // namespace

Tasks::Context& Tasks::context_at(uint64_t address) {
  if (contexts_.size() >= settings_.threads_max && !contexts_.contains(address)) {
    settings_.full->add(contexts_.size());
    forget();
  }
  const auto [found, is_new] = contexts_.try_emplace(address);
  if (is_new) found->second.id = ++last_id_;
  return found->second;
}

void Tasks::forget() {
  contexts_.clear();
  accepts_.clear();
  turns_.clear();
}

Tasks::Finding Tasks::find_in(uint64_t connection) const {
  const auto found = connections_.find(connection);
  // Of a pipelined one nobody knows whether its task has begun it, or still works for the one before.
  const bool one = found != connections_.end() && found->second.open.size() == 1 && found->second.pipelined != found->second.open.front();
  return {.known = true, .request = one ? std::optional(found->second.open.front()) : std::nullopt};
}

// Where tasks work on after their answers, one may still be at that when another has read the next request for it. Only of the first
// request of a connection that was seen to begin this cannot be; until it is known whether they do, the others are nobody's.
Tasks::Finding Tasks::find_served(const Context& context, uint64_t connection) const {
  const Finding nobody{.known = true, .request = std::nullopt};
  if (context.reads) return find_in(connection);
  if (works_after_answers_) return nobody;
  const auto served = connections_.find(connection);
  const bool may_be_late = served != connections_.end() && (!served->second.accepted || served->second.done_ns != 0);
  return may_be_late && !works_before_answers_ && idle_ < kIdleMin ? nobody : find_in(connection);
}

// 0: none, as far as is known.
uint64_t Tasks::served_by(const Context& context) const {
  if (context.owner == Owner::kConnection) return context.reads ? 0 : context.connection;
  const auto served = served_of(context);
  return served ? served->connection : 0;
}

// The context sends.
void Tasks::learn_when_it_works(const Context& context) {
  const uint64_t own = served_by(context);
  const auto served = connections_.find(own != 0 ? own : context.served);
  if (served == connections_.end()) return;
  const Connection& connection = served->second;
  if (connection.done_ns == 0)
    works_before_answers_ |= connection.accepted && !connection.open.empty();
  else
    works_after_answers_ |= own != 0 ? connection.open.empty() : context.made_late;
}

// Is it the task that serves an accepted connection?
std::optional<Tasks::Served> Tasks::served_of(const Context& context) const {
  if (context.owner != Owner::kUnknown || accept_misleads_ || context.nth >= kChildrenMax) return std::nullopt;
  const auto may_be = [&](uint32_t kind, uint32_t child) {
    return (serving_children_ & kind) == 0 || (serving_children_ >> child & 1) != 0;
  };
  if (context.parent_nth == 0 && may_be(kOfMade, context.nth)) {
    const auto found = accepts_.find(context.grandparent_id);
    const bool is_it = found != accepts_.end() && found->second.connection != 0 && (found->second.connection & kTlsConnection) == 0 &&
                       found->second.reader_parent_born == context.parent_born + 1;
    if (is_it) return Served{.connection = found->second.connection, .child = context.nth};
  }
  const auto reader = contexts_.find(context.parent);
  if (reader == contexts_.end() || reader->second.id != context.parent_id || context.nth >= reader->second.early_children)
    return std::nullopt;
  const bool reads_one = reader->second.owner == Owner::kConnection && reader->second.reads && is_accepted_reader(reader->second);
  if (!reads_one || !may_be(kOfReader, context.nth + kChildrenMax)) return std::nullopt;
  return Served{.connection = reader->second.connection, .child = context.nth + kChildrenMax};
}

Tasks::Finding Tasks::find(const Context& context) const {
  switch (context.owner) {
    case Owner::kUnknown: {
      const auto served = served_of(context);
      return served ? find_served(context, served->connection) : Finding{};
    }
    case Owner::kConnection: return find_served(context, context.connection);
    case Owner::kRequest: {
      const auto found = connections_.find(context.request.connection);
      if (found != connections_.end() && std::ranges::find(found->second.open, context.request) != found->second.open.end())
        return {.known = true, .request = context.request};
      return {.known = true, .request = std::nullopt};
    }
    case Owner::kNobody:
    case Owner::kShared: break;
  }
  return {.known = true, .request = std::nullopt};
}

// Whatever the thread does now: it has not made a task for what it read last.
void Tasks::interrupt(uint32_t thread_id) {
  const auto found = turns_.find(thread_id);
  if (found == turns_.end()) return;
  found->second.in_callback = false;
  if (!found->second.read) return;
  found->second.read.reset();
  found->second.in_a_row = 0;
}

void Tasks::begin_turn(const RequestKey& request, uint32_t thread_id) {
  if (turns_.size() < settings_.threads_max || turns_.contains(thread_id)) turns_[thread_id].read = request;
}

void Tasks::received(const RequestKey& request, const Caller& caller) {
  threads_.received(request, caller);
  if (request.stream_id != 0) return;
  interrupt(caller.thread_id);
  if (connections_.size() >= settings_.connects_max && !connections_.contains(request.connection)) {
    std::erase_if(connections_, [](const auto& entry) { return entry.second.open.empty(); });
    if (connections_.size() >= settings_.connects_max) return settings_.full->add();
  }
  Connection& connection = connections_[request.connection];
  if (!connection.open.empty())
    connection.pipelined = request;
  else if ((connection.accepted || connection.votes >= kVotesMin) && connection.done_ns != 0 &&
           caller.time_ns >= connection.done_ns + kIdleNs)
    idle_++;
  connection.open.push_back(request);
  connection.copies = copies_;
  if (caller.blocking) return;
  if (context_of(caller) == 0) return begin_turn(request, caller.thread_id);
  Context& context = context_at(context_of(caller));
  if (is_of_all(request, caller)) {
    context.owner = Owner::kShared;
    context.reads = true;
    return begin_turn(request, caller.thread_id);
  }
  const bool other_connection = context.owner == Owner::kConnection && context.connection != request.connection;
  const Finding before = find(context);
  if (context.owner == Owner::kShared || other_connection || (before.request && before.request->connection != request.connection)) {
    context.owner = Owner::kShared;
    return;
  }
  if (!context.reads && (request.connection & kTlsConnection) != 0) context.early_children = context.children;
  context.owner = Owner::kConnection;
  context.connection = request.connection;
  context.reads = true;
  if (!is_accepted_reader(context)) return;
  if (accepts_.size() >= settings_.connects_max) {
    settings_.full->add(accepts_.size());
    accepts_.clear();
  }
  const auto [accept, is_new] = accepts_.try_emplace(context.grandparent_id, request.connection, context.parent_born);
  if (!is_new && accept->second.connection != request.connection) accept->second.connection = 0;
  connection.accepted = true;
}

void Tasks::done(const RequestKey& request, uint64_t time_ns) {
  threads_.done(request, time_ns);
  const auto found = connections_.find(request.connection);
  if (found == connections_.end()) return;
  std::erase(found->second.open, request);
  found->second.done_ns = time_ns;
}

void Tasks::noted(uint32_t what, const Caller& caller) {
  if (what != CLEW_CPYTHON_COPIED && what != CLEW_CPYTHON_COPIED_AT_ONCE) return;
  const auto [from, copy, number] = caller.execution;
  if (number != copies_ + 1) forget();
  copies_ = number;
  Context* const parent = from != 0 ? &context_at(from) : nullptr;
  Context child;
  child.id = ++last_id_;
  child.born = number;
  if (parent != nullptr) inherit(from, *parent, child);
  if (const auto turn = turns_.find(caller.thread_id); turn != turns_.end())
    copied_in_turn(parent, child, turn->second, what == CLEW_CPYTHON_COPIED_AT_ONCE);
  if (parent != nullptr) parent->children++;
  context_at(copy) = child;
}

void Tasks::inherit(uint64_t address, const Context& parent, Context& child) {
  child.parent = address;
  child.parent_id = parent.id;
  child.grandparent_id = parent.parent_id;
  child.parent_born = parent.born;
  if (parent.born != 0) child.nth = parent.children;
  child.parent_nth = parent.nth;
  const uint64_t own = served_by(parent);
  child.served = own != 0 ? own : parent.served;
  if (const auto served = connections_.find(child.served); served != connections_.end())
    child.made_late = own != 0 ? served->second.open.empty() && served->second.done_ns != 0 : parent.made_late;
  const Finding finding = find(parent);
  if (!finding.known) return;
  child.owner = finding.request ? Owner::kRequest : Owner::kNobody;
  if (!finding.request) return;
  child.request = *finding.request;
  const auto served_itself = served_of(parent);
  child.of_child = served_itself ? served_itself->child : parent.of_child;
}

void Tasks::copied_in_turn(Context* parent, Context& child, Turn& turn, bool at_once) {
  const std::optional<RequestKey> read = std::exchange(turn.read, std::nullopt);
  const bool of_all = parent != nullptr && parent->owner == Owner::kShared && parent->reads;
  if (!read) {
    const bool by_callbacks = parent != nullptr && parent->id == turn.callbacks_id;
    if (by_callbacks && !turn.in_callback) turn.in_a_row = 0;
    turn.in_callback &= by_callbacks;
    return;
  }
  if (parent == nullptr || (of_all ? !at_once : find(*parent).known)) {
    turn.in_a_row = 0;
    return;
  }
  const uint64_t callbacks_id = of_all ? kOfAll : parent->id;  // uvloop reads a connection's first request in a copy of that one
  turn.in_callback = true;
  turn.in_a_row = callbacks_id == turn.callbacks_id ? turn.in_a_row + 1 : 1;
  turn.callbacks_id = callbacks_id;
  parent->runs_callbacks = true;
  if (turn.in_a_row < kCallbacksMin || callbacks_mislead_) return;
  child.owner = Owner::kRequest;
  child.request = *read;
}

void Tasks::responding(const RequestKey& request, const Caller& caller) {
  if (request.stream_id != 0) return;
  threads_.responding(request, caller);
  interrupt(caller.thread_id);
  const auto connection = connections_.find(request.connection);
  if (context_of(caller) == 0 || caller.execution[2] > copies_ || threads_.serves(caller.thread_id) || connection == connections_.end())
    return;
  Context& context = context_at(context_of(caller));
  switch (context.owner) {
    case Owner::kRequest:
      if (context.request == request && context.of_child != kManyth) serving_children_ |= 1U << context.of_child;
      if (context.request == request || !find(context).request) return;
      context.owner = Owner::kShared;
      callbacks_mislead_ = true;
      return;
    case Owner::kConnection:
      if (context.connection != request.connection) context.owner = Owner::kShared;
      return;
    case Owner::kUnknown: break;
    case Owner::kNobody:
    case Owner::kShared: return;
  }
  const auto served = served_of(context);
  if (served && served->connection == request.connection)
    serving_children_ |= 1U << served->child;
  else if (served || connection->second.accepted)
    accept_misleads_ = true;
  if (!served) vote(request, context, connection->second);
}

// It has answered the request. It, or the one that made it for the request, may serve the connection.
void Tasks::vote(const RequestKey& request, Context& context, Connection& connection) {
  Context* candidate = &context;
  if (context.born > connection.copies) {
    const auto parent = contexts_.find(context.parent);
    if (parent == contexts_.end() || parent->second.id != context.parent_id) return;
    candidate = &parent->second;
  }
  if (candidate->owner != Owner::kUnknown || candidate->runs_callbacks || connection.open.size() != 1) return;
  if (candidate->connection != 0 && candidate->connection != request.connection) {
    candidate->owner = Owner::kShared;
    return;
  }
  candidate->connection = request.connection;
  connection.votes = candidate->id == connection.candidate_id ? connection.votes + 1 : 1;
  connection.candidate_id = candidate->id;
  if (connection.votes >= kVotesMin) candidate->owner = Owner::kConnection;
}

std::optional<Cause> Tasks::sent(const RequestKey& request, const Caller& caller) {
  if (request.stream_id != 0) return threads_.sent(request, caller);
  interrupt(caller.thread_id);
  if (context_of(caller) == 0 || threads_.serves(caller.thread_id)) return threads_.sent(request, caller);
  if (caller.execution[2] > copies_) return std::nullopt;  // a note is lost, or still to come: who knows whose address this is
  const auto context = contexts_.find(context_of(caller));
  if (context != contexts_.end()) learn_when_it_works(context->second);
  const Finding finding = context != contexts_.end() ? find(context->second) : Finding{};
  if (finding.request) return Cause{.request = *finding.request, .evidence = Evidence::kExecution};
  // What is nobody's is no sign of anything but of how much the process does by itself.
  if (finding.known && !threads_.idle()) return std::nullopt;
  return threads_.sent(request, caller);
}

void Tasks::answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& /*cause*/) {
  if (request.stream_id != 0) return;
  interrupt(caller.thread_id);
}

}  // namespace clew::correlation
