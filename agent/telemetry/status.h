// SPDX-License-Identifier: Apache-2.0
// What one running clew says about itself, as JSON between the processes and as text for a person.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/telemetry/labels.h"

namespace clew::telemetry {

/// More processes than these are only counted.
inline constexpr size_t kProcessesShown = 1000;

struct Status {
  uint32_t process_id = 0;
  std::string version;
  std::vector<std::string> command_line;
  uint64_t started_unix_ns = 0;
  std::string selection;  // for a person: "--port 8080"
  std::string backend;    // "socket tracepoints", "sys_exit", "replay"
  std::chrono::nanoseconds uptime{};
  uint64_t processes_traced = 0;
  std::vector<uint32_t> processes;  // their ids, at most kProcessesShown
  std::vector<LabelledCounter> counters;
};

/// One JSON object without a newline. Text that is not UTF-8 is shown with U+FFFD.
std::string to_json(const Status& status);
/// An Error for what no clew says. Members that are unknown are passed over; those that are missing keep their defaults, but for pid.
base::Result<Status> parse_status(std::string_view json);

/// One clew's answer, or why there is none.
struct Answer {
  uint32_t process_id = 0;
  base::Result<Status> status;
};

/// For `clew status`. `hidden`: other users' clews may run that this user cannot ask.
std::string status_text(const std::vector<Answer>& answers, bool hidden);
/// {"clews":[…]} and a newline; a clew that did not answer is {"pid":…,"error":…}.
std::string status_json(const std::vector<Answer>& answers);

}  // namespace clew::telemetry
