// SPDX-License-Identifier: Apache-2.0
// Collects the spans of each trace for a short, bounded moment, so that a waterfall can be drawn of them together.
#pragma once

#include <array>
#include <chrono>
#include <cstring>
#include <list>
#include <unordered_map>
#include <vector>

#include "exporter/console/summary.h"

namespace clew::exporter::console {

using Trace = std::vector<Summary>;

/// How long a trace is waited for, and how much is held.
struct TraceLimits {
  std::chrono::milliseconds quiet_with_root{300};      // since its last span, when its root has come
  std::chrono::milliseconds quiet_without_root{1500};  // since its last span, when it has not
  std::chrono::milliseconds age{10000};                // since its first span
  size_t spans = 4096;                                 // in all traces; beyond that the oldest trace is given out early
};

/// Not thread-safe. The caller passes the time.
class Traces {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  explicit Traces(TraceLimits limits = {}) : limits_(limits) {}

  void add(Summary span, TimePoint now);
  /// Traces that are complete as far as can be known, oldest first.
  std::vector<Trace> take_ready(TimePoint now);
  std::vector<Trace> take_all();
  size_t span_count() const { return span_count_; }

 private:
  struct Entry {
    TraceId id{};
    Trace spans;
    TimePoint first;
    TimePoint last;
    bool has_root = false;
  };
  struct IdHash {
    size_t operator()(const TraceId& id) const {
      size_t word = 0;  // trace ids are random in their last bytes
      std::memcpy(&word, id.data() + id.size() - sizeof(word), sizeof(word));
      return word;
    }
  };
  bool is_ready(const Entry& entry, TimePoint now) const;
  Trace take(std::list<Entry>::iterator entry);

  TraceLimits limits_;
  std::list<Entry> entries_;  // by first arrival
  std::unordered_map<TraceId, std::list<Entry>::iterator, IdHash> by_id_;
  size_t span_count_ = 0;
};

}  // namespace clew::exporter::console
