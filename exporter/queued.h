// SPDX-License-Identifier: Apache-2.0
// An Exporter made of a queue, a thread and a Destination: the part that all exporters share.
#pragma once

#include <memory>
#include <thread>

#include "exporter/exporter.h"
#include "exporter/patience.h"
#include "exporter/queue.h"
#include "exporter/tally.h"
#include "exporter/wiring.h"

namespace clew::exporter {

/// The far end. All calls come from the exporter's own thread. Each span that is delivered must be counted once in the tally.
class Destination {
 public:
  virtual ~Destination() = default;

  /// Takes the spans to where they go; may wait and try again, but not longer than `patience` allows.
  virtual void deliver(const SpanGroup& group, const Patience& patience, Tally& tally) = 0;
  /// Called at least once per Pace::tick.
  virtual void tick(const Patience& /*patience*/, Tally& /*tally*/) {}
  /// Nothing more will come.
  virtual void finish(const Patience& /*patience*/, Tally& /*tally*/) {}
};

/// When the thread wakes: with `max_spans` queued, `delay` after the oldest, and each `tick`. `queue_spans` is the queue's bound.
struct Pace {
  size_t queue_spans = 16384;
  size_t max_spans = 512;
  std::chrono::milliseconds delay{200};
  std::chrono::milliseconds tick{std::chrono::hours(1)};
};

class QueuedExporter final : public Exporter {
 public:
  QueuedExporter(std::string_view name, std::unique_ptr<Destination> destination, Pace pace, const Wiring& wiring);
  ~QueuedExporter() override;

  std::string_view name() const override { return name_; }
  void submit(std::shared_ptr<const SpanBatch> batch) override;
  void shutdown(std::chrono::milliseconds patience) override;
  /// A file or a collector that is well takes what there is in this time.
  void hurry() override { patience_.end_at(Patience::Clock::now() + std::chrono::milliseconds(100)); }

 private:
  void run();

  const std::string name_;
  const Pace pace_;
  Tally tally_;
  std::unique_ptr<Destination> destination_;
  SpanQueue queue_;
  Patience patience_;
  std::thread thread_;
};

}  // namespace clew::exporter
