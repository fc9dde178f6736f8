// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/threads.h"

#include <algorithm>

namespace clew::correlation {
namespace {

constexpr uint32_t kOwnAnswersMin = 16;  // in a pool of two threads that share all work, one in 65,000 times by chance

// Who makes the call: a thread, or one of Java's virtual threads. Their numbers are not those of the kernel's.
constexpr uint64_t kVirtual = uint64_t{1} << 63;
uint64_t thread_of(const Caller& caller) {
  const bool is_virtual = caller.model == ExecutionModel::kPools && caller.execution[0] != 0;
  return is_virtual ? caller.execution[0] | kVirtual : caller.thread_id;
}

// A virtual thread waits, though the call does not: its carrier runs others meanwhile.
bool waits(const Caller& caller) { return caller.blocking || (thread_of(caller) & kVirtual) != 0; }

}  // namespace

void Threads::flip(const RequestKey& request) {
  all_open_.connection ^= request.connection;
  all_open_.position ^= request.position;
  all_open_.stream_id ^= request.stream_id;
}

void Threads::received(const RequestKey& request, const Caller& caller) {
  waits_ |= waits(caller);
  if (open_.size() == 0) {
    if (since_ns_ != 0) idle_ns_ += caller.time_ns - std::min(caller.time_ns, since_ns_);
    since_ns_ = caller.time_ns;
  }
  uint64_t thread = 0;
  if (waits(caller)) {
    if (threads_.size() >= settings_.threads_max) std::erase_if(threads_, [](const auto& entry) { return entry.second.empty(); });
    if (threads_.size() < settings_.threads_max || threads_.contains(thread_of(caller))) {
      threads_[thread_of(caller)].push_back(request);
      thread = thread_of(caller);
    } else {
      settings_.full->add();
    }
  }
  if (const auto [entry, is_new] = open_.try_emplace(request); is_new) {
    entry->second = thread;
    flip(request);
  }
}

void Threads::done(const RequestKey& request, uint64_t time_ns) {
  const auto found = open_.find(request);
  if (found == open_.end()) return;
  if (const auto held = threads_.find(found->second); held != threads_.end()) {
    std::erase(held->second, request);
    if (held->second.empty() && (held->first & kVirtual) != 0) threads_.erase(held);  // mostly they live for one request
  }
  open_.erase(found);
  flip(request);
  if (open_.size() != 0) return;
  busy_ns_ += time_ns - std::min(time_ns, since_ns_);
  since_ns_ = std::max(time_ns, since_ns_);
}

void Threads::responding(const RequestKey& request, const Caller& caller) {
  const auto found = open_.find(request);
  if (found == open_.end() || found->second == 0) return;
  // A virtual thread hands on where it ends; or its number could not be read this time.
  if ((found->second & kVirtual) != 0 && (thread_of(caller) & kVirtual) == 0) return;
  if (found->second != thread_of(caller))
    hands_on_ = true;
  else if (own_answers_ < kOwnAnswersMin)
    own_answers_++;
}

void Threads::handed_out(const RequestKey& request) { hands_out_ |= open_.find(request) != open_.end(); }

// A thread that has read a request works for that one.
bool Threads::trusts_threads() const { return !hands_on_ && (!earns_trust_ || own_answers_ >= kOwnAnswersMin || open_.size() == 1); }

std::optional<Cause> Threads::sent(const RequestKey& /*request*/, const Caller& caller) {
  if (hands_out_) return std::nullopt;  // nor is the only request under way a reason to send anything here
  const auto found = threads_.find(thread_of(caller));
  if (found == threads_.end() || found->second.empty() || hands_on_) return infer(caller);
  if (!trusts_threads()) {
    settings_.ambiguous->add();
    return std::nullopt;
  }
  // Requests of one connection are answered in their order; those of two are served in nobody knows which.
  const std::vector<RequestKey>& open = found->second;
  for (const RequestKey& other : open) {
    if (other.connection == open.front().connection) continue;
    settings_.ambiguous->add();
    return std::nullopt;
  }
  return Cause{.request = open.front(), .evidence = Evidence::kExecution};
}

std::vector<RequestKey> Threads::candidates(const Caller& caller) const {
  if (hands_out_) return {};
  if (const auto found = threads_.find(thread_of(caller)); trusts_threads() && found != threads_.end() && !found->second.empty())
    return found->second.size() <= kCandidatesMax ? found->second : std::vector<RequestKey>();
  std::vector<RequestKey> all;
  if ((waits_ && !hands_on_ && !earns_trust_) || open_.size() < 2 || open_.size() > kCandidatesMax) return all;
  open_.for_each([&all](const auto& entry) { all.push_back(entry.first); });
  return all;
}

// The one request that the process has under way, if it hardly ever sends one of its own accord: how many of those that it sends while
// it is busy are so is told by the rate at which it sends them while it is idle, and taken for at least one in a second.
std::optional<Cause> Threads::infer(const Caller& caller) {
  if (waits_ && !hands_on_ && !earns_trust_) return std::nullopt;
  if (open_.size() == 0) {
    if (since_ns_ == 0) since_ns_ = caller.time_ns;
    idle_sent_++;
    return std::nullopt;
  }
  busy_sent_++;
  if (open_.size() > 1) {
    settings_.ambiguous->add();
    return std::nullopt;
  }
  const double own_rate = (static_cast<double>(idle_sent_) + 1) / (static_cast<double>(idle_ns_) + 1e9);
  const auto busy_ns = static_cast<double>(busy_ns_ + caller.time_ns - std::min(caller.time_ns, since_ns_));
  const double confidence = 1 - std::min(1.0, own_rate * busy_ns / static_cast<double>(busy_sent_));
  if (confidence < settings_.confidence_min) return std::nullopt;
  return Cause{.request = all_open_, .evidence = Evidence::kInferred, .confidence = confidence};
}

}  // namespace clew::correlation
