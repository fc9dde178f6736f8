// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/cgroup_mounts.h"

#include <gtest/gtest.h>

namespace clew::discovery {
namespace {

const std::vector<CgroupMount> kUnified =
    parse_cgroup_mounts("30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
const std::vector<CgroupMount> kHybrid = parse_cgroup_mounts(
    "31 24 0:28 / /sys/fs/cgroup ro,nosuid shared:4 - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/unified rw shared:5 - cgroup2 cgroup2 rw\n"
    "33 31 0:30 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,name=systemd\n"
    "34 31 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "broken line\n");

ProcessInfo in_v2(const std::string& path) {
  ProcessInfo process;
  process.cgroup_v2 = path;
  return process;
}
CgroupSubtree resolve(const std::string& path, const std::vector<CgroupMount>& mounts) {
  return CgroupSubtree::resolve(path, mounts).value();
}

TEST(ParseCgroupMounts, KnowsBothVersions) {
  ASSERT_EQ(kHybrid.size(), 3U);
  EXPECT_EQ(kHybrid[0].controllers, "");
  EXPECT_EQ(kHybrid[1].controllers, "name=systemd");
  EXPECT_EQ(kHybrid[2].controllers, "cpu,cpuacct");
  EXPECT_EQ(parse_cgroup_mounts("1 2 0:3 / /mnt/a\\040b rw - cgroup2 x rw\n").at(0).mount_point, "/mnt/a b");
}

TEST(CgroupSubtree, AllSpellingsMeanTheSame) {
  for (const char* path : {"/sys/fs/cgroup/system.slice/x.service", "/sys/fs/cgroup/system.slice/x.service/", "/system.slice/x.service",
                           "system.slice/x.service", "/sys/fs/cgroup//system.slice/./y/../x.service"}) {
    const CgroupSubtree subtree = resolve(path, kUnified);
    EXPECT_EQ(subtree.path(), "/system.slice/x.service") << path;
    EXPECT_EQ(subtree.v2_directory(), "/sys/fs/cgroup/system.slice/x.service") << path;
  }
  EXPECT_EQ(resolve("/sys/fs/cgroup/unified/a", kHybrid).path(), "/a");
  EXPECT_EQ(resolve("/sys/fs/cgroup/unified/a", kHybrid).v2_directory(), "/sys/fs/cgroup/unified/a");
}

TEST(CgroupSubtree, HoldsTheCgroupAndWhatIsBelow) {
  const CgroupSubtree subtree = resolve("/sys/fs/cgroup/a/b", kUnified);
  EXPECT_TRUE(subtree.contains(in_v2("/a/b")));
  EXPECT_TRUE(subtree.contains(in_v2("/a/b/c")));
  EXPECT_FALSE(subtree.contains(in_v2("/a/bc")));
  EXPECT_FALSE(subtree.contains(in_v2("/a")));
  EXPECT_FALSE(subtree.contains(in_v2("")));
}

TEST(CgroupSubtree, TheRootHoldsAll) {
  const CgroupSubtree subtree = resolve("/sys/fs/cgroup", kUnified);
  EXPECT_EQ(subtree.path(), "/");
  EXPECT_EQ(subtree.v2_directory(), "/sys/fs/cgroup");
  EXPECT_TRUE(subtree.contains(in_v2("/x")));
  EXPECT_TRUE(subtree.contains(in_v2("/")));
}

TEST(CgroupSubtree, APathOfOneHierarchyMeansThatOne) {
  ProcessInfo process;
  process.cgroup_v2 = "/";
  process.cgroups_v1 = {{"cpu,cpuacct", "/job"}, {"name=systemd", "/other"}};
  EXPECT_TRUE(resolve("/sys/fs/cgroup/cpu,cpuacct/job", kHybrid).contains(process));
  EXPECT_EQ(resolve("/sys/fs/cgroup/cpu,cpuacct/job", kHybrid).v2_directory(), "");
  EXPECT_FALSE(resolve("/sys/fs/cgroup/systemd/job", kHybrid).contains(process));
  EXPECT_FALSE(resolve("/sys/fs/cgroup/unified/job", kHybrid).contains(process));
  EXPECT_TRUE(resolve("/job", kHybrid).contains(process));
  EXPECT_TRUE(resolve("/sys/fs/cgroup/job", kHybrid).contains(process));
}

TEST(CgroupSubtree, AMountOfAPartIsPutTogetherWithItsRoot) {
  const auto mounts = parse_cgroup_mounts("30 24 0:27 /docker/x /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(resolve("/sys/fs/cgroup/y", mounts).path(), "/docker/x/y");
  EXPECT_EQ(resolve("/docker/x/y", mounts).v2_directory(), "/sys/fs/cgroup/y");
  EXPECT_EQ(resolve("/elsewhere", mounts).v2_directory(), "");
}

TEST(CgroupSubtree, LeadingOutOfTheRootIsAnError) {
  EXPECT_FALSE(CgroupSubtree::resolve("../x", kUnified));
  EXPECT_FALSE(CgroupSubtree::resolve("", kUnified));
}

}  // namespace
}  // namespace clew::discovery
