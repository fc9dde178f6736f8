// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/header_values.h"

#include "agent/correlation/propagation/characters.h"

namespace clew::correlation::propagation {

void HeaderValues::add(HeaderName name, std::string_view value) {
  value = trim(value);
  any_ = true;
  Field& field = fields_[index(name)];
  if (field.lines == Lines::kNone)
    field = {value, Lines::kOne};
  else
    field.lines = Lines::kMore;
  if (name != HeaderName::kTracestate || value.find_first_not_of(" \t,") == std::string_view::npos) return;
  if (trace_state_lines_ < trace_state_.size())
    trace_state_[trace_state_lines_++] = value;
  else
    trace_state_overflow_ = true;
}

}  // namespace clew::correlation::propagation
