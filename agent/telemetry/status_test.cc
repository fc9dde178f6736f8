// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace clew::telemetry {
namespace {

using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

Status example() {
  Status status;
  status.process_id = 1234;
  status.version = "0.1.0";
  status.command_line = {"clew", "trace", "--port", "8080"};
  status.started_unix_ns = 1'790'000'000'000'000'001;
  status.selection = "--port 8080";
  status.backend = "socket tracepoints";
  status.uptime = 303s;
  status.processes_traced = 3;
  status.counters = {{"clew_events_total", {{"source", "socket"}}, 12345},
                     {"clew_lost_total", {{"where", "ring"}, {"reason", "full"}}, 0},
                     {"clew_spans_total", {{"protocol", "http"}, {"kind", "server"}}, UINT64_MAX}};
  return status;
}

TEST(Status, SurvivesTheWayThroughJson) {
  const Status sent = example();
  const auto received = parse_status(to_json(sent));
  ASSERT_TRUE(received);
  EXPECT_EQ(received->process_id, sent.process_id);
  EXPECT_EQ(received->command_line, sent.command_line);
  EXPECT_EQ(received->started_unix_ns, sent.started_unix_ns);
  EXPECT_EQ(received->uptime, sent.uptime);
  EXPECT_EQ(received->selection, sent.selection);
  EXPECT_EQ(received->backend, sent.backend);
  EXPECT_EQ(received->processes_traced, 3U);
  ASSERT_EQ(received->counters.size(), 3U);
  EXPECT_EQ(received->counters[2].value, UINT64_MAX);
  EXPECT_EQ(received->counters[1].label("reason"), "full");
}

TEST(Status, BytesThatAreNotUtf8DoNotBreakTheDocument) {
  Status status = example();
  status.command_line = {"clew", "\xff\xfe"};
  EXPECT_TRUE(parse_status(to_json(status)));
}

TEST(Status, NonsenseIsAnError) {
  for (const char* text : {"", "{", "[]", "12", "{}", R"({"pid":"x"})", R"({"pid":-1})"}) EXPECT_FALSE(parse_status(text)) << text;
}

TEST(Status, MembersOfAnotherTypeArePassedOver) {
  const auto status =
      parse_status(R"({"pid":1,"version":2,"command_line":[1,"a"],"counters":[3,{"name":4,"labels":[],"value":"x"}],"uptime_seconds":-5})");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->version, "");
  EXPECT_THAT(status->command_line, testing::ElementsAre("a"));
  EXPECT_EQ(status->uptime, 0s);
}

TEST(StatusText, ShowsSourcesSpansAndThatNothingIsLost) {
  const std::string text = status_text({{1234, example()}}, false);
  EXPECT_THAT(text, HasSubstr("clew 1234 (0.1.0), up 5m 3s\n"));
  EXPECT_THAT(text, HasSubstr("  command    clew trace --port 8080\n"));
  EXPECT_THAT(text, HasSubstr("  events     socket        12345\n"));
  EXPECT_THAT(text, HasSubstr("  spans      http server 18446744073709551615\n"));
  EXPECT_THAT(text, HasSubstr("  lost       nothing\n"));
}

TEST(StatusText, ShowsEveryLoss) {
  Status status = example();
  status.counters = {{"clew_lost_total", {{"where", "ring"}, {"reason", "full"}}, 2},
                     {"clew_lost_total", {{"where", "stream"}, {"reason", "hole"}}, 1}};
  EXPECT_THAT(status_text({{1234, status}}, false), HasSubstr("  lost       ring full              2\n"
                                                              "             stream hole            1\n"));
}

TEST(StatusText, NoneRunningIsSaid) {
  EXPECT_EQ(status_text({}, false), "no clew is running here\n");
  EXPECT_THAT(status_text({}, true), HasSubstr("sudo clew status"));
}

TEST(StatusText, WhatAProcessSaysCannotSteerTheTerminal) {
  Status status = example();
  status.selection = "\x1b[2J\n";
  EXPECT_THAT(status_text({{1, status}}, false), Not(HasSubstr("\x1b")));
}

TEST(StatusJson, HasOneObjectForEachClew) {
  const auto document = nlohmann::json::parse(status_json({{1234, example()}, {99, base::fail("gone")}}));
  ASSERT_EQ(document["clews"].size(), 2U);
  EXPECT_EQ(document["clews"][0]["pid"], 1234);
  EXPECT_EQ(document["clews"][0]["counters"][0]["labels"]["source"], "socket");
  EXPECT_EQ(document["clews"][1]["error"], "gone");
  EXPECT_EQ(nlohmann::json::parse(status_json({}))["clews"].size(), 0U);
}

}  // namespace
}  // namespace clew::telemetry
