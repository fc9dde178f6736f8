// SPDX-License-Identifier: Apache-2.0
// Connections that a process has begun and sent nothing on yet, and for what.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>

#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

/// Bounded by connects_max: a full table is emptied, and counted.
template <class What>
class BegunConnections {
 public:
  explicit BegunConnections(const ExecutionSettings& settings) : max_(settings.connects_max), full_(settings.full) {}

  void begin(uint64_t connection, const What& what) {
    if (begun_.size() >= max_) {
      full_->add(begun_.size());
      begun_.clear();
    }
    begun_[connection] = what;
  }
  /// For the first request on it.
  std::optional<What> take(uint64_t connection) {
    auto begun = begun_.extract(connection);
    return begun ? std::optional<What>(std::in_place, begun.mapped()) : std::nullopt;
  }

 private:
  size_t max_;
  base::Counter* full_;
  std::unordered_map<uint64_t, What> begun_;
};

}  // namespace clew::correlation
