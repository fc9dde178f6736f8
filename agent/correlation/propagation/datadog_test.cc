// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Lines;
using testing::summary;

// 1234605616436508552 = 0x1122334455667788, 18364758544493064720 = 0xfedcba9876543210
const std::string kTrace = "1234605616436508552";
const std::string kParent = "18364758544493064720";
const std::string kShortIds = "00000000000000001122334455667788-fedcba9876543210";
const std::string kLongIds = "640cfd8d000000001122334455667788-fedcba9876543210";

std::string read(const std::string& trace, const std::string& parent, const Lines& more = {}) {
  Lines lines = {{"x-datadog-trace-id", trace}, {"x-datadog-parent-id", parent}};
  lines.insert(lines.end(), more.begin(), more.end());
  return summary(extract_lines(lines));
}

TEST(Datadog, IdsAreDecimal) {
  EXPECT_EQ(read(kTrace, kParent), kShortIds + " deferred");
  EXPECT_EQ(read(" " + kTrace + " ", "\t" + kParent), kShortIds + " deferred");
  EXPECT_EQ(read("1", "18446744073709551615"), "00000000000000000000000000000001-ffffffffffffffff deferred");
}

TEST(Datadog, TheUpperHalfIsATag) {
  const auto tags = [](const std::string& value) { return read(kTrace, kParent, {{"x-datadog-tags", value}}); };
  EXPECT_EQ(tags("_dd.p.tid=640cfd8d00000000"), kLongIds + " deferred");
  EXPECT_EQ(tags("_dd.p.dm=-4,_dd.p.tid=640cfd8d00000000,_dd.p.usr=a=b"), kLongIds + " deferred");
  EXPECT_EQ(tags(" _dd.p.dm=-4 , _dd.p.tid=640CFD8D00000000 "), kLongIds + " deferred");
  EXPECT_EQ(tags("_dd.p.dm=-4"), kShortIds + " deferred");
  EXPECT_EQ(tags(""), kShortIds + " deferred");
  EXPECT_EQ(tags("x_dd.p.tid=640cfd8d00000000,_dd.p.tidx=1"), kShortIds + " deferred");
}

TEST(Datadog, AnUnreadableUpperHalfLeavesTheLower) {
  for (const std::string bad :
       {"_dd.p.tid=", "_dd.p.tid", "_dd.p.tid=640cfd8d0000000", "_dd.p.tid=640cfd8d000000000", "_dd.p.tid=640cfd8d0000000g"})
    EXPECT_EQ(read(kTrace, kParent, {{"x-datadog-tags", bad}}), kShortIds + " deferred datadog:bad_trace_id_high") << bad;
  const std::string good = "_dd.p.tid=640cfd8d00000000";
  EXPECT_EQ(read(kTrace, kParent, {{"x-datadog-tags", good}, {"x-datadog-tags", good}}), kShortIds + " deferred datadog:bad_trace_id_high");
}

TEST(Datadog, APriorityAboveZeroIsAYes) {
  const auto priority = [](const std::string& value) { return read(kTrace, kParent, {{"x-datadog-sampling-priority", value}}); };
  EXPECT_EQ(priority("-1"), kShortIds + " no");
  EXPECT_EQ(priority("0"), kShortIds + " no");
  EXPECT_EQ(priority("1"), kShortIds + " yes");
  EXPECT_EQ(priority("2"), kShortIds + " yes");
  for (const std::string bad : {"", "x", "1x", "+1", "1.0", "99999999999999999999"})
    EXPECT_EQ(priority(bad), kShortIds + " deferred datadog:bad_sampled") << bad;
}

TEST(Datadog, BadIdsAreRefused) {
  EXPECT_EQ(read("0", kParent), "none datadog:zero_trace_id");
  EXPECT_EQ(read("0", kParent, {{"x-datadog-tags", "_dd.p.tid=640cfd8d00000000"}}), "none datadog:zero_trace_id");
  EXPECT_EQ(read(kTrace, "0"), "none datadog:zero_span_id");
  EXPECT_EQ(read("18446744073709551616", kParent), "none datadog:out_of_range");
  EXPECT_EQ(read(kTrace, "99999999999999999999"), "none datadog:out_of_range");
  EXPECT_EQ(read("184467440737095516150", kParent), "none datadog:wrong_length");
  EXPECT_EQ(read("", kParent), "none datadog:wrong_length");
  EXPECT_EQ(read("-1", kParent), "none datadog:bad_character");
  EXPECT_EQ(read("0x11", kParent), "none datadog:bad_character");
  EXPECT_EQ(read("1122334455667788aa", kParent), "none datadog:bad_character");
  EXPECT_EQ(read(kTrace, kParent, {{"x-datadog-trace-id", kTrace}}), "none datadog:duplicate_header");
  EXPECT_EQ(read(kTrace, kParent, {{"x-datadog-parent-id", "1"}}), "none datadog:duplicate_header");
  EXPECT_EQ(summary(extract_lines({{"x-datadog-trace-id", kTrace}})), "none datadog:missing_span_id");
  EXPECT_EQ(summary(extract_lines({{"x-datadog-parent-id", kParent}})), "none datadog:missing_trace_id");
  EXPECT_EQ(summary(extract_lines({{"x-datadog-sampling-priority", "1"}, {"x-datadog-tags", "a=b"}})), "none");
}

}  // namespace
}  // namespace clew::correlation::propagation
