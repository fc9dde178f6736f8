// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/tokio.h"

#include <algorithm>

namespace clew::correlation {
namespace {

// Words of a call, bpf/execution/tokio.bpf.h.
constexpr uint32_t kSpawned = 1;
constexpr uint32_t kBlocking = 2;
constexpr unsigned kIdBits = 44;
constexpr uint64_t kIdMask = (uint64_t{1} << kIdBits) - 1;
constexpr uint64_t kProven = uint64_t{1} << 63;
constexpr uint64_t kUnheard = uint64_t{1} << 62;
constexpr uint64_t kJoinable = uint64_t{1} << 63;
constexpr uint64_t kJoined = uint64_t{1} << 62;

constexpr size_t kSpawnedMax = 4096;  // by the task of one request
constexpr size_t kOutlivedMax = 4096;
constexpr size_t kKindsMax = 4096;

}  // namespace

void Tokio::received(const RequestKey& request, const Caller& caller) {
  Caller anybody = caller;  // whoever reads it: it goes by tasks
  anybody.thread_id = 0;
  anybody.blocking = false;
  streams_.received(request, anybody);
  if (request.stream_id != 0) return;
  const uint64_t task = caller.execution[0] & kIdMask;
  if (caller.model != ExecutionModel::kTokio || task == 0) return;
  if (serving_.size() >= settings_.threads_max && !serving_.contains(task)) return settings_.full->add();
  if (!open_.try_emplace(request, Open{.task = task, .spawned = {}}).second) return;
  serving_[task].push_back(request);
}

void Tokio::done(const RequestKey& request, uint64_t time_ns) {
  streams_.done(request, time_ns);
  const auto entry = open_.extract(request);
  if (!entry) return;
  if (const auto found = serving_.find(entry.mapped().task); found != serving_.end()) {
    std::erase(found->second, request);
    if (found->second.empty()) serving_.erase(found);
  }
  for (const uint64_t task : entry.mapped().spawned) {
    spawned_.erase(task);
    if (!outlived_.insert(task).second) continue;
    outlived_in_order_.push_back(task);
    if (outlived_in_order_.size() <= kOutlivedMax) continue;
    outlived_.erase(outlived_in_order_.front());
    outlived_in_order_.pop_front();
  }
}

// Only what the task that serves a request spawns itself: of tasks in between it is not known whether somebody waits for them.
void Tokio::noted(uint32_t what, const Caller& caller) {
  if (what != kSpawned && what != kBlocking) return;
  const auto request = served_by(caller.execution[0]);
  if (!request) return;
  std::vector<uint64_t>& spawned = open_[*request].spawned;
  if (spawned.size() >= kSpawnedMax || spawned_.size() >= settings_.threads_max) return settings_.full->add();
  if (spawned_.try_emplace(caller.execution[1], Spawned{.request = *request, .blocking = what == kBlocking}).second)
    spawned.push_back(caller.execution[1]);
}

// Requests of one connection are answered in their order; those of two are served in nobody knows which.
std::optional<RequestKey> Tokio::served_by(uint64_t task) const {
  const auto found = serving_.find(task);
  if (found == serving_.end()) return std::nullopt;
  const RequestKey& first = found->second.front();
  for (const RequestKey& other : found->second) {
    if (other.connection == first.connection) continue;
    settings_.ambiguous->add();
    return std::nullopt;
  }
  return first;
}

std::optional<Cause> Tokio::cause_of(uint64_t task, Evidence evidence) const {
  const auto request = served_by(task);
  return request ? std::optional(Cause{.request = *request, .evidence = evidence}) : std::nullopt;
}

std::optional<Cause> Tokio::sent(const RequestKey& request, const Caller& caller) {
  if (request.stream_id != 0) return streams_.sent(request, caller);
  if (caller.model != ExecutionModel::kTokio || (caller.execution[0] & kProven) == 0) return std::nullopt;
  const uint64_t task = caller.execution[0] & kIdMask;
  const uint64_t waiter = caller.execution[1] & kIdMask;
  if (waiter != 0 && waiter != task) spawned_.erase(task);  // it is a connection's, and this its first request, or there were others
  if (serving_.contains(waiter)) return cause_of(waiter, Evidence::kExecution);
  const auto spawned = spawned_.find(waiter == 0 ? task : waiter);
  const bool known = spawned != spawned_.end();
  if (waiter == 0) {
    // A connection's task begins with the request of who has spawned it, which is about to wait for the answer.
    if (!known || (caller.execution[0] & kUnheard) == 0) return std::nullopt;
    const RequestKey owner = spawned->second.request;
    spawned_.erase(spawned);
    return Cause{.request = owner, .evidence = Evidence::kCausal};
  }
  if (waiter == task && !(known && spawned->second.blocking)) return std::nullopt;  // it may send for whoever asks it to

  const auto kind = static_cast<uint32_t>(caller.execution[2] >> kIdBits);
  const bool joinable = (caller.execution[1] & kJoinable) != 0;
  // Let go of, or still at work when its request is answered: such ones wait for jobs, of whoever has some.
  if ((!joinable || outlived_.contains(waiter)) && pools_.size() < kKindsMax) pools_.insert(kind);
  if (pools_.contains(kind)) return std::nullopt;
  if (const uint64_t joiner = caller.execution[2] & kIdMask; serving_.contains(joiner)) {
    if (joined_.size() < kKindsMax) joined_.insert(kind);
    return cause_of(joiner, Evidence::kCausal);
  }
  if (!known) return std::nullopt;
  // That a handle was kept says little, unless others of the kind are waited for.
  if ((caller.execution[1] & kJoined) != 0 && joined_.size() < kKindsMax) joined_.insert(kind);
  if (!joined_.contains(kind)) return std::nullopt;
  return Cause{.request = spawned->second.request, .evidence = Evidence::kCausal};
}

}  // namespace clew::correlation
