// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Row;
using testing::summary;

const std::string kTrace = "80f198ee56343ba864fe8b2a57d3eff7";
const std::string kSpan = "e457b5a2e4d86bd1";
const std::string kIds = kTrace + "-" + kSpan;

void expect_each(const std::vector<Row>& rows) {
  for (const Row& row : rows) EXPECT_EQ(summary(extract_lines({{"uber-trace-id", row.value}})), row.expected) << '"' << row.value << '"';
}

TEST(Jaeger, FourParts) {
  expect_each({
      {kTrace + ":" + kSpan + ":0:1", kIds + " yes"},
      {kTrace + ":" + kSpan + ":0:0", kIds + " no"},
      {kTrace + ":" + kSpan + ":05e3ac9a4f6e3b90:1", kIds + " yes"},
      {kTrace + ":" + kSpan + "::1", kIds + " yes"},
      {kTrace + ":" + kSpan + ":not-read:1", kIds + " yes"},
      {" " + kTrace + ":" + kSpan + ":0:01 ", kIds + " yes"},
  });
}

TEST(Jaeger, ShortIdsArePaddedWithZeros) {
  const std::string zeros(16, '0');
  expect_each({
      {"64fe8b2a57d3eff7:" + kSpan + ":0:1", zeros + "64fe8b2a57d3eff7-" + kSpan + " yes"},
      {"4fe8b2a57d3eff7:457b5a2e4d86bd1:0:1", zeros + "04fe8b2a57d3eff7-0457b5a2e4d86bd1 yes"},
      {"1:2:0:1", "00000000000000000000000000000001-0000000000000002 yes"},
      {"f198ee56343ba864fe8b2a57d3eff7:" + kSpan + ":0:1", "00f198ee56343ba864fe8b2a57d3eff7-" + kSpan + " yes"},
  });
}

TEST(Jaeger, ColonsMayBePercentEncoded) {
  expect_each({
      {kTrace + "%3A" + kSpan + "%3A0%3A1", kIds + " yes"},
      {kTrace + "%3a" + kSpan + "%3a0%3a0", kIds + " no"},
      {kTrace + "%3A" + kSpan + ":0:3", kIds + " debug"},
      {kTrace + "%3" + kSpan + ":0:1", "none jaeger:malformed"},
      {kTrace + "%3B" + kSpan + ":0:1:1", "none jaeger:wrong_length"},
      {kTrace + ":" + kSpan + ":0:1%3", "none jaeger:wrong_length"},
      {kTrace + ":" + kSpan + ":0:%", "none jaeger:bad_character"},
  });
}

TEST(Jaeger, FlagsAreBits) {
  const std::string ids = kTrace + ":" + kSpan + ":0:";
  expect_each({
      {ids + "2", kIds + " debug"},
      {ids + "3", kIds + " debug"},
      {ids + "03", kIds + " debug"},
      {ids + "4", kIds + " no"},
      {ids + "5", kIds + " yes"},
      {ids + "fd", kIds + " yes"},
      {ids + "", "none jaeger:wrong_length"},
      {ids + "100", "none jaeger:wrong_length"},
      {ids + "x", "none jaeger:bad_character"},
      {ids + "-1", "none jaeger:bad_character"},
  });
}

TEST(Jaeger, EitherCaseIsAccepted) { expect_each({{"80F198EE56343BA864FE8B2A57D3EFF7:E457B5A2E4D86BD1:0:1", kIds + " yes"}}); }

TEST(Jaeger, AnythingElseIsRefused) {
  expect_each({
      {"", "none jaeger:malformed"},
      {":::", "none jaeger:wrong_length"},
      {kTrace + ":" + kSpan + ":0", "none jaeger:malformed"},
      {kTrace + ":" + kSpan + ":0:1:", "none jaeger:malformed"},
      {kTrace + ":" + kSpan + ":0:1:1:1:1:1", "none jaeger:malformed"},
      {"0" + kTrace + ":" + kSpan + ":0:1", "none jaeger:wrong_length"},
      {kTrace + ":0" + kSpan + ":0:1", "none jaeger:wrong_length"},
      {kTrace + "::0:1", "none jaeger:wrong_length"},
      {"g:1:0:1", "none jaeger:bad_character"},
      {"1:-1:0:1", "none jaeger:bad_character"},
      {"0:1:0:1", "none jaeger:zero_trace_id"},
      {"1:0:0:1", "none jaeger:zero_span_id"},
      {"0:0:0:0", "none jaeger:zero_trace_id"},
  });
  EXPECT_EQ(summary(extract_lines({{"uber-trace-id", "1:2:0:1"}, {"uber-trace-id", "1:2:0:1"}})), "none jaeger:duplicate_header");
}

}  // namespace
}  // namespace clew::correlation::propagation
