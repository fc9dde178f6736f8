// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/extract.h"

#include <gtest/gtest.h>

#include <set>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Lines;
using testing::summary;

const std::string kSpan = "00f067aa0ba902b7";
const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kLowerHalf = "a3ce929d0e0e4736";
const std::string kOther = "80f198ee56343ba864fe8b2a57d3eff7";

const std::pair<std::string, std::string> kW3c = {"traceparent", "00-" + kTrace + "-" + kSpan + "-01"};

TEST(Extract, NothingGivesNothing) {
  const ExtractResult result = extract_lines({{"host", "a"}, {"accept", "*/*"}});
  EXPECT_EQ(summary(result), "none");
  EXPECT_FALSE(result.disagreeing);
}

TEST(Extract, TheFirstOfTheOrderWins) {
  const Lines lines = {{"uber-trace-id", kOther + ":1:0:1"}, kW3c};
  EXPECT_EQ(extract_lines(lines).context->propagator, Propagator::kTraceContext);
  constexpr std::array kOrder = {Propagator::kJaeger, Propagator::kTraceContext};
  EXPECT_EQ(extract_lines(lines, kOrder).context->propagator, Propagator::kJaeger);
}

TEST(Extract, AnInvalidOneMakesRoomForTheNext) {
  const ExtractResult result = extract_lines({{"traceparent", "00-" + kTrace + "-" + kSpan + "-01x"}, {"b3", kOther + "-" + kSpan + "-1"}});
  EXPECT_EQ(summary(result), kOther + "-" + kSpan + " yes tracecontext:trailing_data");
  EXPECT_EQ(result.context->propagator, Propagator::kB3);
  EXPECT_FALSE(result.disagreeing) << "what is invalid has no say";
}

TEST(Extract, WhatIsNotInTheOrderIsNotRead) {
  constexpr std::array kOrder = {Propagator::kB3};
  EXPECT_EQ(summary(extract_lines({kW3c, {"uber-trace-id", "bad"}}, kOrder)), "none");
  EXPECT_EQ(summary(extract_lines({kW3c}, {})), "none");
}

TEST(Extract, ARepeatedPropagatorIsReadOnce) {
  const std::vector<Propagator> order(1000, Propagator::kJaeger);
  EXPECT_EQ(summary(extract_lines({{"uber-trace-id", "bad"}}, order)), "none jaeger:malformed");
}

TEST(Extract, TellsWhoNamesAnotherTrace) {
  const Lines lines = {kW3c,
                       {"b3", kTrace + "-" + kSpan},
                       {"uber-trace-id", kOther + ":1:0:1"},
                       {"X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8"}};
  const ExtractResult result = extract_lines(lines);
  EXPECT_EQ(summary(result), kTrace + "-" + kSpan + " yes");
  EXPECT_EQ(result.disagreeing, Propagator::kJaeger);
}

TEST(Extract, AnotherSpanOfTheSameTraceIsNoDisagreement) {
  EXPECT_FALSE(extract_lines({kW3c, {"b3", kTrace + "-00f067aa0ba902b8"}}).disagreeing);
}

TEST(Extract, AnIdOf64BitsAgreesWithTheLongOneWhoseLowerHalfItIs) {
  EXPECT_FALSE(extract_lines({kW3c, {"b3", kLowerHalf + "-" + kSpan}}).disagreeing);
  EXPECT_FALSE(extract_lines({{"b3", kLowerHalf + "-" + kSpan}, {"uber-trace-id", kTrace + ":1:0:1"}}).disagreeing);
  // 11803532876627986230 = 0xa3ce929d0e0e4736
  EXPECT_FALSE(extract_lines({kW3c, {"x-datadog-trace-id", "11803532876627986230"}, {"x-datadog-parent-id", "1"}}).disagreeing);
  EXPECT_EQ(extract_lines({kW3c, {"x-datadog-trace-id", "11803532876627986231"}, {"x-datadog-parent-id", "1"}}).disagreeing,
            Propagator::kDatadog);
  const std::string upper_differs = "5" + kTrace.substr(1);
  EXPECT_EQ(extract_lines({kW3c, {"b3", upper_differs + "-" + kSpan}}).disagreeing, Propagator::kB3);
}

TEST(Extract, ADecisionAloneCountsOnlyWithoutAContext) {
  EXPECT_EQ(extract_lines({{"b3", "0"}}).sampled_only, Sampled::kNo);
  EXPECT_EQ(extract_lines({kW3c, {"b3", "0"}}).sampled_only, Sampled::kDeferred);
  EXPECT_EQ(extract_lines({{"b3", "d"}, {"x-b3-sampled", "0"}}).sampled_only, Sampled::kDebug) << "the first says it";
}

TEST(Extract, TheFlagSaysWhatTheDecisionSays) {
  const auto flags = [](const std::string& decision) { return extract_lines({{"b3", kTrace + "-" + kSpan + decision}}).context->flags; };
  EXPECT_EQ(flags(""), 0);
  EXPECT_EQ(flags("-0"), 0);
  EXPECT_EQ(flags("-1"), kFlagSampled);
  EXPECT_EQ(flags("-d"), kFlagSampled);
}

TEST(Extract, TracestateBelongsToTraceparentOnly) {
  constexpr std::array kOrder = {Propagator::kB3, Propagator::kTraceContext};
  const ExtractResult result = extract_lines({kW3c, {"tracestate", "a=1"}, {"b3", kTrace + "-" + kSpan}}, kOrder);
  EXPECT_EQ(result.context->propagator, Propagator::kB3);
  EXPECT_EQ(result.context->trace_state, "");
}

TEST(Extract, EveryFaultAtOnceIsListed) {
  const ExtractResult result = extract_lines({
      {"traceparent", kW3c.second},
      {"tracestate", "a=1,a=2,b=" + std::string(256, 'x') + ",c=" + std::string(256, 'x')},
      {"b3", "x"},
      {"x-b3-traceid", kTrace},
      {"x-b3-spanid", kSpan},
      {"x-b3-sampled", "x"},
      {"x-b3-parentspanid", "x"},
      {"uber-trace-id", "x"},
      {"x-amzn-trace-id", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=x"},
      {"x-datadog-trace-id", "1"},
      {"x-datadog-parent-id", "1"},
      {"x-datadog-tags", "_dd.p.tid=x"},
      {"x-datadog-sampling-priority", "x"},
  });
  EXPECT_EQ(summary(result), kTrace + "-" + kSpan +
                                 " yes tracecontext:tracestate_duplicate_key tracecontext:tracestate_cut b3:malformed b3multi:bad_sampled "
                                 "b3multi:bad_parent_id jaeger:malformed xray:no_parent xray:bad_sampled datadog:bad_trace_id_high "
                                 "datadog:bad_sampled");
}

TEST(Reasons, HaveNamesOfTheirOwn) {
  EXPECT_EQ(std::set<std::string_view>(kReasonNames.begin(), kReasonNames.end()).size(), kReasonNames.size());
  EXPECT_EQ(name(Reason::kWrongLength), "wrong_length");
  EXPECT_EQ(name(Reason::kZeroTraceId), "zero_trace_id");
  EXPECT_EQ(name(Reason::kBadTraceIdHigh), "bad_trace_id_high");
  EXPECT_EQ(name(Reason::kTraceStateCut), "tracestate_cut");
}

}  // namespace
}  // namespace clew::correlation::propagation
