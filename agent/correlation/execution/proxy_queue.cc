// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/proxy_queue.h"

#include <algorithm>

namespace clew::correlation {
namespace {

constexpr uint64_t kSameTurnNs = 1'000'000;  // between two reads of a turn
constexpr uint64_t kWaitMaxNs = 50'000'000;

}  // namespace

// A request that still waits although the next is read in another turn may wait for something (a free connection, its body), and be
// overtaken. Then the order says nothing, for any of those that wait.
void ProxyQueue::received(const RequestKey& request, const Caller& caller) {
  if (threads_.size() >= settings_.threads_max && !threads_.contains(caller.thread_id)) return settings_.full->add();
  std::deque<Waiting>& waiting = threads_[caller.thread_id];
  const bool doubtful = !waiting.empty() && caller.time_ns > waiting.back().time_ns + kSameTurnNs;
  if (doubtful)
    for (Waiting& other : waiting) other.doubtful = true;
  waiting.push_back({.request = request, .time_ns = caller.time_ns, .doubtful = doubtful});
}

// The one that has waited longest.
std::optional<RequestKey> ProxyQueue::take(const Caller& caller) {
  const auto found = threads_.find(caller.thread_id);
  if (found == threads_.end() || found->second.empty()) return std::nullopt;
  const Waiting first = found->second.front();
  found->second.pop_front();
  if (!first.doubtful && caller.time_ns <= first.time_ns + kWaitMaxNs) return first.request;
  settings_.ambiguous->add();
  return std::nullopt;
}

std::optional<Cause> ProxyQueue::sent(const RequestKey& request, const Caller& caller) {
  std::optional<RequestKey> cause;
  if (auto begun = connects_.extract(request.connection))
    cause = begun.mapped();
  else
    cause = take(caller);
  if (!cause) return std::nullopt;
  return Cause{.request = *cause, .evidence = Evidence::kCausal};
}

void ProxyQueue::connecting(uint64_t connection, const Caller& caller) {
  const auto cause = take(caller);
  if (!cause) return;
  if (connects_.size() >= settings_.connects_max) {
    settings_.full->add(connects_.size());
    connects_.clear();
  }
  connects_[connection] = *cause;
}

void ProxyQueue::done(const RequestKey& request, uint64_t /*time_ns*/) {
  for (auto& [id, waiting] : threads_) std::erase_if(waiting, [&request](const Waiting& w) { return w.request == request; });
}

bool ProxyQueue::idle() const {
  return std::ranges::all_of(threads_, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace clew::correlation
