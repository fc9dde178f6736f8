// SPDX-License-Identifier: Apache-2.0
// The decisions of each sampler.
#include "agent/sampling/sampler.h"

#include <gtest/gtest.h>

#include <random>

namespace clew::sampling {
namespace {

using Kind = SamplerSettings::Kind;

Sampler::TraceId id_of(uint64_t randomness) {
  Sampler::TraceId id{};
  for (size_t i = 15; i >= 9; --i, randomness >>= 8) id[i] = static_cast<uint8_t>(randomness);
  return id;
}

TEST(Sampler, KeepsEverythingThatNobodyRefusedByDefault) {
  const Sampler sampler;
  std::string state = "a=1";
  EXPECT_TRUE(sampler.root(id_of(0), state));
  EXPECT_TRUE(sampler.child(true, id_of(0), state));
  EXPECT_FALSE(sampler.child(false, id_of(0), state));
  EXPECT_EQ(state, "a=1");
}

TEST(Sampler, WithoutParentsItDecidesForEach) {
  std::string state;
  EXPECT_TRUE(Sampler({.kind = Kind::kAlwaysOn, .parent_based = false}).child(false, id_of(0), state));
  EXPECT_FALSE(Sampler({.kind = Kind::kAlwaysOff, .parent_based = false}).child(true, id_of(0), state));
  EXPECT_FALSE(Sampler({.kind = Kind::kAlwaysOff}).root(id_of(0), state));
}

TEST(Sampler, ARatioKeepsItsShareAndSaysSo) {
  const Sampler sampler({.kind = Kind::kTraceIdRatio, .ratio = 0.25});
  std::mt19937_64 random(1);
  int kept = 0;
  for (int i = 0; i < 100'000; ++i) {
    std::string state;
    const bool keep = sampler.root(id_of(random() >> 8), state);
    EXPECT_EQ(state, keep ? "ot=th:c" : "");
    kept += keep;
  }
  EXPECT_NEAR(kept, 25'000, 700);
}

TEST(Sampler, AllNodesDecideAlikeForOneTrace) {
  const Sampler few({.kind = Kind::kTraceIdRatio, .parent_based = false, .ratio = 0.1});
  const Sampler many({.kind = Kind::kTraceIdRatio, .parent_based = false, .ratio = 0.5});
  std::mt19937_64 random(2);
  for (int i = 0; i < 10'000; ++i) {
    const Sampler::TraceId id = id_of(random() >> 8);
    std::string one;
    std::string other;
    if (few.root(id, one)) {
      EXPECT_TRUE(many.root(id, other));
    }
  }
}

TEST(Sampler, TheRandomValueOfTheTracestateBeatsTheTraceId) {
  const Sampler sampler({.kind = Kind::kTraceIdRatio, .parent_based = false, .ratio = 0.5});
  std::string high = "ot=rv:ffffffffffffff";
  std::string low = "ot=rv:00000000000000";
  EXPECT_TRUE(sampler.root(id_of(0), high));
  EXPECT_FALSE(sampler.root(id_of(~uint64_t{0} >> 8), low));
  EXPECT_EQ(high, "ot=th:8;rv:ffffffffffffff");
  EXPECT_EQ(low, "ot=rv:00000000000000");
}

TEST(Sampler, NeverClaimsAGreaterShareThanWasLeft) {
  const Sampler sampler({.kind = Kind::kTraceIdRatio, .parent_based = false, .ratio = 0.5});
  std::string state = "ot=th:c";
  EXPECT_TRUE(sampler.root(id_of(uint64_t{0xd} << 52), state));
  EXPECT_EQ(state, "ot=th:c");
  EXPECT_FALSE(sampler.root(id_of(uint64_t{0x9} << 52), state));
}

}  // namespace
}  // namespace clew::sampling
