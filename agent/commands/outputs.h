// SPDX-License-Identifier: Apache-2.0
// The exporters that a command was asked for, as one place to hand spans to.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "agent/base/counters.h"
#include "agent/base/result.h"
#include "agent/cli/options.h"
#include "exporter/factory.h"

namespace clew::commands {

class Outputs {
 public:
  /// An error is for the user: a file that cannot be opened, a URL that makes no sense.
  static base::Result<Outputs> open(const cli::OutputOptions& options, const cli::EnvironmentLookup& environment, exporter::Wiring wiring);

  /// Counts the spans by kind and hands them to every exporter.
  void submit(std::vector<exporter::Span> spans);
  /// Ends the exporters one after the other, each within `patience`, or all at once when `hurried` says so.
  void shutdown(std::chrono::milliseconds patience, const std::function<bool()>& hurried);
  uint64_t spans() const { return spans_; }
  /// The readers of all of them have gone (`clew trace | head`). One that has no reader is left out from then on.
  bool abandoned() const { return !exporters_.empty() && *readers_gone_ == exporters_.size(); }

 private:
  std::shared_ptr<std::atomic<size_t>> readers_gone_ = std::make_shared<std::atomic<size_t>>(0);  // counted by exporters' threads
  std::vector<std::unique_ptr<exporter::Exporter>> exporters_;
  uint64_t spans_ = 0;
};

}  // namespace clew::commands
