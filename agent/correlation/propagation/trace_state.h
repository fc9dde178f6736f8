// SPDX-License-Identifier: Apache-2.0
// The list that tracestate headers give together, W3C Trace Context §3.3: checked, joined and cut to size.
#pragma once

#include <string>

#include "agent/correlation/propagation/bounded_list.h"
#include "agent/correlation/propagation/context.h"
#include "agent/correlation/propagation/header_values.h"

namespace clew::correlation::propagation {

struct TraceState {
  std::string text;  // at most kTraceStateMax bytes; empty when a member is invalid or there are too many
  BoundedList<Reason, 2> reasons;
};

/// Keys are those of level 2 (they may begin with a digit); one with '@' is tenant@system of level 1, which level 2 merely loosens.
TraceState read_trace_state(const HeaderValues& headers);

}  // namespace clew::correlation::propagation
