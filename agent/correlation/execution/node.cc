// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/node.h"

#include <algorithm>
#include <utility>

#include "bpf/events.h"

namespace clew::correlation {
namespace {

// Words of a call, bpf/execution/node.bpf.h.
constexpr uint32_t kRead = 1;
constexpr uint32_t kConnect = 2;
constexpr uint64_t kInTurn = uint64_t{1} << 63;
constexpr uint64_t kBehindTurn = uint64_t{1} << 62;
constexpr uint64_t kAlone = uint64_t{1} << 61;
constexpr unsigned kNumberShift = 53;
constexpr uint64_t kNumberMask = (uint64_t{1} << (64 - kNumberShift)) - 1;

constexpr uint64_t kImmediatesWait = uint64_t{1} << 63;
constexpr uint64_t kLoopMask = 1023;
constexpr uint64_t kReadsMask = 0xffff;  // of a turn's state: calls of read(2); the rest: timers

constexpr size_t kTurnsMax = 4096;
constexpr uint32_t kOwnAnswersMin = 16;
constexpr uint64_t kDistrustMax = uint64_t{1} << 40;

uint64_t execution_id(const Caller& caller) { return caller.execution[0] & ((uint64_t{1} << kNumberShift) - 1); }
uint64_t trigger_id(const Caller& caller) { return caller.execution[1] & ((uint64_t{1} << kNumberShift) - 1); }
uint64_t number_of(const Caller& caller) { return caller.execution[1] >> kNumberShift; }

}  // namespace

Node::Connection& Node::remember(uint64_t connection, const std::optional<RequestKey>& owner, bool is_server) {
  if (connections_.size() >= settings_.connects_max && !connections_.contains(connection)) {
    settings_.full->add(connections_.size());
    connections_.clear();
  }
  Connection& entry = connections_[connection];
  entry.owner = owner;
  entry.is_server = is_server;
  return entry;
}

// Streams: for whom JavaScript runs now, what it asks for, what it answers.
void Node::noted_of_stream(uint32_t what, const Caller& caller) {
  if (!streams_.in_order(caller.execution)) return;
  if (what == CLEW_NODE_ASKS) {
    const Turn* const turn = turn_of(caller);
    const NodeStreams::Frame* const frame = frame_of(turn);
    // Outside of a turn nothing shows for whom: session.request() calls in a resource of its own, whose id was made just then.
    std::optional<Cause> cause;
    if (turn != nullptr) cause = frame != nullptr ? cause_in_frame(*turn, *frame, caller) : cause_of(caller);
    return streams_.asks(caller.execution, cause, frame == nullptr || believes(cause));
  }
  auto note = NodeStreams::Note::decode(caller.execution);
  note.in_turn &= !turns_.empty() && turns_.back().number == note.turn;
  if (what == CLEW_NODE_FRAME) return streams_.handed_on(note, note.in_turn ? turns_.back().connection : 0);
  if (what == CLEW_NODE_ASKED) return streams_.asked(note);
  const auto& frame = streams_.frame();
  const auto request = streams_.answers(note);
  if (!note.in_turn || !request || !frame || frame->turn != note.turn || !frame->owner) return;
  if (!frame->is_server && *frame->owner != *request)
    distrust();
  else if (!frame->is_server && own_answers_ < kOwnAnswersMin)
    own_answers_++;
  streams_.answered();
}

void Node::noted(uint32_t what, const Caller& caller) {
  if (what >= CLEW_NODE_FRAME && what <= CLEW_NODE_RESPONDS) return noted_of_stream(what, caller);
  if (what == kConnect) connect_ = caller;
  if (what != kRead) return;
  Turn turn;
  turn.number = caller.execution[2] & 0xffff;
  turn.state = caller.execution[2] >> 16;
  turn.connection = caller.execution[0];
  turn.first_id = caller.execution[1] & ((uint64_t{1} << kNumberShift) - 1);
  turn.loop = caller.execution[1] >> kNumberShift & kLoopMask;
  turn.clean = (caller.execution[1] & kImmediatesWait) == 0;
  if (const auto found = connections_.find(turn.connection); found != connections_.end()) {
    turn.owner = found->second.owner;
    turn.is_server = found->second.is_server;
  }
  // Another process's, if its counter has gone back: a fork, an exec that was missed.
  if (!turns_.empty() && turn.first_id < turns_.back().first_id) turns_.clear();
  if (!turns_.empty()) {
    Turn& before = turns_.back();
    const bool alone = (before.state & ~kReadsMask) == (turn.state & ~kReadsMask) && ((turn.state - before.state) & kReadsMask) == 1;
    const bool next = ((turn.number - before.number) & 0xffff) == 1;
    before.alone = next && ((turn.state - before.state) & kReadsMask) == 1;
    before.clean &= next && alone;
  }
  distrusted_ -= distrusted_ > 0;
  if (turns_.size() >= kTurnsMax) turns_.pop_front();
  turns_.push_back(turn);
}

bool Node::knows_latest(const Caller& caller) const { return !turns_.empty() && (turns_.back().number & kNumberMask) == number_of(caller); }

const Node::Turn* Node::turn_of(const Caller& caller) const {
  return (caller.execution[0] & kInTurn) != 0 && knows_latest(caller) ? &turns_.back() : nullptr;
}

// Immediates of this turn of the loop: which read's callback has made the one that calls. Those that they make run in the next one.
const Node::Turn* Node::turn_behind(const Caller& caller) const {
  if ((caller.execution[0] & kBehindTurn) == 0 || !knows_latest(caller)) return nullptr;
  const auto is_older = [&caller](const Turn& turn) { return turn.first_id < execution_id(caller); };
  const auto turn = std::find_if(turns_.rbegin(), turns_.rend(), is_older);
  if (turn == turns_.rend() || turn->loop != turns_.back().loop) return nullptr;
  const bool alone = turn == turns_.rbegin() ? (caller.execution[0] & kAlone) != 0 : turn->alone;
  return alone ? &*turn : nullptr;
}

void Node::received(const RequestKey& request, const Caller& caller) {
  open_.insert(request);
  if (request.stream_id != 0) return streams_.received(request);
  remember(request.socket(), request, true);
  if (caller.model != ExecutionModel::kNode || turns_.empty() || turns_.back().connection != request.socket()) return;
  Turn& turn = turns_.back();
  turn.owner = request;
  turn.is_server = true;
  turn.requests++;
}

void Node::answered(const RequestKey& request, const Caller& caller, const std::optional<RequestKey>& cause) {
  if (request.stream_id != 0) return;
  remember(request.socket(), cause, false);
  if (caller.model != ExecutionModel::kNode || turns_.empty() || turns_.back().connection != request.socket()) return;
  turns_.back().owner = cause;
  turns_.back().is_server = false;
}

// Its answer came in a turn that was taken for another one's: this program hands work from one request to the next without a sign.
void Node::responding(const RequestKey& request, const Caller& caller) {
  if (request.stream_id != 0) return;  // who sends it says nothing
  const Turn* const turn = caller.model == ExecutionModel::kNode ? turn_of(caller) : nullptr;
  if (turn == nullptr || turn->is_server || !turn->owner || *turn->owner == request) return;
  distrust();
}

void Node::distrust() {
  own_answers_ = 0;
  settings_.ambiguous->add();
  distrusted_ = distrust_next_;
  distrust_next_ = std::min(distrust_next_ * 2, kDistrustMax);
}

void Node::done(const RequestKey& request, uint64_t /*time_ns*/) {
  open_.erase(request);
  streams_.done(request);
}

// For which request the id was made, if that is certain enough.
std::optional<RequestKey> Node::owner_of(const Turn& turn, uint64_t id) const {
  if (id > turn.first_id) return turn.owner;
  const auto own = connections_.find(turn.connection);
  if (own != connections_.end() && id > own->second.first_id && id <= own->second.last_id) return turn.owner;
  const auto behind = std::ranges::lower_bound(turns_, id, {}, &Turn::first_id);  // the first that began with it or later
  if (behind == turns_.begin() || !std::prev(behind)->clean || std::prev(behind)->requests > 1) return std::nullopt;
  return std::prev(behind)->owner;
}

std::optional<Cause> Node::cause_of(const Caller& caller) {
  if (caller.model != ExecutionModel::kNode) return std::nullopt;
  const Turn* const turn = turn_of(caller);
  if (turn == nullptr) return cause_behind(caller);
  if (const NodeStreams::Frame* const frame = frame_of(turn)) {
    const auto cause = cause_in_frame(*turn, *frame, caller);
    return believes(cause) ? cause : std::nullopt;
  }
  if (turn->requests > 1) {
    settings_.ambiguous->add();
    return std::nullopt;
  }
  if (turn->is_server) {
    if (!is_open(turn->owner)) return std::nullopt;
    return Cause{.request = *turn->owner, .evidence = Evidence::kExecution};
  }
  if (distrusted_ > 0) return std::nullopt;
  // What runs here may have waited for this answer's connection, or for its end: its ids are older then.
  std::optional<RequestKey> owner = turn->owner;
  if (const uint64_t execution = execution_id(caller); execution != 0 && execution <= turn->first_id)
    owner = owner_of(*turn, execution);
  else if (const uint64_t trigger = trigger_id(caller); trigger != 0)
    owner = owner_of(*turn, trigger);
  if (!is_open(owner)) return std::nullopt;
  return Cause{.request = *owner, .evidence = Evidence::kCausal};
}

// JavaScript runs for one frame at a time, with all ticks and promises that it leaves behind. What is older, and runs here nevertheless,
// was bound to something else by the program.
std::optional<Cause> Node::cause_in_frame(const Turn& turn, const NodeStreams::Frame& frame, const Caller& caller) const {
  if (!frame.owner) return std::nullopt;
  if (const uint64_t id = execution_id(caller) != 0 ? execution_id(caller) : trigger_id(caller); id != 0 && id <= turn.first_id)
    return std::nullopt;
  return Cause{.request = *frame.owner, .evidence = frame.is_server ? Evidence::kExecution : Evidence::kCausal};
}

const NodeStreams::Frame* Node::frame_of(const Turn* turn) const {
  const auto& frame = streams_.frame();
  return turn != nullptr && frame && frame->turn == turn->number ? &*frame : nullptr;
}

// What follows an answer is done by whoever waited for it, unless the program has a queue of its own; such ones answer in the callbacks of
// others soon.
bool Node::believes(const std::optional<Cause>& cause) const {
  return cause && is_open(cause->request) &&
         (cause->evidence == Evidence::kExecution || (distrusted_ == 0 && own_answers_ >= kOwnAnswersMin));
}

// undici lets the loop look once at a connection that was idle before it sends there: in an immediate, made where the request was. In the
// callback of an answer it makes one, too, for whoever waits for the connection; that one has a trigger.
std::optional<Cause> Node::cause_behind(const Caller& caller) {
  const Turn* const turn = turn_behind(caller);
  if (turn == nullptr || !is_open(turn->owner)) return std::nullopt;
  const bool first = std::exchange(immediate_, execution_id(caller)) != execution_id(caller);
  if (turn->requests > 1 || !first) {  // more than one: it drains a queue
    settings_.ambiguous->add();
    return std::nullopt;
  }
  if (!turn->is_server && (trigger_id(caller) != 0 || distrusted_ > 0)) return std::nullopt;
  return Cause{.request = *turn->owner, .evidence = Evidence::kCausal};
}

std::optional<Cause> Node::sent(const RequestKey& request, const Caller& caller) {
  if (request.stream_id != 0) {
    std::optional<Cause> cause = streams_.sent(request);
    if (cause && !is_open(cause->request)) cause.reset();
    return cause;
  }
  std::optional<Cause> cause = connects_.take(request.socket());
  if (!cause) cause = cause_of(caller);
  if (cause && !is_open(cause->request)) cause.reset();
  Connection& connection = remember(request.socket(), cause ? std::optional(cause->request) : std::nullopt, false);
  // Only a tick of this turn makes its ids in one piece; what waits for its connection is sent by a callback of long before.
  const Turn* const turn = turn_of(caller);
  const bool tick = turn != nullptr && execution_id(caller) > turn->first_id;
  connection.first_id = tick ? execution_id(caller) : 0;
  connection.last_id = tick ? caller.execution[2] : 0;
  return cause;
}

void Node::connecting(uint64_t connection, const Caller& caller) {
  if (!connect_) return;
  const Caller noted = *connect_;
  connect_.reset();
  if (noted.thread_id != caller.thread_id) return;
  const auto cause = cause_of(noted);
  if (!cause) return;
  connects_.begin(connection, *cause);
}

}  // namespace clew::correlation
