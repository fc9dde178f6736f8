// SPDX-License-Identifier: Apache-2.0
// Where spans go. One Exporter per destination; each has its own bounded queue and thread, so that a slow one harms no other.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "exporter/span.h"

namespace clew::exporter {

using SpanBatch = std::vector<Span>;

class Exporter {
 public:
  virtual ~Exporter() = default;

  /// For messages and counters: "file", "otlp_grpc" …
  virtual std::string_view name() const = 0;

  /// Takes the batch into the queue and returns. Called from one thread. The batch is shared with the other exporters: read only.
  /// A full queue drops and counts (live tracing) or waits for room (replay), as chosen at construction.
  virtual void submit(std::shared_ptr<const SpanBatch> batch) = 0;

  /// Sends what is queued, for at most `patience`, then stops; what is left is counted as lost. Called once; no submit() after it.
  virtual void shutdown(std::chrono::milliseconds patience) = 0;

  /// A shutdown() that is under way, or comes, waits no longer. Any thread.
  virtual void hurry() = 0;
};

/// What an exporter does when its queue is full.
enum class WhenFull : uint8_t { kDrop, kWait };

}  // namespace clew::exporter
