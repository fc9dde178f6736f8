// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/doctor.h"

#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <charconv>

namespace clew::cli {
namespace {

constexpr uint64_t kInitialPidNamespace = 0xEFFFFFFC;  // PROC_PID_INIT_INO, include/linux/proc_ns.h
constexpr std::string_view kAsRoot = "run it with sudo, or give it CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH";

Finding fine(std::string_view check, std::string what) { return {check, Level::kFine, std::move(what), {}, {}}; }

bool has(const MachineFacts& facts, int capability) { return (facts.capabilities >> capability & 1U) != 0; }
bool may_load(const MachineFacts& facts) { return has(facts, CAP_SYS_ADMIN) || (has(facts, CAP_BPF) && has(facts, CAP_PERFMON)); }
bool has_tracepoint(const MachineFacts& facts, std::string_view name) {
  return std::ranges::find(facts.tracepoints, name) != facts.tracepoints.end();
}
const Trial& trial(const MachineFacts& facts, TrialKind kind) { return facts.trials[static_cast<size_t>(kind)]; }

Backend backend_of(const MachineFacts& facts) {
  const bool socket_tracepoints = has_tracepoint(facts, "sock_send_length") && has_tracepoint(facts, "sock_recv_length");
  if (socket_tracepoints && trial(facts, TrialKind::kSocketTracepoint).works) return Backend::kSocketTracepoints;
  if (has_tracepoint(facts, "sys_exit") && trial(facts, TrialKind::kSyscallExit).works) return Backend::kSyscallExit;
  return Backend::kNone;
}

Finding check_privileges(const MachineFacts& facts) {
  if (may_load(facts)) return fine("privileges", facts.user_id == 0 ? "root, and may load BPF programs" : "may load BPF programs");
  std::string missing = has(facts, CAP_BPF) ? "" : "CAP_BPF";
  if (!has(facts, CAP_PERFMON)) missing += missing.empty() ? "CAP_PERFMON" : ", CAP_PERFMON";
  return {"privileges", Level::kMissing, fmt::format("user {} lacks {}", facts.user_id, missing),
          "nothing can be traced; what follows is incomplete", std::string(kAsRoot)};
}

Finding check_other_processes(const MachineFacts& facts) {
  if (has(facts, CAP_SYS_PTRACE)) return fine("ptrace", "may look at other users' processes (CAP_SYS_PTRACE)");
  return {"ptrace", Level::kRestricted, "lacks CAP_SYS_PTRACE",
          "executables, environments and open sockets of other users' processes stay unknown", std::string(kAsRoot)};
}

Finding check_other_files(const MachineFacts& facts) {
  if (has(facts, CAP_DAC_READ_SEARCH) || has(facts, CAP_DAC_OVERRIDE))
    return fine("files", "may read every executable (CAP_DAC_READ_SEARCH)");
  return {"files", Level::kRestricted, "lacks CAP_DAC_READ_SEARCH", "programs that this user may not read are seen only by name",
          std::string(kAsRoot)};
}

/// major * 1000 + minor, or 0.
int kernel_version(const std::string& release) {
  int major = 0;
  int minor = 0;
  const char* end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return 0;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return 0;
  return major * 1000 + minor;
}

Finding check_kernel(const MachineFacts& facts) {
  const std::string what = fmt::format("Linux {} {}", facts.kernel_release, facts.machine);
  const int version = kernel_version(facts.kernel_release);
  if (version >= 6012) return fine("kernel", what);
  if (version >= 6001)
    return {"kernel", Level::kRestricted, what, "complete from 6.12 on; below that some of it costs more (see backend)",
            "a newer kernel, if it matters"};
  return {"kernel", Level::kRestricted, what, "clew is tested from 6.1 on; what the checks below allow may work", "Linux 6.1 or newer"};
}

Finding check_btf(const MachineFacts& facts) {
  if (facts.btf_readable) return fine("btf", "the kernel describes its types (/sys/kernel/btf/vmlinux)");
  return {"btf", Level::kMissing, "no readable /sys/kernel/btf/vmlinux", "programs cannot be fitted to this kernel",
          "a kernel built with CONFIG_DEBUG_INFO_BTF=y (every current distribution's), and /sys mounted"};
}

Finding check_backend(const MachineFacts& facts) {
  switch (backend_of(facts)) {
    case Backend::kSocketTracepoints: return fine("backend", "socket tracepoints: processes that are not traced pay nothing");
    case Backend::kSyscallExit:
      return {"backend", Level::kRestricted, fmt::format("sys_exit: {}", trial(facts, TrialKind::kSocketTracepoint).reason),
              "every syscall of every process costs about 80 ns more while clew runs", "Linux 6.3 or newer has the socket tracepoints"};
    case Backend::kNone: break;
  }
  if (!may_load(facts)) {
    const bool sockets = has_tracepoint(facts, "sock_send_length") && has_tracepoint(facts, "sock_recv_length");
    const std::string_view likely = sockets ? "socket tracepoints" : has_tracepoint(facts, "sys_exit") ? "sys_exit" : "none";
    return {"backend", Level::kRestricted, fmt::format("by the kernel's types: {}", likely), "not tried for lack of privileges",
            std::string(kAsRoot)};
  }
  return {"backend", Level::kMissing,
          fmt::format("none: socket tracepoints: {}; sys_exit: {}", trial(facts, TrialKind::kSocketTracepoint).reason,
                      trial(facts, TrialKind::kSyscallExit).reason),
          "nothing can be captured", "Linux 6.1 or newer"};
}

Finding check_tracepoints(const MachineFacts& facts) {
  constexpr std::array<std::string_view, 4> kNeeded = {"inet_sock_set_state", "sched_process_fork", "sched_process_exec",
                                                       "sched_process_exit"};
  std::string missing;
  for (std::string_view name : kNeeded)
    if (!has_tracepoint(facts, name)) missing.append(missing.empty() ? "" : ", ").append(name);
  if (missing.empty()) return fine("tracepoints", "connection and process tracepoints are there");
  return {"tracepoints", Level::kMissing, missing + " missing", "connections and processes cannot be followed",
          "a kernel built with CONFIG_TRACEPOINTS=y and BTF"};
}

Finding check_cgroup_tracepoint(const MachineFacts& facts) {
  if (has_tracepoint(facts, "cgroup_attach_task")) return fine("cgroup_moves", "processes that change their cgroup are noticed");
  return {"cgroup_moves", Level::kRestricted, "cgroup_attach_task missing",
          "--cgroup and --container see a process only where it was when it started", "a kernel built with CONFIG_CGROUPS=y"};
}

Finding check_trial(const MachineFacts& facts, std::string_view check, TrialKind kind, std::string_view what, std::string_view cost) {
  const Trial& result = trial(facts, kind);
  if (result.works) return fine(check, fmt::format("{}: works", what));
  if (!may_load(facts))
    return {check, Level::kRestricted, fmt::format("{}: not tried", what), "unknown for lack of privileges", "see privileges above"};
  return {check, Level::kMissing, fmt::format("{}: {}", what, result.reason), std::string(cost), "see kernel and lockdown above"};
}

Finding check_ring_buffer(const MachineFacts& facts) {
  return check_trial(facts, "ring_buffer", TrialKind::kRingBuffer, "ring buffer", "events cannot reach clew");
}
Finding check_socket_storage(const MachineFacts& facts) {
  return check_trial(facts, "socket_storage", TrialKind::kSocketStorage, "socket storage", "connections cannot be told apart");
}
Finding check_process_programs(const MachineFacts& facts) {
  return check_trial(facts, "tracing_programs", TrialKind::kProcessTracepoint, "tracepoint programs", "no hook can be set");
}

Finding check_open_sockets(const MachineFacts& facts) {
  Finding finding = check_trial(facts, "open_sockets", TrialKind::kOpenSockets, "iterator over open sockets",
                                "connections that are open when clew starts stay unseen until they are opened anew");
  if (finding.level == Level::kMissing) finding.level = Level::kRestricted;
  return finding;
}

Finding check_lockdown(const MachineFacts& facts) {
  if (!facts.lockdown)
    return fine("lockdown", facts.user_id == 0 ? "state not shown by this kernel; the checks below tell what it allows"
                                               : "state not readable as this user");
  if (*facts.lockdown == "confidentiality")
    return {"lockdown", Level::kRestricted, "confidentiality", "BPF programs may not read kernel memory; capture may be refused",
            "boot with lockdown=integrity or none"};
  return fine("lockdown", fmt::format("{}{}", *facts.lockdown, *facts.lockdown == "none" ? "" : " (clew needs nothing that it forbids)"));
}

Finding check_cgroup2(const MachineFacts& facts) {
  if (!facts.cgroup2_mount.empty()) return fine("cgroup2", "mounted at " + facts.cgroup2_mount);
  return {"cgroup2", Level::kRestricted, "not mounted", "--cgroup and --container cannot find anything",
          "mount -t cgroup2 none /sys/fs/cgroup/unified"};
}

Finding check_pid_namespace(const MachineFacts& facts) {
  if (facts.pid_namespace_inode == kInitialPidNamespace) return fine("pid_namespace", "the host's");
  if (facts.pid_namespace_inode == 0)
    return {"pid_namespace", Level::kRestricted, "not readable", "process ids may differ from the kernel's", "mount /proc"};
  return {"pid_namespace", Level::kRestricted, "a container's own",
          "processes outside it are invisible and process ids differ from the kernel's", "hostPID: true (Kubernetes), --pid=host (Docker)"};
}

Finding check_memlock(const MachineFacts& facts) {
  if (!facts.memlock_limit_bytes) return fine("memlock", "unlimited");
  return fine("memlock",
              fmt::format("{} KiB; does not count since Linux 5.11 (BPF memory goes to the cgroup)", *facts.memlock_limit_bytes / 1024));
}

Finding check_jit(const MachineFacts& facts) {
  if (!facts.jit) return fine("jit", "state not readable as this user");
  if (*facts.jit != 0) return fine("jit", "BPF programs run as machine code");
  return {"jit", Level::kRestricted, "off", "each event costs several times as much", "sysctl net.core.bpf_jit_enable=1"};
}

Finding check_unprivileged_bpf(const MachineFacts& facts) {
  if (!facts.unprivileged_bpf_disabled) return fine("unprivileged_bpf", "state not readable");
  return fine("unprivileged_bpf",
              fmt::format("{} (clew does not need it)", *facts.unprivileged_bpf_disabled == 0 ? "allowed" : "not allowed"));
}

Finding check_other_clews(const MachineFacts& facts) {
  if (facts.other_clews.empty()) return fine("other_clews", "none running here");
  return fine("other_clews",
              fmt::format("running: {} (they do not disturb each other; see: clew status)", fmt::join(facts.other_clews, ", ")));
}

/// For what later versions do: never more than a restriction.
Finding check_optional(const MachineFacts& facts, std::string_view check, TrialKind kind, std::string_view what, std::string_view cost) {
  Finding finding = check_trial(facts, check, kind, what, cost);
  if (finding.level == Level::kMissing) {
    finding.level = Level::kRestricted;
    finding.mend.clear();
  }
  return finding;
}

Finding check_sk_msg(const MachineFacts& facts) {
  return check_optional(facts, "sk_msg", TrialKind::kSkMsg, "optional: sk_msg programs",
                        "without it no trace context can be injected (--inject)");
}
Finding check_sockops(const MachineFacts& facts) {
  return check_optional(facts, "sockops", TrialKind::kSockOps, "optional: sockops programs",
                        "without it no trace context can be injected (--inject)");
}
Finding check_uprobe(const MachineFacts& facts) {
  return check_optional(facts, "uprobe", TrialKind::kUprobe, "optional: uprobe programs", "what is encrypted gives no spans");
}
Finding check_fentry(const MachineFacts& facts) {
  return check_optional(facts, "fentry", TrialKind::kFunctionEntry, "optional: fentry programs", "none now: clew does not use them");
}

using Check = Finding (*)(const MachineFacts&);
constexpr Check kChecks[] = {check_privileges,
                             check_other_processes,
                             check_other_files,
                             check_kernel,
                             check_lockdown,
                             check_btf,
                             check_backend,
                             check_tracepoints,
                             check_cgroup_tracepoint,
                             check_process_programs,
                             check_ring_buffer,
                             check_socket_storage,
                             check_open_sockets,
                             check_cgroup2,
                             check_pid_namespace,
                             check_jit,
                             check_memlock,
                             check_unprivileged_bpf,
                             check_other_clews,
                             check_sk_msg,
                             check_sockops,
                             check_uprobe,
                             check_fentry};

}  // namespace

std::string_view name(Backend backend) {
  switch (backend) {
    case Backend::kSocketTracepoints: return "socket tracepoints";
    case Backend::kSyscallExit: return "sys_exit";
    case Backend::kNone: break;
  }
  return "none";
}

Diagnosis diagnose(const MachineFacts& facts) {
  Diagnosis diagnosis;
  for (Check check : kChecks) diagnosis.findings.push_back(check(facts));
  diagnosis.backend = backend_of(facts);
  diagnosis.can_trace = std::ranges::none_of(diagnosis.findings, [](const Finding& finding) { return finding.level == Level::kMissing; });
  return diagnosis;
}

}  // namespace clew::cli
