// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/traceparent.h"

#include <gtest/gtest.h>

#include <array>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Row;
using testing::summary;

const std::string kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
const std::string kSpan = "00f067aa0ba902b7";
const std::string kIds = kTrace + "-" + kSpan;
const std::string kTraceOfZeros(32, '0');
const std::string kSpanOfZeros(16, '0');

void expect_each(const std::vector<Row>& rows) {
  for (const Row& row : rows) EXPECT_EQ(summary(extract_lines({{"traceparent", row.value}})), row.expected) << '"' << row.value << '"';
}

TEST(Traceparent, VersionZeroIsExactly55Characters) {
  expect_each({
      {"00-" + kIds + "-01", kIds + " yes"},
      {"00-" + kIds + "-00", kIds + " no"},
      {"00-" + kIds + "-01.", "none tracecontext:trailing_data"},
      {"00-" + kIds + "-01-", "none tracecontext:trailing_data"},
      {"00-" + kIds + "-01-what-the-future-will-be-like", "none tracecontext:trailing_data"},
      {"00-" + kIds + "-0", "none tracecontext:wrong_length"},
      {"00-" + kIds + "-", "none tracecontext:wrong_length"},
      {"00-" + kIds, "none tracecontext:wrong_length"},
      {"00-" + kTrace, "none tracecontext:wrong_length"},
      {"00", "none tracecontext:wrong_length"},
      {"", "none tracecontext:wrong_length"},
  });
}

TEST(Traceparent, AHigherVersionIsReadUpToTheFlagsIfADashFollows) {
  expect_each({
      {"01-" + kIds + "-01", kIds + " yes"},
      {"cc-" + kIds + "-01", kIds + " yes"},
      {"cc-" + kIds + "-00", kIds + " no"},
      {"fe-" + kIds + "-01-", kIds + " yes"},
      {"cc-" + kIds + "-01-what-the-future-will-be-like", kIds + " yes"},
      {"cc-" + kIds + "-01.what-the-future-will-be-like", "none tracecontext:trailing_data"},
      {"cc-" + kIds + "-011", "none tracecontext:trailing_data"},
      {"cc-" + kIds + "-0", "none tracecontext:wrong_length"},
  });
}

TEST(Traceparent, ABadVersionIsRefused) {
  expect_each({
      {"ff-" + kIds + "-01", "none tracecontext:bad_version"},
      {"ff-" + kIds + "-01-more", "none tracecontext:bad_version"},
      {".0-" + kIds + "-01", "none tracecontext:bad_version"},
      {"0.-" + kIds + "-01", "none tracecontext:bad_version"},
      {"g0-" + kIds + "-01", "none tracecontext:bad_version"},
      {"CC-" + kIds + "-01", "none tracecontext:upper_case"},
      {"000-" + kIds + "-01", "none tracecontext:malformed"},
      {"0000-" + kIds + "-01", "none tracecontext:malformed"},
      {"0-" + kIds + "-011", "none tracecontext:bad_version"},
      {"0-" + kIds + "-01", "none tracecontext:wrong_length"},
  });
}

TEST(Traceparent, IdsOfZerosAreRefused) {
  expect_each({
      {"00-" + kTraceOfZeros + "-" + kSpan + "-01", "none tracecontext:zero_trace_id"},
      {"00-" + kTrace + "-" + kSpanOfZeros + "-01", "none tracecontext:zero_span_id"},
      {"00-" + kTraceOfZeros + "-" + kSpanOfZeros + "-00", "none tracecontext:zero_trace_id"},
      {"cc-" + kTraceOfZeros + "-" + kSpan + "-01-x", "none tracecontext:zero_trace_id"},
  });
}

TEST(Traceparent, OnlyLowerCaseHexadecimalIsAccepted) {
  expect_each({
      {"00-" + std::string("4BF92F3577B34DA6A3CE929D0E0E4736-") + kSpan + "-01", "none tracecontext:upper_case"},
      {"00-" + kTrace + "-00F067AA0BA902B7-01", "none tracecontext:upper_case"},
      {"00-" + kIds + "-0A", "none tracecontext:upper_case"},
      {"00-.bf92f3577b34da6a3ce929d0e0e4736-" + kSpan + "-01", "none tracecontext:bad_character"},
      {"00-4bf92f3577b34da6a3ce929d0e0e473.-" + kSpan + "-01", "none tracecontext:bad_character"},
      {"00-4bf92f3577b34da6a3ce929d0e0e473g-" + kSpan + "-01", "none tracecontext:bad_character"},
      {"00-" + kTrace + "-.0f067aa0ba902b7-01", "none tracecontext:bad_character"},
      {"00-" + kTrace + "-00f067aa0ba902b.-01", "none tracecontext:bad_character"},
      {"00-" + kIds + "-.0", "none tracecontext:bad_character"},
      {"00-" + kIds + "-0.", "none tracecontext:bad_character"},
      {"00-" + kIds + "- 1", "none tracecontext:bad_character"},
      {"00-" + kIds + "-0x", "none tracecontext:bad_character"},
  });
}

TEST(Traceparent, IdsOfAnotherLengthAreRefused) {
  expect_each({
      {"00-" + kTrace + "1-" + kSpan + "-01", "none tracecontext:malformed"},
      {"00-" + kTrace.substr(1) + "-" + kSpan + "-01", "none tracecontext:wrong_length"},
      {"00-" + kTrace.substr(1) + "-" + kSpan + "-011", "none tracecontext:malformed"},
      {"00-" + kTrace + "-" + kSpan + "1-01", "none tracecontext:malformed"},
      {"00-" + kTrace + "-" + kSpan.substr(1) + "-01", "none tracecontext:wrong_length"},
      {"00-" + kTrace + "-" + kSpan.substr(1) + "-011", "none tracecontext:malformed"},
      {"00-" + kIds + "-001", "none tracecontext:trailing_data"},
      {"00-" + kIds + "-1", "none tracecontext:wrong_length"},
      {"00_" + kIds + "-01", "none tracecontext:malformed"},
      {"00-" + kTrace + "_" + kSpan + "-01", "none tracecontext:malformed"},
      {"00-" + kIds + "_01", "none tracecontext:malformed"},
  });
}

TEST(Traceparent, SpacesAroundItAreTakenOffAndThoseInsideAreNot) {
  expect_each({
      {" 00-" + kIds + "-01", kIds + " yes"},
      {"\t00-" + kIds + "-01", kIds + " yes"},
      {"00-" + kIds + "-01 ", kIds + " yes"},
      {"00-" + kIds + "-01\t", kIds + " yes"},
      {"\t 00-" + kIds + "-01 \t", kIds + " yes"},
      {" cc-" + kIds + "-01-x ", kIds + " yes"},
      {"\v00-" + kIds + "-01", "none tracecontext:bad_version"},
      {"00-" + kIds + "-01\r", "none tracecontext:trailing_data"},
      {"00 -" + kIds + "-01", "none tracecontext:malformed"},
  });
}

TEST(Traceparent, SeveralAreNone) {
  const std::string other = "00-" + kTrace + "-00f067aa0ba902b8-01";
  EXPECT_EQ(summary(extract_lines({{"traceparent", "00-" + kIds + "-01"}, {"traceparent", other}})), "none tracecontext:duplicate_header");
  EXPECT_EQ(summary(extract_lines({{"traceparent", other}, {"Traceparent", other}})), "none tracecontext:duplicate_header");
  EXPECT_EQ(summary(extract_lines({{"traceparent", other + ", " + other}})), "none tracecontext:trailing_data") << "as a proxy joins them";
  EXPECT_EQ(summary(extract_lines({{"traceparent", ""}, {"traceparent", other}})), "none tracecontext:duplicate_header");
}

TEST(Traceparent, ItsNameMayHaveAnyCaseButNoOtherLetters) {
  for (const std::string name : {"traceparent", "TraceParent", "TrAcEpArEnT", "TRACEPARENT"})
    EXPECT_EQ(summary(extract_lines({{name, "00-" + kIds + "-01"}})), kIds + " yes") << name;
  for (const std::string name : {"trace-parent", "trace.parent", "traceparent ", "xtraceparent"})
    EXPECT_EQ(summary(extract_lines({{name, "00-" + kIds + "-01"}})), "none") << name;
}

TEST(Traceparent, RandomIsKeptAsReceivedAndUnknownFlagsAreNot) {
  const auto flags = [](const std::string& version, const std::string& text) {
    const auto parsed = parse_traceparent(version + "-" + kIds + "-" + text);
    return parsed ? int{parsed->flags} : -1;
  };
  EXPECT_EQ(flags("00", "00"), 0);
  EXPECT_EQ(flags("00", "01"), kFlagSampled);
  EXPECT_EQ(flags("00", "02"), kFlagRandom);
  EXPECT_EQ(flags("00", "03"), kFlagSampled | kFlagRandom);
  EXPECT_EQ(flags("00", "ff"), kFlagSampled | kFlagRandom);
  EXPECT_EQ(flags("00", "fc"), 0);
  EXPECT_EQ(flags("00", "09"), kFlagSampled);
  EXPECT_EQ(flags("01", "03"), kFlagSampled) << "of a later version only this bit is known";
}

TEST(Traceparent, IsWrittenAsVersionZeroWithKnownFlagsOnly) {
  const TraceId trace_id = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36};
  const SpanId span_id = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7};
  char out[kTraceparentLength + 1];
  out[kTraceparentLength] = '#';
  format_traceparent(trace_id, span_id, 0xff, std::span(out).first<kTraceparentLength>());
  EXPECT_EQ(std::string_view(out, sizeof out), "00-" + kIds + "-03#") << "and not a byte more";
  std::array<char, kTraceparentLength> other;
  format_traceparent(trace_id, span_id, 0, other);
  EXPECT_EQ(std::string_view(other.data(), other.size()), "00-" + kIds + "-00");
}

}  // namespace
}  // namespace clew::correlation::propagation
