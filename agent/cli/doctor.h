// SPDX-License-Identifier: Apache-2.0
// `clew doctor`: judges what was found on the machine. Each check says what is so, what a lack costs, and how to mend it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/cli/machine_facts.h"
#include "agent/cli/options.h"

namespace clew::cli {

/// Every tracepoint that clew asks for, by its name in the kernel's BTF.
inline constexpr std::array<std::string_view, 8> kTracepoints = {"sock_send_length",    "sock_recv_length",   "sys_exit",
                                                                 "inet_sock_set_state", "sched_process_fork", "sched_process_exec",
                                                                 "sched_process_exit",  "cgroup_attach_task"};

enum class Level : uint8_t {
  kFine,
  kRestricted,  // tracing works; something costs more, or is not to be had
  kMissing,     // tracing is impossible
};

struct Finding {
  std::string_view check;  // a stable name, for scripts
  Level level = Level::kFine;
  std::string what;
  std::string cost;  // empty when fine
  std::string mend;  // empty when fine, or when there is no way
};

enum class Backend : uint8_t { kNone, kSyscallExit, kSocketTracepoints };
/// "socket tracepoints", "sys_exit", "none"
std::string_view name(Backend backend);

struct Diagnosis {
  std::vector<Finding> findings;
  Backend backend = Backend::kNone;  // kNone too when it cannot be tried for lack of privileges
  bool can_trace = false;
  ExitCode exit_code() const { return can_trace ? ExitCode::kDone : ExitCode::kKernel; }
};

Diagnosis diagnose(const MachineFacts& facts);

/// Lines for a person, with ✓ ! ✗, or "ok", "!", "no" where the terminal does not speak UTF-8.
std::string diagnosis_text(const Diagnosis& diagnosis, bool utf8);
/// {"can_trace":…,"backend":…,"checks":[{"check","status","what","cost","mend"}]} and a newline.
std::string diagnosis_json(const Diagnosis& diagnosis);

/// As setlocale would decide: LC_ALL, else LC_CTYPE, else LANG names UTF-8.
bool speaks_utf8(const EnvironmentLookup& lookup);

}  // namespace clew::cli
