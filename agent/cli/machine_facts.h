// SPDX-License-Identifier: Apache-2.0
// What `clew doctor` found on this machine, before judging it. Plain data, so that the judgement can be tested anywhere.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/cli/kernel_trials.h"

namespace clew::cli {

struct MachineFacts {
  uid_t user_id = 0;
  uint64_t capabilities = 0;            // effective, bit n is capability n
  std::string kernel_release;           // "6.1.0-21-amd64"
  std::string machine;                  // "x86_64"
  std::optional<std::string> lockdown;  // "none", "integrity", "confidentiality"; unset: not readable, or not in the kernel
  bool btf_readable = false;
  std::vector<std::string> tracepoints;  // those of kTracepoints that are there
  std::array<Trial, kTrialKinds> trials;
  std::string cgroup2_mount;                    // empty: none
  uint64_t pid_namespace_inode = 0;             // 0: not readable
  std::optional<uint64_t> memlock_limit_bytes;  // unset: no limit
  std::optional<int> jit;                       // net.core.bpf_jit_enable
  std::optional<int> unprivileged_bpf_disabled;
  std::vector<uint32_t> other_clews;  // process ids
};

/// Looks at the running machine. `other_clews` comes from agent/telemetry.
MachineFacts gather_machine_facts(std::vector<uint32_t> other_clews);

/// "none [integrity] confidentiality" → "integrity"
std::optional<std::string> parse_lockdown(const std::string& text);
/// The mount point of the first cgroup2 in the text of /proc/self/mountinfo, unescaped; empty if there is none.
std::string parse_cgroup2_mount(const std::string& mountinfo);
/// "CapEff:\t000001ffffffffff" in the text of /proc/self/status.
uint64_t parse_effective_capabilities(const std::string& status);

}  // namespace clew::cli
