// SPDX-License-Identifier: Apache-2.0
// What each format makes of the header fields; extract() chooses among them. Not for users of the folder.
#pragma once

#include <optional>

#include "agent/correlation/propagation/bounded_list.h"
#include "agent/correlation/propagation/context.h"
#include "agent/correlation/propagation/extract.h"
#include "agent/correlation/propagation/header_values.h"

namespace clew::correlation::propagation {

/// Nothing in it: the format's header fields are not there.
struct Reading {
  std::optional<RemoteContext> context;
  Sampled sampled_only = Sampled::kDeferred;
  BoundedList<Reason, kReasonsMax> reasons;
};

inline Reading refused(Reason reason) {
  Reading reading;
  reading.reasons.add(reason);
  return reading;
}

/// For formats that have no flags of W3C's.
inline void decide(RemoteContext& context, Sampled sampled) {
  context.sampled = sampled;
  context.flags = sampled == Sampled::kYes || sampled == Sampled::kDebug ? kFlagSampled : 0;
}

Reading read_trace_context(const HeaderValues& headers);
Reading read_b3_single(const HeaderValues& headers);
Reading read_b3_multi(const HeaderValues& headers);
Reading read_jaeger(const HeaderValues& headers);
Reading read_xray(const HeaderValues& headers);
Reading read_datadog(const HeaderValues& headers);

}  // namespace clew::correlation::propagation
