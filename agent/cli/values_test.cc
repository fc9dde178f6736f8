// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

namespace clew::cli {
namespace {

using std::chrono::nanoseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(ParseNumber, TakesDigitsWithinTheLimits) {
  EXPECT_EQ(parse_number("1", 1, 10, "a number").value(), 1U);
  EXPECT_EQ(parse_number("10", 1, 10, "a number").value(), 10U);
  EXPECT_EQ(parse_number("18446744073709551615", 0, UINT64_MAX, "a number").value(), UINT64_MAX);
}

TEST(ParseNumber, RefusesEverythingElse) {
  for (const char* text : {"", "0", "11", "-1", "+1", " 1", "1 ", "1x", "0x1", "1.0", "18446744073709551616", "99999999999999999999999"})
    EXPECT_FALSE(parse_number(text, 1, 10, "a number")) << text;
}

TEST(ParsePorts, TakesListsAndRanges) {
  EXPECT_THAT(parse_ports("8080").value(), ElementsAre(PortRange{8080, 8080}));
  EXPECT_THAT(parse_ports("8080-8090,9000").value(), ElementsAre(PortRange{8080, 8090}, PortRange{9000, 9000}));
  EXPECT_THAT(parse_ports("1-65535").value(), ElementsAre(PortRange{1, 65535}));
}

TEST(ParsePorts, RefusesWhatIsNoPort) {
  for (const char* text : {"", "0", "65536", "http", "80,", ",80", "80,,81", "80-", "-80", "80-81-82", "80 ,81"})
    EXPECT_FALSE(parse_ports(text)) << text;
}

TEST(ParsePorts, TurnsABackwardRangeRound) { EXPECT_THAT(parse_ports("9000-8000").error().message, HasSubstr("did you mean 8000-9000?")); }

TEST(ParseDuration, TakesEveryUnit) {
  EXPECT_EQ(parse_duration("30s").value(), nanoseconds(30s));
  EXPECT_EQ(parse_duration("5m").value(), nanoseconds(5min));
  EXPECT_EQ(parse_duration("500ms").value(), nanoseconds(500ms));
  EXPECT_EQ(parse_duration("2h").value(), nanoseconds(2h));
  EXPECT_EQ(parse_duration("1d").value(), nanoseconds(24h));
  EXPECT_EQ(parse_duration("7us").value(), nanoseconds(7us));
  EXPECT_EQ(parse_duration("9ns").value(), nanoseconds(9));
}

TEST(ParseDuration, TakesSumsAndFractions) {
  EXPECT_EQ(parse_duration("1h30m").value(), nanoseconds(90min));
  EXPECT_EQ(parse_duration("1.5s").value(), nanoseconds(1500ms));
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "s", "0s", "-1s", "1x", "1s ", "s1", "1.s", ".5s", "1s2", "99999999999d", "1e9s", "3650d1s"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(ParseDuration, AsksForAMissingUnit) { EXPECT_THAT(parse_duration("30").error().message, HasSubstr("did you mean 30s?")); }

TEST(ParseChoice, NamesTheNearest) {
  constexpr std::array<std::string_view, 2> kModes = {"tree", "line"};
  EXPECT_EQ(parse_choice("line", kModes).value(), 1U);
  EXPECT_THAT(parse_choice("tre", kModes).error().message, HasSubstr("did you mean tree?"));
  EXPECT_EQ(parse_choice("zzzzz", kModes).error().message, "it must be tree or line");
}

TEST(ParseUrl, TakesHttpAndHttps) {
  EXPECT_EQ(parse_url("http://localhost:4317").value(), "http://localhost:4317");
  EXPECT_EQ(parse_url("https://[::1]:4318/base").value(), "https://[::1]:4318/base");
}

TEST(ParseUrl, SaysWhichUrlWasMeant) {
  EXPECT_THAT(parse_url("localhost:4317").error().message, HasSubstr("did you mean http://localhost:4317?"));
  EXPECT_THAT(parse_url("grpc://a:4317").error().message, HasSubstr("did you mean http://a:4317?"));
  EXPECT_THAT(parse_url("htps://a").error().message, HasSubstr("did you mean https://a?"));
}

TEST(ParseUrl, NeedsAHost) {
  for (const char* text : {"http://", "http:///v1", "http://:4317"}) EXPECT_FALSE(parse_url(text)) << text;
}

TEST(ParseUrl, NeedsAPortThatThereIs) {
  for (const char* text : {"http://a:0", "http://a:65536", "https://[::1]:70000/base", "http://a:", "http://a:43x7/"})
    EXPECT_THAT(parse_url(text).error().message, HasSubstr("a port is a whole number from 1 to 65535")) << text;
  for (const char* text : {"http://a:65535", "http://[::1]", "http://a/x:0"}) EXPECT_TRUE(parse_url(text)) << text;
}

TEST(ParseExeGlob, PassesPatternsOnAndRefusesEmptyOnes) {
  EXPECT_EQ(parse_exe_glob("nginx").value(), "nginx");
  EXPECT_EQ(parse_exe_glob("/usr/**/java").value(), "/usr/**/java");
  EXPECT_FALSE(parse_exe_glob(""));
}

TEST(ParseContainer, TakesIdsAsRuntimesShowThem) {
  EXPECT_EQ(parse_container("3f2a9c").value(), "3f2a9c");
  EXPECT_EQ(parse_container("containerd://3f2a9c").value(), "3f2a9c");
  for (const char* text : {"", "web", "docker://", "../etc"}) EXPECT_FALSE(parse_container(text)) << text;
  EXPECT_FALSE(parse_container(std::string(65, 'a')));
}

}  // namespace
}  // namespace clew::cli
