// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/propagator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace clew::correlation::propagation {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using enum Propagator;

/// Stands for the command line's: the candidate with the longest common beginning, of three letters or more.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::string_view best;
  size_t longest = 2;
  for (const std::string_view candidate : candidates) {
    const auto common = static_cast<size_t>(std::ranges::mismatch(word, candidate).in1 - word.begin());
    if (common > longest) best = candidate;
    longest = std::max(longest, common);
  }
  return best;
}

PropagatorChoice parse(std::string_view text) { return parse_propagators(text, nearest).value(); }
std::string error(std::string_view text) { return parse_propagators(text, nearest).error().message; }

TEST(ParsePropagators, TheListsOrderHolds) {
  EXPECT_THAT(parse("tracecontext").order, ElementsAre(kTraceContext));
  EXPECT_THAT(parse("xray,jaeger,datadog,tracecontext").order, ElementsAre(kXRay, kJaeger, kDatadog, kTraceContext));
  EXPECT_THAT(parse("tracecontext,baggage").order, ElementsAre(kTraceContext));
}

TEST(ParsePropagators, NothingIsTheDefault) {
  EXPECT_THAT(parse("").order, ElementsAreArray(kDefaultOrder));
  EXPECT_THAT(parse(" , ,").order, ElementsAreArray(kDefaultOrder));
  EXPECT_THAT(parse(std::string_view()).order, ElementsAreArray(kDefaultOrder));
}

TEST(ParsePropagators, SpacesCaseRepetitionsAndEmptyPartsDoNotCount) {
  EXPECT_THAT(parse(" Jaeger ,,TRACECONTEXT,jaeger,\tb3,b3multi, ").order, ElementsAre(kJaeger, kTraceContext, kB3, kB3Multi));
}

TEST(ParsePropagators, EitherNameOfB3AsksForBothEncodings) {
  EXPECT_THAT(parse("b3").order, ElementsAre(kB3, kB3Multi));
  EXPECT_THAT(parse("b3multi").order, ElementsAre(kB3, kB3Multi)) << "the single header goes first, whichever is injected";
  EXPECT_THAT(parse("jaeger,b3multi,xray").order, ElementsAre(kJaeger, kB3, kB3Multi, kXRay));
  EXPECT_THAT(parse("b3,jaeger").order, ElementsAre(kB3, kB3Multi, kJaeger));
  EXPECT_THAT(parse("b3multi,jaeger,b3").order, ElementsAre(kB3Multi, kJaeger, kB3));
}

TEST(ParsePropagators, NoneAndBaggageReadNothing) {
  EXPECT_THAT(parse("none").order, IsEmpty());
  EXPECT_THAT(parse("None ").order, IsEmpty());
  EXPECT_THAT(parse("baggage").order, IsEmpty());
  EXPECT_THAT(error("none,b3"), HasSubstr("\"none\" stands alone"));
  EXPECT_THAT(error("tracecontext,none"), HasSubstr("\"none\" stands alone"));
}

TEST(ParsePropagators, WhatClewCannotReadIsSaid) {
  const PropagatorChoice choice = parse("tracecontext,ottrace,ottrace");
  EXPECT_THAT(choice.order, ElementsAre(kTraceContext));
  EXPECT_THAT(choice.unread, ElementsAre("ottrace"));
  EXPECT_THAT(parse("tracecontext,baggage").unread, IsEmpty());
}

TEST(ParsePropagators, AnUnknownNameIsAnErrorThatNamesTheNearest) {
  EXPECT_THAT(error("tracecontxt"),
              HasSubstr("unknown propagator \"tracecontxt\"; did you mean tracecontext? Known are tracecontext, baggage, b3,"));
  EXPECT_THAT(error("b3,jaegar"), HasSubstr("did you mean jaeger?"));
  EXPECT_THAT(error("zipkin"), Not(HasSubstr("did you mean")));
  EXPECT_THAT(error("zipkin"), HasSubstr("ottrace, none"));
  EXPECT_THAT(error("b3;jaeger"), HasSubstr("unknown propagator \"b3;jaeger\""));
}

TEST(Propagators, HaveTheNamesOfTheVariable) {
  for (const Propagator propagator : kDefaultOrder)
    EXPECT_EQ(parse(name(propagator)).order.size(), propagator == kB3 || propagator == kB3Multi ? 2U : 1U);
  EXPECT_EQ(name(kTraceContext), "tracecontext");
  EXPECT_EQ(name(kDatadog), "datadog");
}

}  // namespace
}  // namespace clew::correlation::propagation
