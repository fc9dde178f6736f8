// SPDX-License-Identifier: Apache-2.0
// What /proc tells about one process: identity, program, environment, cgroup and container, namespaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/container.h"
#include "agent/discovery/proc_fs.h"

namespace clew::discovery {

/// What to read beyond /proc/PID/stat. Each costs one to three system calls; a scan asks only for what its rules need.
enum Fields : uint32_t {
  kStatOnly = 0,          // process_id, parent, start, comm, kernel_thread, zombie
  kExe = 1 << 0,          // exe, exe_deleted
  kArgv = 1 << 1,         // argv
  kOwner = 1 << 2,        // user_id, owner, namespace_process_id
  kEnvironment = 1 << 3,  // environment
  kCgroup = 1 << 4,       // cgroup_v2, cgroups_v1, container
  kNamespaces = 1 << 5,   // network_namespace
  kAllFields = 0x3f,
};

/// A membership in a cgroup v1 hierarchy.
struct CgroupV1 {
  std::string controllers;  // "cpu,cpuacct"; "name=systemd"
  std::string path;
};

struct ProcessInfo {
  uint32_t process_id = 0;  // in the PID namespace of the /proc it was read from
  uint32_t parent_process_id = 0;
  uint32_t namespace_process_id = 0;  // in its own PID namespace
  uint64_t start_ticks = 0;           // after boot; with process_id it names this incarnation
  uint64_t start_unix_ns = 0;
  bool kernel_thread = false;
  bool zombie = false;  // has ended, its parent has not noticed: exe, argv, environment are empty
  std::string comm;

  std::string exe;  // as its own mount namespace names it, without " (deleted)"; empty: kernel thread or not permitted
  bool exe_deleted = false;
  std::vector<std::string> argv;
  bool argv_truncated = false;

  uint32_t user_id = 0;
  std::string owner;  // user name, by the passwd file that the process itself sees; the number if it has no name

  std::vector<std::pair<std::string, std::string>> environment;  // only kKeptVariables: the rest is none of our business

  std::string cgroup_v2;  // "/system.slice/nginx.service"; empty: not in a v2 hierarchy
  std::vector<CgroupV1> cgroups_v1;
  Container container;
  uint64_t network_namespace = 0;  // inode; 0: not known

  /// The value of a kept variable, or empty (which by the OpenTelemetry rules is the same as unset).
  std::string_view variable(std::string_view name) const;
};

inline constexpr std::string_view kKeptVariables[] = {"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"};
inline constexpr size_t kMaxArgvBytes = size_t{128} << 10;
inline constexpr size_t kMaxEnvironBytes = size_t{128} << 10;

/// Reads process `process_id`. An Error only if there is no such process (any more); what may not be read is left empty.
/// All values are of one incarnation, never a mixture with a later process of the same number.
base::Result<ProcessInfo> read_process(const ProcFs& proc, uint32_t process_id, uint32_t fields = kAllFields);

/// ProcessInfo::start_ticks alone, to ask whether it is still the same process: 0 if there is none of that number.
uint64_t read_start_ticks(const ProcFs& proc, uint32_t process_id);

}  // namespace clew::discovery
