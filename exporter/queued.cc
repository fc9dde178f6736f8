// SPDX-License-Identifier: Apache-2.0
#include "exporter/queued.h"

#include <pthread.h>
#include <signal.h>

namespace clew::exporter {

QueuedExporter::QueuedExporter(std::string_view name, std::unique_ptr<Destination> destination, Pace pace, const Wiring& wiring)
    : name_(name),
      pace_(pace),
      tally_(name, wiring.counters),
      destination_(std::move(destination)),
      queue_(pace.queue_spans, wiring.when_full) {
  thread_ = std::thread([this] { run(); });
}

QueuedExporter::~QueuedExporter() { shutdown(std::chrono::milliseconds(0)); }

void QueuedExporter::submit(std::shared_ptr<const SpanBatch> batch) { tally_.dropped(queue_.push(std::move(batch)), "queue_full"); }

void QueuedExporter::shutdown(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return;
  patience_.end_at(Patience::Clock::now() + patience);
  queue_.close();
  thread_.join();
}

void QueuedExporter::run() {
  // Signals belong to the main thread; and a pipe that closes must be an error of write(), not the end of the process.
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());

  while (std::optional<SpanGroup> group = queue_.pop(pace_.max_spans, pace_.delay, pace_.tick)) {
    if (patience_.over())
      tally_.dropped(span_count(*group), "shutdown");
    else if (!group->empty())
      destination_->deliver(*group, patience_, tally_);
    destination_->tick(patience_, tally_);
  }
  destination_->finish(patience_, tally_);
}

}  // namespace clew::exporter
