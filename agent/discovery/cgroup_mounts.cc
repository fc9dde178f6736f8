// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/cgroup_mounts.h"

#include <fmt/format.h>

#include <algorithm>

namespace clew::discovery {
namespace {

constexpr size_t kMaxMountinfoBytes = size_t{4} << 20;

std::vector<std::string_view> split(std::string_view text, char delimiter) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t end = std::min(text.find(delimiter), text.size());
    if (end > 0) pieces.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

/// mountinfo writes blank, tab, newline and backslash as "\040" and so on.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto octal = [&](size_t at) { return text[at] >= '0' && text[at] <= '7'; };
    if (text[i] == '\\' && i + 3 < text.size() && octal(i + 1) && octal(i + 2) && octal(i + 3)) {
      plain.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0')));
      i += 3;
    } else {
      plain.push_back(text[i]);
    }
  }
  return plain;
}

/// The controllers among a v1 mount's options, in the order in which /proc/PID/cgroup lists them too.
std::string controllers_of(std::string_view options) {
  static constexpr std::string_view kControllers[] = {"cpuset",  "cpu",     "cpuacct",    "blkio",    "memory",  "devices",
                                                      "freezer", "net_cls", "perf_event", "net_prio", "hugetlb", "pids",
                                                      "rdma",    "misc",    "debug",      "dmem"};
  std::string list;
  for (const std::string_view option : split(options, ',')) {
    if (!option.starts_with("name=") && std::ranges::find(kControllers, option) == std::ranges::end(kControllers)) continue;
    if (!list.empty()) list.push_back(',');
    list.append(option);
  }
  return list;
}

/// The rest of `path` below `directory` ("" for the same), component-wise; false if it is elsewhere.
bool below(std::string_view path, std::string_view directory, std::string_view& rest) {
  if (directory == "/") directory = {};
  if (!path.starts_with(directory)) return false;
  rest = path.substr(directory.size());
  return rest.empty() || rest.starts_with('/');
}

/// Absolute, without "." and "..", "//" and trailing '/'.
base::Result<std::string> normalised(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const std::string_view segment : split(path, '/')) {
    if (segment == ".") continue;
    if (segment != "..") {
      kept.push_back(segment);
    } else if (kept.empty()) {
      return base::fail(fmt::format("\"{}\" leads out of the root", path));
    } else {
      kept.pop_back();
    }
  }
  std::string result;
  for (const std::string_view segment : kept) result.append("/").append(segment);
  return result.empty() ? "/" : result;
}

std::string joined(std::string_view directory, std::string_view rest) {
  if (directory == "/") directory = {};
  std::string path(directory);
  path.append(rest);
  return path.empty() ? "/" : path;
}

}  // namespace

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) continue;
    const std::vector<std::string_view> before = split(line.substr(0, dash), ' ');
    const std::vector<std::string_view> after = split(line.substr(dash + 3), ' ');
    if (before.size() < 6 || after.empty()) continue;
    const bool v2 = after[0] == "cgroup2";
    if (!v2 && (after[0] != "cgroup" || after.size() < 3)) continue;
    CgroupMount mount{.mount_point = unescaped(before[4]), .root = unescaped(before[3]), .controllers = {}};
    if (!v2) mount.controllers = controllers_of(after[2]);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::vector<CgroupMount> read_cgroup_mounts(const ProcFs& proc) {
  std::string text;
  if (const auto self = Directory::open(proc.root + "/self")) self->read("mountinfo", kMaxMountinfoBytes, text);
  return parse_cgroup_mounts(text);
}

base::Result<CgroupSubtree> CgroupSubtree::resolve(std::string_view path, const std::vector<CgroupMount>& mounts) {
  if (path.empty()) return base::fail("the path is empty");
  CLEW_TRY(const std::string wanted, normalised(path));

  CgroupSubtree subtree;
  const CgroupMount* mount = nullptr;
  std::string_view rest;
  for (const CgroupMount& candidate : mounts) {
    std::string_view under;
    const bool longer = mount == nullptr || candidate.mount_point.size() > mount->mount_point.size();
    if (!longer || !path.starts_with('/') || !below(wanted, candidate.mount_point, under)) continue;
    mount = &candidate;
    rest = under;
  }
  if (mount != nullptr) {
    subtree.path_ = joined(mount->root, rest);
    subtree.hierarchy_ = mount->controllers.empty() ? Hierarchy::kV2 : Hierarchy::kV1;
    subtree.controllers_ = mount->controllers;
  } else {
    // Beside v1 hierarchies /sys/fs/cgroup is only a directory of mount points: the path below it may be meant in any of them.
    subtree.path_ = wanted;
    for (const std::string_view usual : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
      if (!path.starts_with('/') || !below(wanted, usual, rest)) continue;
      subtree.path_ = joined("/", rest);
      break;
    }
  }

  if (subtree.hierarchy_ == Hierarchy::kV1) return subtree;
  const std::string_view from_root = subtree.path_ == "/" ? std::string_view() : std::string_view(subtree.path_);
  for (const CgroupMount& candidate : mounts) {
    if (!candidate.controllers.empty() || !below(from_root, candidate.root, rest)) continue;
    subtree.v2_directory_ = candidate.mount_point + std::string(rest);
    break;
  }
  return subtree;
}

bool CgroupSubtree::contains(const ProcessInfo& process) const {
  std::string_view rest;
  const auto inside = [&](const std::string& path) { return !path.empty() && below(path, path_, rest); };
  if (hierarchy_ != Hierarchy::kV1 && inside(process.cgroup_v2)) return true;
  if (hierarchy_ == Hierarchy::kV2) return false;
  return std::ranges::any_of(process.cgroups_v1, [&](const CgroupV1& cgroup) {
    return (hierarchy_ == Hierarchy::kAny || cgroup.controllers == controllers_) && inside(cgroup.path);
  });
}

}  // namespace clew::discovery
