// SPDX-License-Identifier: Apache-2.0
// Where cgroup hierarchies are mounted, to turn the PATH of --cgroup into a path as /proc/PID/cgroup shows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/process_info.h"

namespace clew::discovery {

struct CgroupMount {
  std::string mount_point;  // /sys/fs/cgroup, /sys/fs/cgroup/unified, /sys/fs/cgroup/memory
  std::string root;         // the cgroup that is mounted there, mostly "/"
  std::string controllers;  // v1: "cpu,cpuacct" or "name=systemd"; empty: v2
};

/// From the text of /proc/self/mountinfo.
std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo);
std::vector<CgroupMount> read_cgroup_mounts(const ProcFs& proc);

/// A cgroup with everything below it.
class CgroupSubtree {
 public:
  /// `path` may name a directory of a mount (then only that hierarchy counts), or a cgroup from its root, with or without a leading
  /// '/' (then any hierarchy does). An Error if ".." leads out of the root.
  static base::Result<CgroupSubtree> resolve(std::string_view path, const std::vector<CgroupMount>& mounts);

  bool contains(const ProcessInfo& process) const;
  const std::string& path() const { return path_; }
  /// The directory of this cgroup in the v2 hierarchy, for its id (bpf_get_current_ancestor_cgroup_id); empty: not in v2.
  const std::string& v2_directory() const { return v2_directory_; }

 private:
  CgroupSubtree() = default;
  enum class Hierarchy : uint8_t { kAny, kV2, kV1 };
  std::string path_;  // normalised, begins with '/', no trailing '/' but for the root
  Hierarchy hierarchy_ = Hierarchy::kAny;
  std::string controllers_;
  std::string v2_directory_;
};

}  // namespace clew::discovery
