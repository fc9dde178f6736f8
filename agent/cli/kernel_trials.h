// SPDX-License-Identifier: Apache-2.0
// Asks the kernel by trying: loads the smallest BPF program or map of each kind that clew uses, and lets go of it at once.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clew::cli {

enum class TrialKind : uint8_t {
  kRingBuffer,
  kSocketStorage,
  kSocketTracepoint,   // tp_btf/sock_send_length reading the caller's registers and user memory
  kSyscallExit,        // tp_btf/sys_exit reading user memory
  kProcessTracepoint,  // tp_btf/sched_process_exit
  kOpenSockets,        // iter/task_file
  kSkMsg,
  kSockOps,
  kUprobe,
  kFunctionEntry,  // fentry/tcp_sendmsg
};
inline constexpr size_t kTrialKinds = 10;

struct Trial {
  bool works = false;
  int error = 0;       // errno when it does not
  std::string reason;  // "Operation not permitted", or the verifier's last words
};

/// By TrialKind. Without privileges every trial fails with EPERM. Nothing is attached; takes some 50 ms (it parses the kernel's BTF).
std::array<Trial, kTrialKinds> try_kernel();

/// Those of `names` that the kernel's BTF has as tracepoints (typedef btf_trace_<name>). Needs no privilege.
/// `btf_readable` is false when there is no BTF to look into.
std::vector<std::string_view> tracepoints_of_kernel(const std::vector<std::string_view>& names, bool& btf_readable);

}  // namespace clew::cli
