// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/proxy_queue.h"

#include <algorithm>
#include <utility>

namespace clew::correlation {
namespace {

constexpr uint64_t kSameTurnNs = 500'000;  // between two reads of a turn, or two sends
constexpr double kTurns = 16;
constexpr double kCongested = 0.4;  // requests wait for connections: no order is safe
constexpr uint64_t kWaitMaxNs = 5'000'000;

}  // namespace

// What still waits when a turn is over may wait for something (a free connection, its body), and be overtaken. Then the order says nothing,
// for any of those that wait.
void ProxyQueue::doubt(Thread& thread) {
  for (Waiting& other : thread.waiting) other.doubtful = true;
}

// It reads again after it has sent: another turn.
void ProxyQueue::begin_turn(Thread& thread) {
  if (!std::exchange(thread.has_sent, false)) return;
  thread.congested += ((thread.waiting.empty() ? 0.0 : 1.0) - thread.congested) / kTurns;
  doubt(thread);
}

void ProxyQueue::received(const RequestKey& request, const Caller& caller) {
  if (threads_.size() >= settings_.threads_max && !threads_.contains(caller.thread_id)) return settings_.full->add();
  Thread& thread = threads_[caller.thread_id];
  begin_turn(thread);
  std::deque<Waiting>& waiting = thread.waiting;
  const bool doubtful = !waiting.empty() && (waiting.back().doubtful || caller.time_ns > waiting.back().time_ns + kSameTurnNs);
  if (doubtful) doubt(thread);
  waiting.push_back({.request = request, .time_ns = caller.time_ns, .doubtful = doubtful});
}

void ProxyQueue::answered(const RequestKey& /*request*/, const Caller& caller, const std::optional<RequestKey>& /*cause*/) {
  if (const auto found = threads_.find(caller.thread_id); found != threads_.end()) begin_turn(found->second);
}

// The one that has waited longest.
std::optional<RequestKey> ProxyQueue::take(const Caller& caller) {
  const auto found = threads_.find(caller.thread_id);
  if (found == threads_.end()) return std::nullopt;
  Thread& thread = found->second;
  if (thread.has_sent && caller.time_ns > thread.sent_ns + kSameTurnNs) doubt(thread);
  thread.has_sent = true;
  thread.sent_ns = caller.time_ns;
  if (thread.waiting.empty()) return std::nullopt;
  const Waiting first = thread.waiting.front();
  thread.waiting.pop_front();
  if (!first.doubtful && thread.congested < kCongested && caller.time_ns <= first.time_ns + kWaitMaxNs) return first.request;
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
  for (auto& [id, thread] : threads_) std::erase_if(thread.waiting, [&request](const Waiting& w) { return w.request == request; });
}

bool ProxyQueue::idle() const {
  return std::ranges::all_of(threads_, [](const auto& entry) { return entry.second.waiting.empty(); });
}

}  // namespace clew::correlation
