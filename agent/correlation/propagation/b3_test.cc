// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Lines;
using testing::Row;
using testing::summary;

const std::string kTrace = "80f198ee56343ba864fe8b2a57d3eff7";
const std::string kShortTrace = "64fe8b2a57d3eff7";
const std::string kSpan = "e457b5a2e4d86bd1";
const std::string kParent = "05e3ac9a4f6e3b90";
const std::string kIds = kTrace + "-" + kSpan;
const std::string kShortIds = "0000000000000000" + kShortTrace + "-" + kSpan;

void expect_single(const std::vector<Row>& rows) {
  for (const Row& row : rows) EXPECT_EQ(summary(extract_lines({{"b3", row.value}})), row.expected) << '"' << row.value << '"';
}

TEST(B3Single, IdsWithOrWithoutDecisionAndParent) {
  expect_single({
      {kIds, kIds + " deferred"},
      {kIds + "-0", kIds + " no"},
      {kIds + "-1", kIds + " yes"},
      {kIds + "-d", kIds + " debug"},
      {kIds + "-1-" + kParent, kIds + " yes"},
      {kIds + "-d-" + kParent, kIds + " debug"},
      {" " + kIds + "-1\t", kIds + " yes"},
  });
}

TEST(B3Single, ATraceIdOf64BitsStandsInTheLowerHalf) {
  expect_single({{kShortTrace + "-" + kSpan + "-1", kShortIds + " yes"}, {kShortTrace + "-" + kSpan, kShortIds + " deferred"}});
}

TEST(B3Single, ADecisionMayStandAlone) { expect_single({{"0", "none only no"}, {"1", "none only yes"}, {"d", "none only debug"}}); }

TEST(B3Single, AnythingElseIsRefused) {
  expect_single({
      {"", "none b3:malformed"},
      {"D", "none b3:malformed"},
      {"true", "none b3:malformed"},
      {kTrace, "none b3:malformed"},
      {kIds + "-", "none b3:malformed"},
      {kIds + "-2", "none b3:malformed"},
      {kIds + "-true", "none b3:malformed"},
      {kIds + "-" + kParent, "none b3:malformed"},
      {kIds + "-1-", "none b3:bad_parent_id"},
      {kIds + "-1-" + kParent.substr(1), "none b3:bad_parent_id"},
      {kIds + "-1-" + kParent + "-", "none b3:malformed"},
      {kIds + "-1-" + kParent + "-x", "none b3:malformed"},
      {kTrace.substr(1) + "-" + kSpan + "-1", "none b3:wrong_length"},
      {kTrace + "0-" + kSpan + "-1", "none b3:wrong_length"},
      {kShortTrace.substr(1) + "-" + kSpan + "-1", "none b3:wrong_length"},
      {kTrace + "-" + kSpan.substr(1) + "-1", "none b3:wrong_length"},
      {kTrace + "-" + kSpan + "0-1", "none b3:wrong_length"},
      {"-" + kSpan + "-1", "none b3:wrong_length"},
      {kTrace + "--1", "none b3:wrong_length"},
      {std::string("80F198EE56343BA864FE8B2A57D3EFF7-") + kSpan + "-1", "none b3:upper_case"},
      {kTrace + "-E457B5A2E4D86BD1-1", "none b3:upper_case"},
      {"x" + kTrace.substr(1) + "-" + kSpan + "-1", "none b3:bad_character"},
      {std::string(32, '0') + "-" + kSpan + "-1", "none b3:zero_trace_id"},
      {std::string(16, '0') + "-" + kSpan + "-1", "none b3:zero_trace_id"},
      {kTrace + "-" + std::string(16, '0') + "-1", "none b3:zero_span_id"},
      {"0-" + kSpan, "none b3:wrong_length"},
  });
  EXPECT_EQ(summary(extract_lines({{"b3", kIds}, {"b3", "0"}})), "none b3:duplicate_header");
}

std::string multi(Lines lines) { return summary(extract_lines(lines)); }

TEST(B3Multi, IdsWithOrWithoutDecision) {
  const Lines ids = {{"X-B3-TraceId", kTrace}, {"X-B3-SpanId", kSpan}};
  const auto with = [&](Lines more) {
    Lines lines = ids;
    lines.insert(lines.end(), more.begin(), more.end());
    return multi(lines);
  };
  EXPECT_EQ(with({}), kIds + " deferred");
  EXPECT_EQ(with({{"X-B3-Sampled", "1"}}), kIds + " yes");
  EXPECT_EQ(with({{"X-B3-Sampled", "true"}}), kIds + " yes");
  EXPECT_EQ(with({{"X-B3-Sampled", "True"}}), kIds + " yes");
  EXPECT_EQ(with({{"X-B3-Sampled", "0"}}), kIds + " no");
  EXPECT_EQ(with({{"X-B3-Sampled", "false"}}), kIds + " no");
  EXPECT_EQ(with({{"X-B3-Flags", "1"}}), kIds + " debug");
  EXPECT_EQ(with({{"X-B3-Flags", "1"}, {"X-B3-Sampled", "0"}}), kIds + " debug") << "debug implies sampled";
  EXPECT_EQ(with({{"X-B3-Flags", "0"}, {"X-B3-Sampled", "1"}}), kIds + " yes");
  EXPECT_EQ(with({{"X-B3-ParentSpanId", kParent}, {"X-B3-Sampled", "1"}}), kIds + " yes");
  EXPECT_EQ(multi({{"x-b3-traceid", kShortTrace}, {"x-b3-spanid", kSpan}, {"x-b3-sampled", "1"}}), kShortIds + " yes");
}

TEST(B3Multi, AnUnreadableDecisionOrParentDoesNotCostTheIds) {
  const Lines ids = {{"X-B3-TraceId", kTrace}, {"X-B3-SpanId", kSpan}};
  const auto with = [&](const std::string& name, const std::string& value, int times = 1) {
    Lines lines = ids;
    for (int i = 0; i < times; ++i) lines.emplace_back(name, value);
    return multi(lines);
  };
  EXPECT_EQ(with("X-B3-Sampled", "d"), kIds + " deferred b3multi:bad_sampled");
  EXPECT_EQ(with("X-B3-Sampled", ""), kIds + " deferred b3multi:bad_sampled");
  EXPECT_EQ(with("X-B3-Sampled", "1", 2), kIds + " deferred b3multi:bad_sampled");
  EXPECT_EQ(with("X-B3-ParentSpanId", "05E3"), kIds + " deferred b3multi:bad_parent_id");
}

TEST(B3Multi, ADecisionMayStandAlone) {
  EXPECT_EQ(multi({{"X-B3-Sampled", "0"}}), "none only no");
  EXPECT_EQ(multi({{"X-B3-Sampled", "1"}}), "none only yes");
  EXPECT_EQ(multi({{"X-B3-Flags", "1"}}), "none only debug");
  EXPECT_EQ(multi({{"X-B3-Sampled", "x"}}), "none b3multi:bad_sampled");
  EXPECT_EQ(multi({{"X-B3-ParentSpanId", kParent}}), "none");
}

TEST(B3Multi, BadIdsAreRefused) {
  const auto ids = [](const std::string& trace, const std::string& span) {
    return multi({{"X-B3-TraceId", trace}, {"X-B3-SpanId", span}});
  };
  EXPECT_EQ(multi({{"X-B3-TraceId", kTrace}, {"X-B3-Sampled", "1"}}), "none b3multi:missing_span_id");
  EXPECT_EQ(multi({{"X-B3-SpanId", kSpan}, {"X-B3-Sampled", "1"}}), "none b3multi:missing_trace_id");
  EXPECT_EQ(multi({{"X-B3-TraceId", kTrace}, {"X-B3-TraceId", kTrace}, {"X-B3-SpanId", kSpan}}), "none b3multi:duplicate_header");
  EXPECT_EQ(multi({{"X-B3-TraceId", kTrace}, {"X-B3-SpanId", kSpan}, {"X-B3-SpanId", kSpan}}), "none b3multi:duplicate_header");
  EXPECT_EQ(ids(kTrace, kSpan + "0"), "none b3multi:wrong_length");
  EXPECT_EQ(ids("", kSpan), "none b3multi:wrong_length");
  EXPECT_EQ(ids(kTrace.substr(2), kSpan), "none b3multi:wrong_length");
  EXPECT_EQ(ids("80F198EE56343BA864FE8B2A57D3EFF7", kSpan), "none b3multi:upper_case");
  EXPECT_EQ(ids(kTrace, "e457b5a2e4d86bdx"), "none b3multi:bad_character");
  EXPECT_EQ(ids(std::string(32, '0'), kSpan), "none b3multi:zero_trace_id");
  EXPECT_EQ(ids(kTrace, std::string(16, '0')), "none b3multi:zero_span_id");
}

TEST(B3, TheSingleHeaderWinsByDefault) {
  const std::string other = "463ac35c9f6413ad48485a3953bb6124-0020000000000001";
  const ExtractResult result = extract_lines({{"X-B3-TraceId", kTrace}, {"X-B3-SpanId", kSpan}, {"b3", other + "-0"}});
  EXPECT_EQ(summary(result), other + " no");
  EXPECT_EQ(result.context->propagator, Propagator::kB3);
  EXPECT_EQ(result.disagreeing, Propagator::kB3Multi);
}

TEST(B3, ADecisionInTheSingleHeaderLeavesTheIdsToTheOthers) {
  EXPECT_EQ(summary(extract_lines({{"b3", "0"}, {"X-B3-TraceId", kTrace}, {"X-B3-SpanId", kSpan}, {"X-B3-Sampled", "1"}})), kIds + " yes");
}

}  // namespace
}  // namespace clew::correlation::propagation
