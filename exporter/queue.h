// SPDX-License-Identifier: Apache-2.0
// The bounded queue of spans between the pipeline and one exporter's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "exporter/exporter.h"

namespace clew::exporter {

/// Some spans of a shared batch.
struct SpanSlice {
  std::shared_ptr<const SpanBatch> batch;
  size_t begin = 0;
  size_t end = 0;

  size_t size() const { return end - begin; }
  std::span<const Span> spans() const { return std::span(*batch).subspan(begin, size()); }
};

/// What is exported in one go, in the order in which it was submitted.
using SpanGroup = std::vector<SpanSlice>;
size_t span_count(const SpanGroup& group);

/// One thread pushes, one pops.
class SpanQueue {
 public:
  using Clock = std::chrono::steady_clock;

  /// For spans with long paths; as many as there may be of the usual kind have a tenth of it.
  static constexpr size_t kBytesMax = size_t{128} << 20;

  /// Holds at most `max_spans` spans, and so many bytes (with WhenFull::kWait: or one batch that is larger).
  SpanQueue(size_t max_spans, WhenFull when_full, size_t max_bytes = kBytesMax)
      : max_spans_(max_spans), max_bytes_(max_bytes), when_full_(when_full) {}

  /// Returns how many spans found no room. Of a batch that fits in part the first spans are kept (copied, so that a full queue
  /// does not keep whole batches alive). With kWait it blocks for room and drops only after close().
  size_t push(std::shared_ptr<const SpanBatch> batch);

  /// Waits until `max_spans` are there, or the oldest has waited for `delay`, or the queue is closed, or `tick` has passed;
  /// takes at most `max_spans`. Nothing means: closed and empty.
  std::optional<SpanGroup> pop(size_t max_spans, Clock::duration delay, Clock::duration tick);

  /// No more push(); pop() no longer waits.
  void close();

 private:
  struct Item {
    SpanSlice slice;
    Clock::time_point since;
  };
  SpanGroup take(size_t max_spans);
  size_t room(const SpanBatch& batch) const;

  const size_t max_spans_;
  const size_t max_bytes_;
  const WhenFull when_full_;
  std::mutex mutex_;
  std::condition_variable filled_;
  std::condition_variable drained_;
  std::deque<Item> items_;
  size_t queued_ = 0;
  size_t queued_bytes_ = 0;
  size_t wanted_ = 1;  // the consumer sleeps until so many are there
  bool closed_ = false;
};

}  // namespace clew::exporter
