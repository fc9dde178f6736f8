// SPDX-License-Identifier: Apache-2.0
// The last words of a clew: what it saw and what it lost.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/counters.h"
#include "agent/telemetry/labels.h"

namespace clew::telemetry {

/// Lines for stderr, each beginning with "clew: ": spans by protocol and kind, then every loss by place and reason, or "nothing lost".
std::string summary(const std::vector<base::Counters::Sample>& samples, std::chrono::nanoseconds ran);

/// One line of a table: "http server" 12.
struct Row {
  std::string what;
  uint64_t value = 0;
};
/// clew_spans_total by protocol and kind; zeros left out.
std::vector<Row> span_rows(const std::vector<LabelledCounter>& counters);
/// clew_lost_total by where and reason; zeros left out. Different places count different things: there is no sum.
std::vector<Row> loss_rows(const std::vector<LabelledCounter>& counters);
/// The columns in line, each row after `prefix`.
std::string table(const std::vector<Row>& rows, std::string_view prefix);
/// "1h 2m", "5m 3s", "12.3 s", "250 ms"
std::string readable(std::chrono::nanoseconds duration);

}  // namespace clew::telemetry
