// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/goroutines.h"

#include <algorithm>

#include "bpf/events.h"

namespace clew::correlation {
namespace {

constexpr size_t kGenerationsMax = 16;  // goroutine that starts a goroutine …
constexpr unsigned kParentBits = 44;
constexpr uint64_t kUnknownAhead = (uint64_t{1} << 27) - 1;

}  // namespace

GoroutineIds::Free GoroutineIds::Free::decode(uint64_t word, uint64_t near) {
  if (word == 0) return {};
  Free free;
  // Only the low half of the id is told.
  free.next =
      near + static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(static_cast<uint32_t>(word) - static_cast<uint32_t>(near))));
  free.end = free.next + (word >> 32 & 31);
  if (const uint64_t ahead = word >> 37; ahead != kUnknownAhead) free.highest = free.next - 1 + ahead;
  return free;
}

void GoroutineIds::saw(const Free& free, uint64_t time_ns) {
  if (free.end <= free.next || free.end - free.next > kBatch) return;
  if (batches_.size() >= kBatchesMax && !batches_.contains(free.end)) {
    if (free.end < batches_.begin()->first) return;
    batches_.erase(batches_.begin());
  }
  uint64_t& latest = batches_[free.end][free.end - free.next];
  latest = std::max(latest, time_ns);
}

uint64_t GoroutineIds::free_at(uint64_t id) const {
  const auto batch = batches_.upper_bound(id);
  if (batch == batches_.end() || batch->first - id > kBatch) return 0;
  const Seen& seen = batch->second;
  return *std::max_element(seen.begin() + static_cast<ptrdiff_t>(batch->first - id), seen.end());
}

Goroutines::Origin Goroutines::Origin::decode(uint64_t word) {
  return {.parent = word & ((uint64_t{1} << kParentBits) - 1),
          .function = static_cast<uint32_t>(word << 1 >> (kParentBits + 1)),
          .handed = word >> 63 != 0};
}

// Every call tells of its goroutine, and of the ids that were free.
Goroutines::Goroutine* Goroutines::learn(const Caller& caller) {
  const auto [id, origin_word, free] = caller.execution;
  if (id == 0) return nullptr;
  ids_.saw(GoroutineIds::Free::decode(free, id), caller.time_ns);
  return learn(id, origin_word);
}

Goroutines::Goroutine* Goroutines::learn(uint64_t id, uint64_t origin_word) {
  auto found = goroutines_.find(id);
  if (found == goroutines_.end()) {
    if (goroutines_.size() >= settings_.threads_max) {
      const size_t forgotten = std::erase_if(goroutines_, [](const auto& entry) { return entry.second.work.empty(); });  // most have ended
      if (forgotten < settings_.threads_max / 2) settings_.full->add();
      if (forgotten == 0) return nullptr;
    }
    found = goroutines_.try_emplace(id).first;
    const Origin origin = Origin::decode(origin_word);
    found->second.parent = origin.parent;
    found->second.function = origin.function;
  }
  return &found->second;
}

void Goroutines::received(const RequestKey& request, const Caller& caller) {
  Goroutine* const goroutine = learn(caller);
  if (goroutine == nullptr) return;
  if (request.stream_id != 0) return streams_.read(request, caller.execution[0], goroutine->parent);
  goroutine->serves = true;
  goroutine->work.push_back({.request = request,
                             .since_ns = caller.time_ns,
                             .highest = GoroutineIds::Free::decode(caller.execution[2], caller.execution[0]).highest});
  open_[request] = caller.execution[0];
}

void Goroutines::completed(const RequestKey& /*request*/, const Caller& caller) { learn(caller); }
void Goroutines::responding(const RequestKey& /*request*/, const Caller& caller) { learn(caller); }
void Goroutines::answered(const RequestKey& /*request*/, const Caller& caller, const std::optional<RequestKey>& /*cause*/) {
  learn(caller);
}

void Goroutines::noted(uint32_t what, const Caller& caller) {
  const auto note = GoroutineStreams::Note::decode(caller.execution);
  if (what == CLEW_GO_ASKS) return streams_.ask(note);
  if (what != CLEW_GO_SERVES && what != CLEW_GO_SERVES_READERS) return;
  const auto request = streams_.serve(Origin::decode(note.origin).parent, note.stream, /*beside=*/what == CLEW_GO_SERVES);
  Goroutine* const goroutine = request ? learn(note.goroutine, note.origin) : nullptr;
  if (goroutine == nullptr) return;
  goroutine->serves = true;
  goroutine->work.push_back({.request = *request, .since_ns = caller.time_ns, .only = true});
  open_[*request] = note.goroutine;
}

void Goroutines::done(const RequestKey& request, uint64_t time_ns) {
  if (request.stream_id != 0) streams_.done(request);
  const auto entry = open_.extract(request);
  if (!entry) return;
  const auto found = goroutines_.find(entry.mapped());
  if (found == goroutines_.end()) return;
  std::vector<Work>& work = found->second.work;
  std::erase_if(work, [&request](const Work& each) { return each.request == request; });
  for (Work& waited : work) {  // read ahead of its turn, which comes now at the earliest
    waited.since_ns = std::max(waited.since_ns, time_ns);
    waited.highest = 0;
  }
}

// Requests of one connection are answered in their order; those of two are served in nobody knows which.
std::optional<Cause> Goroutines::cause_of(const Goroutine& holder) const {
  if (holder.work.empty()) return std::nullopt;
  const RequestKey& first = holder.work.front().request;
  for (const Work& other : holder.work) {
    if (other.request.connection == first.connection) continue;
    settings_.ambiguous->add();
    return std::nullopt;
  }
  return Cause{.request = first, .evidence = Evidence::kExecution};
}

// A goroutine of a kept connection has served others before: what it started then may be at work still.
bool Goroutines::started_for(uint64_t id, const Goroutine& parent) const {
  if (parent.work.size() != 1) return false;
  const Work& work = parent.work.front();
  return work.only || (work.highest != 0 && id > work.highest) || ids_.free_at(id) >= work.since_ns;
}

// It sends something after a wait for a value from a channel: a job of whoever has handed it over. Where it outlives the request that has
// started it, those that run the same function are such ones, too, even if they have waited for something else since.
void Goroutines::judge(uint64_t id, Goroutine& goroutine) {
  goroutine.takes_jobs = true;
  const auto parent = goroutines_.find(goroutine.parent);
  if (parent != goroutines_.end() && parent->second.serves && !started_for(id, parent->second)) pools_.insert(goroutine.function);
}

std::optional<Cause> Goroutines::sent(const RequestKey& request, const Caller& caller) {
  Goroutine* goroutine = learn(caller);
  if (goroutine == nullptr) return std::nullopt;
  uint64_t id = caller.execution[0];
  uint64_t origin = caller.execution[1];
  if (request.stream_id != 0) {  // who sends it says nothing
    const auto asker = streams_.asker(id, goroutine->parent, request.stream_id);
    if (!asker) return std::nullopt;
    id = (*asker)[0];
    origin = (*asker)[1];
    goroutine = learn(id, origin);
    if (goroutine == nullptr) return std::nullopt;
  }
  const bool itself = goroutine->serves;
  if (!goroutine->serves && Origin::decode(origin).handed) judge(id, *goroutine);
  for (size_t generation = 0; !goroutine->serves; ++generation) {
    const auto parent = goroutines_.find(goroutine->parent);
    if (generation >= kGenerationsMax || goroutine->takes_jobs || pools_.contains(goroutine->function) || goroutine->parent == 0 ||
        parent == goroutines_.end())
      return std::nullopt;
    if (!parent->second.work.empty() && !started_for(id, parent->second)) {
      settings_.ambiguous->add();
      return std::nullopt;
    }
    id = goroutine->parent;
    goroutine = &parent->second;
  }
  std::optional<Cause> cause = cause_of(*goroutine);
  // One that a request has started may have been handed something by another, whatever signs of it we heed.
  if (cause && !itself) cause->evidence = Evidence::kCausal;
  return cause;
}

}  // namespace clew::correlation
