// SPDX-License-Identifier: Apache-2.0
// Versions that are known, and code as Go's compiler writes it.
#include "agent/runtime/go.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace clew::runtime {
namespace {

using Code = std::vector<uint8_t>;

TEST(GoOffsets, HoldForAllPatchReleasesOfAVersion) {
  ASSERT_TRUE(go_offsets("go1.24.4"));
  EXPECT_EQ(go_offsets("go1.24.4")->goid, 160);
  EXPECT_EQ(go_offsets("go1.24")->parent_goid, 280);
  EXPECT_EQ(go_offsets("go1.27.1 X:boringcrypto")->goid, 152);
  EXPECT_EQ(go_offsets("go1.20.14")->parent_goid, 0);
  EXPECT_EQ(go_offsets("go1.25.1")->m_p, 200);
  EXPECT_EQ(go_offsets("go1.26.0")->chan_receive, 19);
}

TEST(GoOffsets, AreNotGuessed) {
  for (const char* version :
       {"", "go1.", "go1.17.13", "go1.99.1", "go1.24rc1", "go1.25beta2", "devel go1.24-0f8ab2d", "go2.24.1", "1.24.4"})
    EXPECT_FALSE(go_offsets(version)) << version;
}

TEST(GoProbe, StandsOnThePushBehindTheCheckOfTheStack) {
  // 1.27, net/http.(*persistConn).roundTrip; 1.24, a small function
  EXPECT_EQ(go_probe_offset(
                Code{0x4c, 0x8d, 0xa4, 0x24, 0x58, 0xfe, 0xff, 0xff, 0x4d, 0x3b, 0x66, 0x10, 0x0f, 0x86, 0x74, 0x0e, 0, 0, 0x55, 0x48}),
            18);
  EXPECT_EQ(go_probe_offset(Code{0x4c, 0x8d, 0x64, 0x24, 0x88, 0x4d, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55, 0x48}), 11);
  EXPECT_EQ(go_probe_offset(Code{0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55, 0x48}), 6);
}

TEST(GoProbe, StandsOnTheJumpWhereThereIsNoPush) {  // 1.18: sub $n,%rsp
  EXPECT_EQ(go_probe_offset(Code{0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x48, 0x83, 0xec, 0x20}), 4);
}

TEST(GoProbe, StandsNowhereElse) {
  EXPECT_FALSE(go_probe_offset({}));
  EXPECT_FALSE(go_probe_offset(Code{0x49, 0x3b, 0x66, 0x10}));
  EXPECT_FALSE(go_probe_offset(Code{0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xec, 0x10}));
  EXPECT_FALSE(go_probe_offset(Code{0x4c, 0x8d, 0x64, 0x24, 0x88, 0x49, 0x3b, 0x66, 0x10, 0x76, 0x20, 0x55}));
}

// runtime.newproc1 of 1.27, as it takes ids; at 0x4568e9
Code taking_ids() {
  return {0x90, 0x41, 0xba, 0x10, 0, 0, 0, 0x4c, 0x8d, 0x1d, 0x89, 0x53, 0x5c, 0, 0xf0, 0x4d, 0x0f, 0xc1, 0x13, 0x4d, 0x8d, 0x5a, 0x01};
}

TEST(GoIdCounter, IsWhereSixteenAreAdded) {
  EXPECT_EQ(go_id_counter(taking_ids(), 0x4568e9), 0xa1bc80);
  const Code other = {0xb9, 0x10, 0, 0, 0, 0x48, 0x8d, 0x15, 0x2b, 0x03, 0x46, 0, 0xf0, 0x48, 0x0f, 0xc1, 0x0a, 0x48, 0x8d, 0x51, 0x01};
  EXPECT_EQ(go_id_counter(other, 0x43e349), 0x89e680);  // 1.18
}

TEST(GoIdCounter, IsNotGuessed) {
  Code twice = taking_ids();
  for (const uint8_t byte : taking_ids()) twice.push_back(byte);
  EXPECT_FALSE(go_id_counter(twice, 0x4568e9));
  Code one = taking_ids();
  one[3] = 1;
  EXPECT_FALSE(go_id_counter(one, 0x4568e9));
  EXPECT_FALSE(go_id_counter({}, 0));
  const Code whole = taking_ids();
  for (size_t n = 0; n < 18; ++n) EXPECT_FALSE(go_id_counter(std::span(whole).first(n), 0)) << n;
}

}  // namespace
}  // namespace clew::runtime
