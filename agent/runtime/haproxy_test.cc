// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/haproxy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/discovery/fake_proc.h"

namespace clew::runtime {
namespace {

TEST(HaproxyOffsets, FollowTheVersion) {
  EXPECT_EQ(haproxy_offsets("2.2.9-2+deb11u6"), (HaproxyOffsets{.h1s = 136, .session = 80}));
  EXPECT_EQ(haproxy_offsets("2.4.22"), (HaproxyOffsets{.h1s = 136, .session = 32}));
  EXPECT_EQ(haproxy_offsets("2.6.12-1+deb12u4"), (HaproxyOffsets{.h1s = 136, .session = 32}));
  EXPECT_EQ(haproxy_offsets("2.8.16-0ubuntu0.24.04.1"), (HaproxyOffsets{.h1s = 8, .session = 32}));
  EXPECT_EQ(haproxy_offsets("3.4.0-64a335366"), (HaproxyOffsets{.h1s = 8, .session = 32}));
  EXPECT_EQ(haproxy_offsets("3.5-dev5"), (HaproxyOffsets{.h1s = 8, .session = 32}));
}

TEST(HaproxyOffsets, OfAnUnknownVersionThereAreNone) {
  for (const char* version : {"", "2", "2.", "x2.6", "1.9.0", "2.1.12", "3.6.0", "3.10.1", "4.0", "99999999999.1", "2.99999999999"})
    EXPECT_FALSE(haproxy_offsets(version)) << version;
}

TEST(HaproxyLayout, AnotherProgramHasNone) {
  const Layout layout = haproxy_layout(discovery::ProcFs{}, static_cast<uint32_t>(::getpid()));
  EXPECT_EQ(layout.runtime, 0U);
  EXPECT_EQ(layout.description, "haproxy: it does not export what is needed");
  EXPECT_EQ(haproxy_layout(discovery::FakeProc().fs(), 42).runtime, 0U) << "nor has no program";
}

}  // namespace
}  // namespace clew::runtime
