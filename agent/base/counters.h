// SPDX-License-Identifier: Apache-2.0
// The counters of one clew: what came in, what went out, and every loss by place and reason.
// `main` owns one; whoever counts is given a reference. A Counter may be bumped from any thread and lives as long as the Counters.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace clew::base {

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  /// For sources that keep the total themselves (kernel maps).
  void set(uint64_t total) { value_.store(total, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Counters {
 public:
  struct Sample {
    std::string name;    // clew_lost_total
    std::string labels;  // where="ring",reason="full", or empty
    uint64_t value;
  };

  /// The counter of that name and labels, made at first use. Look it up once and keep the reference: this takes a lock.
  Counter& get(std::string_view name, std::string_view labels = {});
  /// clew_lost_total{where,reason}
  Counter& lost(std::string_view where, std::string_view reason);
  /// All counters in order of name and labels.
  std::vector<Sample> snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::deque<Counter> counters_;
  std::map<std::pair<std::string, std::string>, Counter*> by_name_;
};

}  // namespace clew::base
