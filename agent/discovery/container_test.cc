// SPDX-License-Identifier: Apache-2.0
// Cgroup paths and mounts as the container runtimes write them.
#include "agent/discovery/container.h"

#include <gtest/gtest.h>

namespace clew::discovery {
namespace {

const std::string kId = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
const std::string kOuter = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
const std::string kUid = "2c48913c-b29f-11e7-9350-020968147796";
const std::string kUidUnderscores = "2c48913c_b29f_11e7_9350_020968147796";

struct Case {
  std::string path;
  Container::Kind kind;
  std::string id;
  std::string pod;
};

class ContainerOfCgroup : public testing::TestWithParam<Case> {};

TEST_P(ContainerOfCgroup, IsReadFromThePath) {
  const Container container = container_of_cgroup(GetParam().path);
  EXPECT_EQ(container.id, GetParam().id) << GetParam().path;
  EXPECT_EQ(container.kind, GetParam().kind) << GetParam().path;
  EXPECT_EQ(container.pod_uid, GetParam().pod) << GetParam().path;
}

using Kind = Container::Kind;
INSTANTIATE_TEST_SUITE_P(
    Patterns, ContainerOfCgroup,
    testing::Values(
        Case{"/", Kind::kNone, "", ""}, Case{"", Kind::kNone, "", ""}, Case{"/system.slice/nginx.service", Kind::kNone, "", ""},
        Case{"/user.slice/user-1000.slice/session-3.scope", Kind::kNone, "", ""}, Case{"/docker/" + kId, Kind::kDocker, kId, ""},
        Case{"/system.slice/docker-" + kId + ".scope", Kind::kDocker, kId, ""},
        Case{"/docker/" + kId + "/system.slice/nginx.service", Kind::kDocker, kId, ""},
        Case{
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + kUidUnderscores + ".slice/cri-containerd-" + kId + ".scope",
            Kind::kContainerd, kId, kUid},
        Case{"/kubepods.slice/kubepods-pod" + kUidUnderscores + ".slice/crio-" + kId + ".scope", Kind::kCrio, kId, kUid},
        Case{"/kubepods.slice/kubepods-pod" + kUidUnderscores + ".slice/crio-" + kId + ".scope/container", Kind::kCrio, kId, kUid},
        Case{"/kubepods.slice/kubepods-pod" + kUidUnderscores + ".slice/crio-conmon-" + kId + ".scope", Kind::kNone, "", kUid},
        Case{"/machine.slice/libpod-conmon-" + kId + ".scope", Kind::kNone, "", ""},
        Case{"/machine.slice/libpod-" + kId + ".scope", Kind::kPodman, kId, ""},
        Case{"/machine.slice/libpod-" + kId + ".scope/container", Kind::kPodman, kId, ""},
        Case{"/libpod_parent/libpod-" + kId, Kind::kPodman, kId, ""},
        Case{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope/container", Kind::kPodman, kId, ""},
        Case{"/kubepods/besteffort/pod" + kUid + "/" + kId, Kind::kUnknown, kId, kUid},
        Case{"/kubepods/pod" + kUid + "/" + kId, Kind::kUnknown, kId, kUid}, Case{"/k8s.io/" + kId, Kind::kContainerd, kId, ""},
        Case{"/system.slice/containerd.service/kubepods-burstable-pod" + kUidUnderscores + ".slice:cri-containerd:" + kId,
             Kind::kContainerd, kId, kUid},
        Case{"/../../pod" + kUid + "/" + kId, Kind::kUnknown, kId, kUid},
        Case{"/../cri-containerd-" + kId + ".scope", Kind::kContainerd, kId, ""},
        // Static pods: the uid is a hash without hyphens.
        Case{"/kubepods/burstable/pod0123456789abcdef0123456789abcdef/" + kId, Kind::kUnknown, kId, "0123456789abcdef0123456789abcdef"},
        // Kubernetes in Docker: the inner one.
        Case{"/docker/" + kOuter + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" + kUidUnderscores +
                 ".slice/cri-containerd-" + kId + ".scope",
             Kind::kContainerd, kId, kUid},
        Case{"/system.slice/docker-" + kOuter + ".scope/kubepods/pod" + kUid + "/" + kId, Kind::kUnknown, kId, kUid},
        // Not ids: too short, too long, not hexadecimal, upper case, a process tracer's unit.
        Case{"/docker/" + kId.substr(1), Kind::kNone, "", ""}, Case{"/docker/" + kId + "0", Kind::kNone, "", ""},
        Case{"/docker/" + kId.substr(1) + "g", Kind::kNone, "", ""}, Case{"/docker/" + std::string(64, 'A'), Kind::kNone, "", ""},
        Case{"/system.slice/docker.service", Kind::kNone, "", ""}, Case{"/system.slice/pod-sync.service", Kind::kNone, "", ""},
        Case{"/kubepods/podnot-a-uid/x", Kind::kNone, "", ""}));

TEST(ContainerOfMounts, DockerNamesItInItsHostnameFile) {
  const Container container = container_of_mounts(
      "600 500 0:50 / / rw - overlay overlay rw\n"
      "610 600 8:1 /var/lib/docker/containers/" +
      kId + "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n");
  EXPECT_EQ(container.id, kId);
  EXPECT_EQ(container.kind, Container::Kind::kDocker);
}

TEST(ContainerOfMounts, PodmanNamesItInItsUserData) {
  const Container container =
      container_of_mounts("610 600 0:24 /containers/overlay-containers/" + kId + "/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n");
  EXPECT_EQ(container.id, kId);
  EXPECT_EQ(container.kind, Container::Kind::kPodman);
}

TEST(ContainerOfMounts, TheSandboxOfContainerdIsNotTheContainer) {
  const Container container = container_of_mounts("610 600 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/" + kId +
                                                  "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"
                                                  "611 600 8:1 /var/lib/kubelet/pods/" +
                                                  kUid + "/containers/app/1a2b3c4d /dev/termination-log rw - ext4 /dev/sda1 rw\n");
  EXPECT_EQ(container.id, "");
  EXPECT_EQ(container.pod_uid, kUid);
}

TEST(ContainerOfMounts, TheHostItselfIsNone) {
  // A container's files seen from the host: mounted elsewhere than in /etc.
  const Container container = container_of_mounts("30 1 8:1 / / rw - ext4 /dev/sda1 rw\n31 30 8:1 /var/lib/docker/containers/" + kId +
                                                  "/mounts/shm /var/lib/docker/containers/" + kId + "/mounts/shm rw - tmpfs shm rw\n");
  EXPECT_EQ(container, Container());
}

}  // namespace
}  // namespace clew::discovery
