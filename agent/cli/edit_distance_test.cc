// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/edit_distance.h"

#include <gtest/gtest.h>

#include <array>

namespace clew::cli {
namespace {

TEST(EditDistance, EqualWordsAreZeroApart) {
  EXPECT_EQ(edit_distance("port", "port"), 0U);
  EXPECT_EQ(edit_distance("", ""), 0U);
}

TEST(EditDistance, EachKindOfSlipCostsOne) {
  EXPECT_EQ(edit_distance("prt", "port"), 1U);
  EXPECT_EQ(edit_distance("poort", "port"), 1U);
  EXPECT_EQ(edit_distance("port", "pott"), 1U);
  EXPECT_EQ(edit_distance("prot", "port"), 1U);
}

TEST(EditDistance, AnEmptyWordIsAsFarAsTheOtherIsLong) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
}

TEST(EditDistance, SlipsAddUpAndOrderDoesNotMatter) {
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("sitting", "kitten"), 3U);
}

constexpr std::array<std::string_view, 6> kWords = {"pid", "port", "exe", "console", "container", "duration"};

TEST(Nearest, FindsTheWordThatWasMeant) {
  EXPECT_EQ(nearest("prot", kWords), "port");
  EXPECT_EQ(nearest("pids", kWords), "pid");
  EXPECT_EQ(nearest("conainer", kWords), "container");
  EXPECT_EQ(nearest("PORT", kWords), "port");
}

TEST(Nearest, TheBeginningOfAWordIsNear) {
  EXPECT_EQ(nearest("dur", kWords), "duration");
  EXPECT_EQ(nearest("cons", kWords), "console");
}

TEST(Nearest, NothingIsBetterThanNonsense) {
  EXPECT_EQ(nearest("zebra", kWords), "");
  EXPECT_EQ(nearest("", kWords), "");
  EXPECT_EQ(nearest("x", kWords), "");
  EXPECT_EQ(nearest(std::string(100000, 'x'), kWords), "");
}

TEST(Nearest, AShortWordIsNotReplacedWhole) {
  constexpr std::array<std::string_view, 1> kOne = {"q"};
  EXPECT_EQ(nearest("v", kOne), "");
}

TEST(DidYouMean, AsksOnlyWhenThereIsSomethingToAsk) {
  EXPECT_EQ(did_you_mean("prot", kWords, "--"), "; did you mean --port?");
  EXPECT_EQ(did_you_mean("zebra", kWords, "--"), "");
}

}  // namespace
}  // namespace clew::cli
