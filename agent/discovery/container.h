// SPDX-License-Identifier: Apache-2.0
// Which container a cgroup path belongs to: the patterns of Docker, containerd, CRI-O, Podman and kubelet, and their traps.
#pragma once

#include <string>
#include <string_view>

namespace clew::discovery {

struct Container {
  enum class Kind : uint8_t { kNone, kDocker, kContainerd, kCrio, kPodman, kUnknown };
  Kind kind = Kind::kNone;  // kUnknown: a container, the path does not say of which runtime
  std::string id;           // 64 hexadecimal digits; empty: no container
  std::string pod_uid;      // Kubernetes, written with '-'; may be known without an id

  bool operator==(const Container&) const = default;
};

std::string_view name_of(Container::Kind kind);

/// From one path as /proc/PID/cgroup shows it. With containers in containers (Docker around kubelet) the innermost wins.
Container container_of_cgroup(std::string_view cgroup_path);

/// From /proc/PID/mountinfo, for processes whose cgroup path says nothing because we share their cgroup namespace.
Container container_of_mounts(std::string_view mountinfo);

}  // namespace clew::discovery
