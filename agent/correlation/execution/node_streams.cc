// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/node_streams.h"

#include <utility>

namespace clew::correlation {
namespace {

constexpr unsigned kNumberShift = 48;
constexpr uint64_t kNumberMask = (uint64_t{1} << (64 - kNumberShift)) - 1;
constexpr uint64_t kInTurn = uint64_t{1} << 32;
constexpr size_t kCausesMax = 16'384;

}  // namespace

NodeStreams::Note NodeStreams::Note::decode(const std::array<uint64_t, 3>& words) {
  return {.session = words[0], .stream = words[1], .turn = words[2] & 0xffff, .in_turn = (words[2] & kInTurn) != 0};
}

// What stays are sessions that are gone and requests that were never sent.
template <class Map>
void NodeStreams::make_room(Map& map) const {
  if (map.size() < max_) return;
  full_->add(map.size());
  map.clear();
}

void NodeStreams::received(const RequestKey& request) {
  make_room(open_);
  open_[{request.socket(), request.stream_id}] = request;
}

void NodeStreams::done(const RequestKey& request) { open_.erase({request.socket(), request.stream_id}); }

bool NodeStreams::in_order(const std::array<uint64_t, 3>& words) {
  const uint64_t number = words[2] >> kNumberShift;
  const bool next = number == ((latest_ + 1) & kNumberMask);
  latest_ = number;
  if (next) return true;
  frame_.reset();
  asking_.reset();
  return false;
}

void NodeStreams::handed_on(const Note& note, uint64_t read) {
  if (note.in_turn && note.stream != 0) {
    make_room(sessions_);
    make_room(connections_);
    sessions_[note.session] = read;
    connections_[read] = note.session;
  }
  frame_ = {.turn = note.turn, .owner = std::nullopt, .is_server = false};
  const auto session = sessions_.find(note.session);
  if (!note.in_turn || note.stream == 0 || session == sessions_.end()) return;
  const Name name{session->second, note.stream};
  if (const auto request = open_.find(name); request != open_.end()) {
    frame_->owner = request->second;
    frame_->is_server = true;
  } else if (const auto cause = causes_.find(name); cause != causes_.end()) {
    frame_->owner = cause->second;
  } else if (const auto asked = take(note.session, name)) {  // sent before anybody knew on which connection
    frame_->owner = asked->cause->request;
  }
}

std::optional<NodeStreams::Asking> NodeStreams::take(uint64_t session, const Name& name) {
  const auto asked = asked_.extract({session, name.stream});
  if (!asked) return std::nullopt;
  causes_[name] = asked.mapped().cause->request;
  causes_in_order_.push_back(name);
  if (causes_in_order_.size() > kCausesMax) {
    causes_.erase(causes_in_order_.front());
    causes_in_order_.pop_front();
  }
  return asked.mapped();
}

void NodeStreams::asks(const std::array<uint64_t, 3>& words, const std::optional<Cause>& cause, bool believed) {
  asking_ = {.session = words[2] & ((uint64_t{1} << kNumberShift) - 1), .cause = cause, .believed = believed};
}

void NodeStreams::asked(const Note& note) {
  const auto asking = std::exchange(asking_, std::nullopt);
  if (!asking || note.stream == 0) return;
  if (!asking->cause) {  // what is there was never sent, and by a session that is gone
    asked_.erase({asking->session, note.stream});
    return;
  }
  make_room(asked_);
  asked_[{asking->session, note.stream}] = *asking;
}

std::optional<Cause> NodeStreams::sent(const RequestKey& request) {
  const auto session = connections_.find(request.socket());
  if (session == connections_.end()) return std::nullopt;
  const auto asked = take(session->second, {request.socket(), request.stream_id});
  return asked && asked->believed ? asked->cause : std::nullopt;
}

std::optional<RequestKey> NodeStreams::answers(const Note& note) const {
  const auto session = sessions_.find(note.session);
  if (session == sessions_.end()) return std::nullopt;
  const auto request = open_.find({session->second, note.stream});
  return request == open_.end() ? std::nullopt : std::optional(request->second);
}

}  // namespace clew::correlation
