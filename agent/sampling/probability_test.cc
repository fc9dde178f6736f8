// SPDX-License-Identifier: Apache-2.0
// Thresholds and tracestate against the figures of the specification.
#include "agent/sampling/probability.h"

#include <gtest/gtest.h>

#include <cmath>

namespace clew::sampling {
namespace {

TEST(Threshold, IsWrittenAsTheSpecificationDoes) {
  EXPECT_EQ(to_text(threshold_of(1)), "0");
  EXPECT_EQ(to_text(threshold_of(0.5)), "8");
  EXPECT_EQ(to_text(threshold_of(0.25)), "c");
  EXPECT_EQ(to_text(threshold_of(0.01)), "fd70a4");
  EXPECT_EQ(threshold_of(0), kNothing);
  EXPECT_EQ(threshold_of(std::nan("")), kNothing);
}

TEST(Threshold, KeepsItsShareHoweverSmall) {
  for (const double ratio : {0.9, 0.3, 0.1, 0.02, 1e-4, 1e-9, 1e-14}) {
    const uint64_t threshold = threshold_of(ratio);
    ASSERT_LT(threshold, kNothing) << ratio;
    EXPECT_NEAR(std::ldexp(static_cast<double>(kNothing - threshold), -56) / ratio, 1, 0.001) << ratio;
    EXPECT_EQ(parse_otel_state("ot=th:" + to_text(threshold)).threshold, threshold) << ratio;
  }
}

TEST(OtelState, IsReadFromAmongOthers) {
  const OtelState state = parse_otel_state("vendor=1, ot=p:8;rv:abcdef01234567;th:c ,x=ot=1");
  EXPECT_EQ(state.threshold, uint64_t{0xc} << 52);
  EXPECT_EQ(state.random_value, 0xabcdef01234567U);
}

TEST(OtelState, WhatBreaksTheRulesIsNotThere) {
  for (const char* text :
       {"", "ot", "ot=", "ot=th:", "ot=th:xyz", "ot=th:C", "ot=th:123456789012345", "ot=rv:abc", "ot=rv:ABCDEF01234567"}) {
    EXPECT_FALSE(parse_otel_state(text).threshold) << text;
    EXPECT_FALSE(parse_otel_state(text).random_value) << text;
  }
}

TEST(OtelState, AThresholdIsPutInFrontAndTheRestStays) {
  EXPECT_EQ(with_threshold("", uint64_t{0xc} << 52), "ot=th:c");
  EXPECT_EQ(with_threshold("a=1,ot=rv:abcdef01234567;th:8,b=2", uint64_t{0xc} << 52), "ot=th:c;rv:abcdef01234567,a=1,b=2");
  EXPECT_EQ(with_threshold("a=1,ot=th:8", std::nullopt), "a=1");
  EXPECT_EQ(with_threshold("ot=th:8", std::nullopt), "");
  EXPECT_EQ(with_threshold("a=1", std::nullopt), "a=1");
}

TEST(Randomness, IsTheEndOfTheTraceIdUnlessSomebodySaysElse) {
  const std::array<uint8_t, 16> id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16};
  EXPECT_EQ(randomness(id, {}), 0x10111213141516U);
  EXPECT_EQ(randomness(id, {.threshold = std::nullopt, .random_value = 7}), 7U);
}

}  // namespace
}  // namespace clew::sampling
