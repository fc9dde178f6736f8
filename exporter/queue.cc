// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue.h"

#include <algorithm>

namespace clew::exporter {

size_t span_count(const SpanGroup& group) {
  size_t count = 0;
  for (const SpanSlice& slice : group) count += slice.size();
  return count;
}

namespace {

size_t bytes_of(std::span<const Span> spans) {
  size_t bytes = 0;
  for (const Span& span : spans) bytes += span.memory_bytes();
  return bytes;
}

}  // namespace

/// How many of its spans fit.
size_t SpanQueue::room(const SpanBatch& batch) const {
  const size_t most = std::min(batch.size(), max_spans_ - std::min(queued_, max_spans_));
  size_t bytes = queued_bytes_;
  for (size_t n = 0; n < most; ++n)
    if ((bytes += batch[n].memory_bytes()) > max_bytes_) return n;
  return most;
}

size_t SpanQueue::push(std::shared_ptr<const SpanBatch> batch) {
  const size_t size = batch->size();
  if (size == 0) return 0;
  std::unique_lock lock(mutex_);
  if (when_full_ == WhenFull::kWait) drained_.wait(lock, [&] { return closed_ || queued_ == 0 || room(*batch) == size; });
  if (closed_) return size;

  size_t accepted = size;
  if (when_full_ == WhenFull::kDrop) {
    accepted = room(*batch);
    if (accepted == 0) return size;
    if (accepted < size) batch = std::make_shared<const SpanBatch>(batch->begin(), batch->begin() + static_cast<ptrdiff_t>(accepted));
  }
  const bool was_empty = queued_ == 0;
  const bool was_enough = queued_ >= wanted_;
  queued_bytes_ += bytes_of(std::span(*batch).first(accepted));
  items_.push_back({{std::move(batch), 0, accepted}, Clock::now()});
  queued_ += accepted;
  const bool wake = was_empty || (!was_enough && queued_ >= wanted_);
  lock.unlock();
  if (wake) filled_.notify_one();
  return size - accepted;
}

std::optional<SpanGroup> SpanQueue::pop(size_t max_spans, Clock::duration delay, Clock::duration tick) {
  std::unique_lock lock(mutex_);
  wanted_ = max_spans;
  const Clock::time_point next_tick = Clock::now() + tick;
  while (!closed_ && queued_ < max_spans) {
    Clock::time_point until = next_tick;
    if (queued_ > 0) until = std::min(until, items_.front().since + delay);
    if (Clock::now() >= until) break;
    filled_.wait_until(lock, until);
  }
  if (closed_ && queued_ == 0) return std::nullopt;
  const bool due = closed_ || queued_ >= max_spans || (queued_ > 0 && Clock::now() >= items_.front().since + delay);
  SpanGroup group = due ? take(max_spans) : SpanGroup{};
  lock.unlock();
  drained_.notify_one();
  return group;
}

SpanGroup SpanQueue::take(size_t max_spans) {
  SpanGroup group;
  size_t left = max_spans;
  while (left > 0 && !items_.empty()) {
    SpanSlice& front = items_.front().slice;
    const size_t taken = std::min(left, front.size());
    if (taken == front.size()) {
      group.push_back(std::move(front));
      items_.pop_front();
    } else {
      group.push_back({front.batch, front.begin, front.begin + taken});
      front.begin += taken;
    }
    left -= taken;
  }
  queued_ -= max_spans - left;
  for (const SpanSlice& slice : group) queued_bytes_ -= bytes_of(slice.spans());
  return group;
}

void SpanQueue::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  filled_.notify_all();
  drained_.notify_all();
}

}  // namespace clew::exporter
