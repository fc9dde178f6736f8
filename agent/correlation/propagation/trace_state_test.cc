// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/trace_state.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Lines;
using testing::summary;

const std::string kIds = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

/// tracestate as kept, and behind it the reasons: "a=1 tracestate_cut".
std::string read(const std::vector<std::string>& lines) {
  Lines head = {{"traceparent", "00-" + kIds + "-01"}};
  for (const std::string& line : lines) head.emplace_back("tracestate", line);
  const ExtractResult result = extract_lines(head);
  EXPECT_TRUE(result.context) << "tracestate never harms traceparent";
  std::string text = result.context ? result.context->trace_state : "?";
  for (const Ignored& ignored : result.ignored) text.append(" ").append(name(ignored.reason));
  return text;
}

std::string members(int from, int to, int value_length = 2) {
  std::string list;
  for (int i = from; i <= to; ++i) list += fmt::format("{}bar{:02}={}", i == from ? "" : ",", i, std::string(value_length, '1'));
  return list;
}

TEST(TraceState, IsKeptWithAValidTraceparentOnly) {
  EXPECT_EQ(read({"foo=1,bar=2"}), "foo=1,bar=2");
  EXPECT_EQ(read({}), "");
  EXPECT_EQ(summary(extract_lines({{"tracestate", "foo=1"}})), "none");
  EXPECT_EQ(summary(extract_lines({{"traceparent", "00-" + kIds + "-01-"}, {"tracestate", "FOO=1"}})), "none tracecontext:trailing_data");
}

TEST(TraceState, ItsNameMayHaveAnyCaseButNoOtherLetters) {
  for (const std::string name : {"tracestate", "TraceState", "TrAcEsTaTe", "TRACESTATE"})
    EXPECT_EQ(extract_lines({{"traceparent", "00-" + kIds + "-01"}, {name, "foo=1"}}).context->trace_state, "foo=1") << name;
  for (const std::string name : {"trace-state", "trace.state"})
    EXPECT_EQ(extract_lines({{"traceparent", "00-" + kIds + "-01"}, {name, "foo=1"}}).context->trace_state, "") << name;
}

TEST(TraceState, LinesAreJoinedInTheirOrder) {
  EXPECT_EQ(read({"foo=1,bar=2", "rojo=1,congo=2", "baz=3"}), "foo=1,bar=2,rojo=1,congo=2,baz=3");
  EXPECT_EQ(read({""}), "");
  EXPECT_EQ(read({"foo=1", ""}), "foo=1");
  EXPECT_EQ(read({"", "foo=1"}), "foo=1");
}

TEST(TraceState, EmptyMembersAndSpacesAroundMembersAreTakenOff) {
  EXPECT_EQ(read({"foo=1 \t , \t bar=2, \t baz=3"}), "foo=1,bar=2,baz=3");
  EXPECT_EQ(read({"foo=1\t \t,\t \tbar=2,\t \tbaz=3"}), "foo=1,bar=2,baz=3");
  EXPECT_EQ(read({"\t foo=1 \t"}), "foo=1");
  EXPECT_EQ(read({",foo=1,, ,\t,bar=2,"}), "foo=1,bar=2");
  EXPECT_EQ(read({" , ,"}), "");
  std::vector<std::string> lines(100, ", ,");
  lines.emplace_back("foo=1");
  EXPECT_EQ(read(lines), "foo=1") << "empty members are no members, however many";
}

TEST(TraceState, SpacesInFrontOfAValueBelongToIt) {
  EXPECT_EQ(read({"foo= 1 2 "}), "foo= 1 2");
  EXPECT_EQ(read({"foo=\t1"}), " tracestate_value");
}

TEST(TraceState, AllAllowedCharactersPass) {
  const std::string key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
  std::string value;
  for (char c = ' '; c <= '~'; ++c)
    if (c != ',' && c != '=') value += c;
  EXPECT_EQ(read({key + "=" + value}), key + "=" + value);
  EXPECT_EQ(read({key + "@a-z0-9_-*/=" + value}), key + "@a-z0-9_-*/=" + value);
}

TEST(TraceState, OneBadKeyDropsTheList) {
  for (const std::string bad : {"foo =1", "FOO=1", "foo.bar=1", "=1", "foo", "_foo=1", "-a=1", "*a=1", "/a=1", "foo\x80=1", " \x01=1",
                                "foo@=1", "@foo=1", "foo@@bar=1", "foo@bar@baz=1", "foo@0bar=1", "foo@Bar=1", "@=1"})
    for (const std::string& list : {bad + ",bar=2", "bar=2," + bad}) EXPECT_EQ(read({list}), " tracestate_key") << list;
  EXPECT_EQ(read({"foo=1", "F=1", "bar=2"}), " tracestate_key");
}

TEST(TraceState, AKeyMayBeginWithADigit) { EXPECT_EQ(read({"0foo=1,1a-2f@sys=2"}), "0foo=1,1a-2f@sys=2"); }

TEST(TraceState, KeysAreBoundedInLength) {
  EXPECT_EQ(read({"foo=1", std::string(256, 'z') + "=1"}), "foo=1," + std::string(256, 'z') + "=1");
  EXPECT_EQ(read({"foo=1", std::string(257, 'z') + "=1"}), " tracestate_key");
  const std::string longest = std::string(241, 't') + "@" + std::string(14, 'v');
  EXPECT_EQ(read({"foo=1", longest + "=1"}), "foo=1," + longest + "=1");
  EXPECT_EQ(read({"foo=1", "t" + longest + "=1"}), " tracestate_key");
  EXPECT_EQ(read({"foo=1", "t@" + std::string(15, 'v') + "=1"}), " tracestate_key");
}

TEST(TraceState, OneBadValueDropsTheList) {
  EXPECT_EQ(read({"foo=,bar=3"}), " tracestate_value");
  EXPECT_EQ(read({"foo= ,bar=3"}), " tracestate_value");
  EXPECT_EQ(read({"foo=bar=baz"}), " tracestate_value");
  EXPECT_EQ(read({"foo=1\t2"}), " tracestate_value");
  EXPECT_EQ(read({"foo=b\x7f"}), " tracestate_value");
  EXPECT_EQ(read({"foo=b\xc3\xa9"}), " tracestate_value");
  EXPECT_EQ(read({"foo=" + std::string(256, '1')}), "foo=" + std::string(256, '1'));
  EXPECT_EQ(read({"foo=" + std::string(257, '1')}), " tracestate_value");
}

TEST(TraceState, ThirtyTwoMembersPassAndOneMoreDropsTheList) {
  EXPECT_EQ(read({members(1, 10), members(11, 20), members(21, 30), members(31, 32)}), members(1, 32));
  EXPECT_EQ(read({members(1, 10), members(11, 20), members(21, 30), members(31, 33)}), " tracestate_members");
  EXPECT_EQ(read({members(1, 1000)}), " tracestate_members");
  std::vector<std::string> lines;
  for (int i = 1; i <= 32; ++i) lines.push_back(members(i, i));
  EXPECT_EQ(read(lines), members(1, 32));
  lines.push_back(members(33, 33));
  EXPECT_EQ(read(lines), " tracestate_members");
  EXPECT_EQ(read(std::vector<std::string>(33, "same=1")), " tracestate_members") << "repeated ones count";
}

TEST(TraceState, OfTwoMembersWithOneKeyTheFirstIsKept) {
  EXPECT_EQ(read({"foo=1,foo=1"}), "foo=1 tracestate_duplicate_key");
  EXPECT_EQ(read({"foo=1,bar=2,foo=2"}), "foo=1,bar=2 tracestate_duplicate_key");
  EXPECT_EQ(read({"foo=1", "foo=2"}), "foo=1 tracestate_duplicate_key");
  EXPECT_EQ(read({"foo=1,foo@a=1,foo@b=1"}), "foo=1,foo@a=1,foo@b=1");
}

TEST(TraceState, AListOf512BytesIsNotCut) {
  const std::string fits = members(1, 30, 10) + std::string(kTraceStateMax - members(1, 30, 10).size(), '2');
  ASSERT_EQ(fits.size(), kTraceStateMax);
  EXPECT_EQ(read({fits}), fits);
  EXPECT_EQ(read({fits + "3"}), members(1, 29, 10) + " tracestate_cut") << "whole members go, from the end";
}

TEST(TraceState, CuttingRemovesLargeMembersFirst) {
  const std::string large = "large=" + std::string(123, 'x');     // 129
  const std::string not_large = "edge=" + std::string(123, 'x');  // 128
  ASSERT_EQ(large.size(), 129U);
  ASSERT_EQ(not_large.size(), 128U);
  const std::string small = members(1, 29, 10);
  EXPECT_EQ(read({large + "," + small}), small + " tracestate_cut");
  EXPECT_EQ(read({not_large + "," + small}), not_large + "," + members(1, 22, 10) + " tracestate_cut");
  const std::string second = "second=" + std::string(200, 'y');
  EXPECT_EQ(read({large + "," + second + "," + members(1, 15, 10)}), large + "," + members(1, 15, 10) + " tracestate_cut")
      << "no more of them than is needed, the last first";
  EXPECT_EQ(read({std::string(256, 'k') + "=" + std::string(256, 'v')}), " tracestate_cut");
}

}  // namespace
}  // namespace clew::correlation::propagation
