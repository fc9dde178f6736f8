// SPDX-License-Identifier: Apache-2.0
// What the exporters' tests share: a log that remembers, counters by name, waiting with a limit.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "exporter/queue.h"
#include "exporter/testing/sample_spans.h"
#include "exporter/wiring.h"

namespace clew::exporter::testing {

class Bench {
 public:
  explicit Bench(WhenFull when_full = WhenFull::kDrop) : when_full_(when_full) {}

  Wiring wiring() {
    return {.counters = counters_,
            .log =
                [this](Severity, std::string_view text) {
                  std::lock_guard lock(mutex_);
                  messages_.emplace_back(text);
                },
            .when_full = when_full_,
            .on_reader_gone = [this] { ++readers_gone_; }};
  }
  std::vector<std::string> messages() const {
    std::lock_guard lock(mutex_);
    return messages_;
  }
  uint64_t count(std::string_view name, std::string_view labels) { return counters_.get(name, labels).value(); }
  uint64_t spans(const std::string& exporter, const std::string& outcome) {
    return count("clew_export_spans_total", "exporter=\"" + exporter + "\",outcome=\"" + outcome + "\"");
  }
  uint64_t requests(const std::string& exporter, const std::string& outcome) {
    return count("clew_export_requests_total", "exporter=\"" + exporter + "\",outcome=\"" + outcome + "\"");
  }
  uint64_t lost(const std::string& exporter, const std::string& reason) { return counters_.lost("exporter_" + exporter, reason).value(); }
  /// Of all reasons.
  uint64_t lost(const std::string& exporter) {
    uint64_t sum = 0;
    for (const auto& sample : counters_.snapshot())
      if (sample.name == "clew_lost_total" && sample.labels.find("where=\"exporter_" + exporter + "\"") != std::string::npos)
        sum += sample.value;
    return sum;
  }
  int readers_gone() const { return readers_gone_; }

 private:
  base::Counters counters_;
  WhenFull when_full_;
  mutable std::mutex mutex_;
  std::vector<std::string> messages_;
  std::atomic<int> readers_gone_ = 0;
};

inline constexpr uint64_t kSampleTime = 1'790'000'000'000'000'000;

inline std::shared_ptr<const SpanBatch> batch_of(size_t count, uint64_t seed = 1) {
  return std::make_shared<const SpanBatch>(sample_spans(count, seed, kSampleTime));
}

inline SpanGroup group_of(std::shared_ptr<const SpanBatch> batch) {
  const size_t size = batch->size();
  return {SpanSlice{std::move(batch), 0, size}};
}

/// True as soon as `condition` is; false if it is not within `limit`.
inline bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace clew::exporter::testing
