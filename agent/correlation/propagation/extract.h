// SPDX-License-Identifier: Apache-2.0
// Which trace context a request came with. A pure function of its header fields.
#pragma once

#include <optional>
#include <span>

#include "agent/correlation/propagation/bounded_list.h"
#include "agent/correlation/propagation/context.h"
#include "agent/correlation/propagation/header_values.h"
#include "agent/correlation/propagation/propagator.h"

namespace clew::correlation::propagation {

/// For a counter {propagator, reason}.
struct Ignored {
  Propagator propagator;
  Reason reason;
  bool operator==(const Ignored&) const = default;
};
/// No propagator gives more than four reasons.
inline constexpr size_t kReasonsMax = 4;
using IgnoredList = BoundedList<Ignored, kReasonsMax * kPropagatorNames.size()>;

struct ExtractResult {
  /// Of the first propagator that has a valid one.
  std::optional<RemoteContext> context;
  /// Without a context: a decision that came without a parent ("b3: 0", X-Ray's Sampled=0 beside Root alone), else kDeferred.
  Sampled sampled_only = Sampled::kDeferred;
  /// The first propagator behind it whose context is valid, too, but of another trace. To be counted. Where one of two ids has 64 bits
  /// (upper half zero) only the lower halves are compared: old B3 and Datadog libraries cut ids so.
  std::optional<Propagator> disagreeing;
  /// What was there but not used, in the order of the propagators. Not only errors: see Reason.
  IgnoredList ignored;
};

/// `order`: repetitions are passed over. Header fields of propagators that are not in it count for nothing.
ExtractResult extract(const HeaderValues& headers, std::span<const Propagator> order);

}  // namespace clew::correlation::propagation
