// SPDX-License-Identifier: Apache-2.0
// Trace contexts that go beside their requests, in TCP options: kept from the segment until the request's head is read.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "agent/base/counters.h"
#include "agent/base/flat_map.h"
#include "agent/capture/source.h"
#include "agent/correlation/propagation/context.h"

namespace clew::connection {

/// Bounded: a few for each direction of a connection, the latest; connections until they end or there are too many.
class CarriedContexts {
 public:
  static constexpr size_t kConnectionsMax = 16'384;

  explicit CarriedContexts(base::Counters& counters)
      : refused_(counters.get("clew_propagation_ignored_total", "propagator=\"tcp_option\",reason=\"full\"")) {}

  void add(const capture::Carried& carried) {
    if (kept_.size() >= kConnectionsMax && !kept_.contains(carried.connection)) {
      refused_.add(kept_.size());
      kept_.erase_if([](const auto&) { return true; });
    }
    Latest& latest = kept_[carried.connection];
    latest.of[latest.next++ % latest.of.size()] = carried;
  }

  /// The context of the request whose first byte has that number. Once.
  std::optional<correlation::propagation::RemoteContext> take(uint64_t connection, capture::Direction direction, uint32_t sequence) {
    const auto found = kept_.find(connection);
    if (found == kept_.end()) return std::nullopt;
    for (capture::Carried& each : found->second.of) {
      if (each.connection != connection || each.direction != direction || !is_at(each, sequence)) continue;
      const auto context = context_of(each);
      each = {};
      return context;
    }
    return std::nullopt;
  }

  static bool is_at(const capture::Carried& carried, uint32_t sequence) {
    return carried.low_half ? static_cast<uint16_t>(carried.sequence) == static_cast<uint16_t>(sequence) : carried.sequence == sequence;
  }

  static correlation::propagation::RemoteContext context_of(const capture::Carried& carried) {
    using correlation::propagation::Sampled;
    correlation::propagation::RemoteContext context;
    context.trace_id = carried.trace_id;
    context.span_id = carried.span_id;
    context.in_tcp_option = true;
    context.sampled = carried.sampled ? Sampled::kYes : Sampled::kNo;
    context.flags = carried.sampled ? correlation::propagation::kFlagSampled : 0;
    return context;
  }

  void forget(uint64_t connection) {
    if (const auto found = kept_.find(connection); found != kept_.end()) kept_.erase(found);
  }
  size_t size() const { return kept_.size(); }

 private:
  struct Latest {
    std::array<capture::Carried, 4> of{};  // CARRIED of bpf/propagation/tcp_option.bpf.h; without a connection: none
    uint32_t next = 0;
  };

  base::FlatMap<uint64_t, Latest, std::hash<uint64_t>> kept_;
  base::Counter& refused_;
};

}  // namespace clew::connection
