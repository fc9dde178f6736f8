// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/container.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace clew::discovery {
namespace {

constexpr size_t kIdLength = 64;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_id(std::string_view text) { return text.size() == kIdLength && is_hex(text); }

/// "cri-containerd-<id>.scope": what systemd's units of the runtimes begin with.
struct ScopePrefix {
  std::string_view prefix;
  Container::Kind kind;
};
constexpr std::array kScopePrefixes = {
    ScopePrefix{"cri-containerd", Container::Kind::kContainerd},
    ScopePrefix{"nerdctl", Container::Kind::kContainerd},
    ScopePrefix{"docker", Container::Kind::kDocker},
    ScopePrefix{"crio", Container::Kind::kCrio},
    ScopePrefix{"libpod", Container::Kind::kPodman},
};

/// What the segment before a bare id says of the runtime ("/docker/<id>").
constexpr std::array kParents = {
    ScopePrefix{"docker", Container::Kind::kDocker},
    ScopePrefix{"k8s.io", Container::Kind::kContainerd},  // containerd's namespace of kubelet
    ScopePrefix{"libpod_parent", Container::Kind::kPodman},
};

Container::Kind kind_of(std::string_view word) {
  const auto* found = std::ranges::find(kScopePrefixes, word, &ScopePrefix::prefix);
  return found == kScopePrefixes.end() ? Container::Kind::kUnknown : found->kind;
}

/// The uid of "pod<uid>" or "kubepods-burstable-pod<uid>.slice": 36 characters with '-' or '_', or 32 digits (static pods: a hash).
std::string pod_uid_of(std::string_view segment) {
  segment = segment.substr(0, segment.find(':'));
  if (segment.ends_with(".slice")) segment.remove_suffix(6);
  const size_t pod = segment.rfind("pod");
  if (pod == std::string_view::npos || (pod > 0 && segment[pod - 1] != '-')) return {};
  std::string uid(segment.substr(pod + 3));
  std::ranges::replace(uid, '_', '-');
  if (uid.size() == 32 && is_hex(uid)) return uid;
  if (uid.size() != 36) return {};
  for (size_t i = 0; i < uid.size(); ++i) {
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen ? uid[i] != '-' : !is_hex(std::string_view(uid).substr(i, 1))) return {};
  }
  return uid;
}

/// The container that one segment names, `parent` being the one before it.
Container container_of_segment(std::string_view segment, std::string_view parent) {
  if (is_id(segment)) {
    const auto* found = std::ranges::find(kParents, parent, &ScopePrefix::prefix);
    return {.kind = found == kParents.end() ? Container::Kind::kUnknown : found->kind, .id = std::string(segment), .pod_uid = {}};
  }
  // runc's systemd driver where cgroupfs was configured leaves slice, prefix and id in one segment: "…pod<uid>.slice:cri-containerd:<id>".
  if (const size_t colon = segment.rfind(':'); colon != std::string_view::npos && is_id(segment.substr(colon + 1))) {
    std::string_view before = segment.substr(0, colon);
    before = before.substr(before.rfind(':') + 1);
    return {.kind = kind_of(before), .id = std::string(segment.substr(colon + 1)), .pod_uid = pod_uid_of(segment)};
  }
  if (segment.ends_with(".scope")) segment.remove_suffix(6);
  const size_t dash = segment.rfind('-');
  if (dash == std::string_view::npos || !is_id(segment.substr(dash + 1))) return {};
  const std::string_view prefix = segment.substr(0, dash);
  // The monitors that watch a container carry its id but are not in it.
  if (prefix.ends_with("conmon")) return {};
  return {.kind = kind_of(prefix), .id = std::string(segment.substr(dash + 1)), .pod_uid = {}};
}

/// The first id (64 digits) that is a whole path segment after `marker`, or empty.
std::string_view id_after(std::string_view path, std::string_view marker) {
  const size_t at = path.find(marker);
  if (at == std::string_view::npos) return {};
  std::string_view rest = path.substr(at + marker.size());
  rest = rest.substr(0, rest.find('/'));
  return is_id(rest) ? rest : std::string_view();
}

/// The n-th field of a line, counted from 0.
std::string_view field(std::string_view line, size_t n) {
  while (n-- > 0) {
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) return {};
    line.remove_prefix(space + 1);
  }
  return line.substr(0, line.find(' '));
}

}  // namespace

std::string_view name_of(Container::Kind kind) {
  switch (kind) {
    case Container::Kind::kNone: return "none";
    case Container::Kind::kDocker: return "docker";
    case Container::Kind::kContainerd: return "containerd";
    case Container::Kind::kCrio: return "cri-o";
    case Container::Kind::kPodman: return "podman";
    case Container::Kind::kUnknown: return "unknown";
  }
  return "unknown";
}

Container container_of_cgroup(std::string_view cgroup_path) {
  Container innermost;
  std::string pod_uid;
  std::string_view parent;
  while (!cgroup_path.empty()) {
    const size_t slash = cgroup_path.find('/');
    const std::string_view segment = cgroup_path.substr(0, slash);
    cgroup_path.remove_prefix(slash == std::string_view::npos ? cgroup_path.size() : slash + 1);
    if (segment.empty()) continue;
    if (std::string uid = pod_uid_of(segment); !uid.empty()) pod_uid = std::move(uid);
    // systemd inside a container: "/docker/<id>/system.slice/…" stays that container.
    if (Container found = container_of_segment(segment, parent); !found.id.empty()) {
      // CRI-O and Podman nest "<id>/container" or the id once more; what was known of the runtime stays known.
      if (found.id == innermost.id && found.kind == Container::Kind::kUnknown) found.kind = innermost.kind;
      innermost = std::move(found);
    }
    parent = segment;
  }
  innermost.pod_uid = std::move(pod_uid);
  return innermost;
}

Container container_of_mounts(std::string_view mountinfo) {
  Container found;
  while (!mountinfo.empty()) {
    const size_t end = mountinfo.find('\n');
    const std::string_view line = mountinfo.substr(0, end);
    mountinfo.remove_prefix(end == std::string_view::npos ? mountinfo.size() : end + 1);

    const std::string_view root = field(line, 3);
    const std::string_view mount_point = field(line, 4);
    // The runtime's own files bound into the container. containerd's hostname lies below /sandboxes/<id>: the pod's, not ours.
    if (mount_point == "/etc/hostname" || mount_point == "/etc/hosts" || mount_point == "/etc/resolv.conf") {
      struct Marker {
        std::string_view path;
        Container::Kind kind;
      };
      static constexpr Marker kMarkers[] = {{"/docker/containers/", Container::Kind::kDocker},
                                            {"/overlay-containers/", Container::Kind::kPodman},
                                            {"/containers/", Container::Kind::kUnknown}};
      for (const Marker& marker : kMarkers) {
        const std::string_view id = id_after(root, marker.path);
        if (id.empty() || !found.id.empty()) continue;
        found.id = id;
        found.kind = marker.kind;
      }
    }
    // kubelet: …/pods/<uid>/containers/<name>/<hash> on /dev/termination-log, …/pods/<uid>/etc-hosts on /etc/hosts.
    if (const size_t pods = root.find("/pods/"); pods != std::string_view::npos && found.pod_uid.empty()) {
      std::string_view uid = root.substr(pods + 6);
      uid = uid.substr(0, uid.find('/'));
      found.pod_uid = pod_uid_of("pod" + std::string(uid));
    }
  }
  return found;
}

}  // namespace clew::discovery
