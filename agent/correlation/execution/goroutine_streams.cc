// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/goroutine_streams.h"

namespace clew::correlation {
namespace {

constexpr unsigned kIdBits = 44;
constexpr unsigned kStreamLowBits = 20;
constexpr uint64_t kIdMask = (uint64_t{1} << kIdBits) - 1;

}  // namespace

GoroutineStreams::Note GoroutineStreams::Note::decode(const std::array<uint64_t, 3>& words) {
  return {.goroutine = words[0] & kIdMask,
          .origin = words[1],
          .writer = words[2] & kIdMask,
          .stream = (words[0] >> kIdBits << kStreamLowBits) | words[2] >> kIdBits};
}

// What stays was asked for and never sent.
template <class Map>
void GoroutineStreams::make_room(Map& map) const {
  if (map.size() < max_) return;
  full_->add(map.size());
  map.clear();
}

// One goroutine reads one connection at a time. Should it be otherwise, nothing is said.
void GoroutineStreams::put(Unserved& unserved, const Name& name, const RequestKey& request) {
  if (const auto [entry, is_new] = unserved.try_emplace(name, request); !is_new && entry->second != request) entry->second = {};
}

void GoroutineStreams::read(const RequestKey& request, uint64_t reader, uint64_t parent) {
  if (reader == 0) return;
  if (open_.size() >= max_) return full_->add();
  if (const auto [entry, is_new] = open_.try_emplace(request, reader, parent); !is_new) return;
  put(by_reader_, {reader, request.stream_id}, request);
  if (parent != 0) put(by_parent_, {parent, request.stream_id}, request);
}

std::optional<RequestKey> GoroutineStreams::serve(uint64_t parent, uint64_t stream, bool beside) {
  if (parent == 0) return std::nullopt;
  RequestKey found;
  if (const auto entry = by_reader_.find({parent, stream}); entry != by_reader_.end()) {
    found = entry->second;
  } else if (beside) {
    const auto sibling = by_parent_.find({parent, stream});
    if (sibling != by_parent_.end()) found = sibling->second;
  }
  if (found.connection == 0) return std::nullopt;
  done(found);
  return found;
}

void GoroutineStreams::done(const RequestKey& request) {
  const auto entry = open_.extract(request);
  if (!entry) return;
  by_reader_.erase({entry.mapped().reader, request.stream_id});
  by_parent_.erase({entry.mapped().parent, request.stream_id});
}

void GoroutineStreams::ask(const Note& note) {
  if (note.writer != 0) {
    make_room(asked_);
    asked_[{note.writer, note.stream}] = {note.goroutine, note.origin};
    return;
  }
  if (!waiting_.contains(note.goroutine)) make_room(waiting_);
  Waiting& waiting = waiting_[note.goroutine];
  waiting.origin = note.origin;
  waiting.streams++;
}

std::optional<std::array<uint64_t, 2>> GoroutineStreams::asker(uint64_t sender, uint64_t parent, uint64_t stream) {
  if (const auto asked = asked_.extract({sender, stream})) return asked.mapped();
  const auto waiting = waiting_.find(parent);
  if (parent == 0 || waiting == waiting_.end()) return std::nullopt;
  const std::array<uint64_t, 2> words = {parent, waiting->second.origin};
  if (--waiting->second.streams == 0) waiting_.erase(waiting);
  return words;
}

}  // namespace clew::correlation
