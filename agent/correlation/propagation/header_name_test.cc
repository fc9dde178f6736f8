// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/header_name.h"

#include <gtest/gtest.h>

#include <string>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/header_values.h"

namespace clew::correlation::propagation {
namespace {

TEST(HeaderName, EachIsRecognisedInAnyCase) {
  for (size_t i = 0; i < kHeaderNames.size(); ++i) {
    std::string upper;
    std::string mixed;
    for (const char c : kHeaderNames[i]) {
      upper += is_lower(c) ? static_cast<char>(c - 'a' + 'A') : c;
      mixed += mixed.size() % 2 == 0 ? upper.back() : c;
    }
    for (const std::string& name : {std::string(kHeaderNames[i]), upper, mixed})
      EXPECT_EQ(recognise(name), static_cast<HeaderName>(i)) << name;
  }
  EXPECT_EQ(recognise("X-B3-TraceId"), HeaderName::kB3TraceId);
  EXPECT_EQ(recognise("X-Amzn-Trace-Id"), HeaderName::kAmznTraceId);
  EXPECT_EQ(recognise("x-datadog-sampling-priority"), HeaderName::kDatadogSamplingPriority);
}

TEST(HeaderName, NothingElseIs) {
  for (const std::string_view name :
       {"", "b", "b4", "host", "x-b3-", "x-b3-trace-id", "tracestat", "traceresponse", "baggage", "x-datadog-origin", "x-request-id",
        "user-agent", "accept", "content-length", "x-datadog-sampling-prioritys"})
    EXPECT_EQ(recognise(name), std::nullopt) << name;
  EXPECT_EQ(recognise(std::string(5000, 'b')), std::nullopt);
}

TEST(HeaderName, OneOtherByteMakesItAnother) {
  for (const std::string_view name : kHeaderNames) {
    for (size_t at = 0; at < name.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string other(name);
        other[at] = static_cast<char>(byte);
        const bool same = other[at] == name[at] || (is_lower(name[at]) && byte == name[at] - 'a' + 'A');
        EXPECT_EQ(recognise(other).has_value(), same) << other;
      }
    }
  }
}

TEST(HeaderValues, KeepsTheFirstLineAndTellsThatThereAreMore) {
  HeaderValues headers;
  EXPECT_TRUE(headers.empty());
  EXPECT_FALSE(headers.has(HeaderName::kB3));
  headers.add(HeaderName::kB3, " \tone ");
  EXPECT_FALSE(headers.empty());
  EXPECT_TRUE(headers.has(HeaderName::kB3));
  EXPECT_FALSE(headers.repeated(HeaderName::kB3));
  EXPECT_EQ(headers.value(HeaderName::kB3), "one");
  headers.add(HeaderName::kB3, "two");
  EXPECT_EQ(headers.value(HeaderName::kB3), "one");
  EXPECT_TRUE(headers.repeated(HeaderName::kB3));
  EXPECT_FALSE(headers.has(HeaderName::kUberTraceId));
}

TEST(HeaderValues, KeepsABoundedNumberOfLinesOfTracestate) {
  HeaderValues headers;
  for (size_t i = 0; i < kTraceStateMembersMax; ++i) headers.add(HeaderName::kTracestate, "a=1");
  headers.add(HeaderName::kTracestate, " ,");
  EXPECT_EQ(headers.trace_state().size(), kTraceStateMembersMax);
  EXPECT_FALSE(headers.trace_state_overflow());
  for (int i = 0; i < 1000; ++i) headers.add(HeaderName::kTracestate, "a=1");
  EXPECT_EQ(headers.trace_state().size(), kTraceStateMembersMax);
  EXPECT_TRUE(headers.trace_state_overflow());
}

}  // namespace
}  // namespace clew::correlation::propagation
