// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/event_loop.h"

#include <algorithm>
#include <utility>

namespace clew::correlation {

// The loop has read something that belongs to `request`: what it sends in this turn is for it.
void EventLoop::turn(const RequestKey& request, const Caller& caller) {
  if (threads_.size() >= settings_.threads_max) std::erase_if(threads_, [](const auto& entry) { return !entry.second.request; });
  if (threads_.size() >= settings_.threads_max && !threads_.contains(caller.thread_id)) return settings_.full->add();
  threads_[caller.thread_id] = {.request = request, .time_ns = caller.time_ns, .number = caller.execution[0]};
}

std::optional<RequestKey> EventLoop::take(const Caller& caller) {
  const auto found = threads_.find(caller.thread_id);
  if (found == threads_.end()) return std::nullopt;
  Turn& turn = found->second;
  // It has slept since, or read an answer of DNS: whatever has woken it (a timer, say) was for another request, perhaps.
  if (turn.number != 0 && caller.execution[0] != 0 && turn.number != caller.execution[0]) return std::nullopt;
  if (!turn.request || caller.time_ns > turn.time_ns + settings_.loop_turn_ns_max || std::exchange(turn.used, true)) return std::nullopt;
  return turn.request;
}

std::optional<Cause> EventLoop::sent(const RequestKey& request, const Caller& caller) {
  const auto begun = connects_.take(request.socket());
  const std::optional<RequestKey> cause = begun ? *begun : take(caller);
  if (!cause) return std::nullopt;
  return Cause{.request = *cause, .evidence = Evidence::kCausal};
}

void EventLoop::answered(const RequestKey& /*request*/, const Caller& caller, const std::optional<RequestKey>& cause) {
  if (cause) return turn(*cause, caller);
  interrupted(caller);
}

void EventLoop::interrupted(const Caller& caller) {
  if (const auto found = threads_.find(caller.thread_id); found != threads_.end()) found->second.request.reset();
}

void EventLoop::connecting(uint64_t connection, const Caller& caller) { connects_.begin(connection, take(caller)); }

void EventLoop::done(const RequestKey& request, uint64_t /*time_ns*/) {
  for (auto& [id, turn] : threads_)  // one, or a few
    if (turn.request == request) turn.request.reset();
}

bool EventLoop::idle() const {
  return std::ranges::none_of(threads_, [](const auto& entry) { return entry.second.request.has_value(); });
}

}  // namespace clew::correlation
