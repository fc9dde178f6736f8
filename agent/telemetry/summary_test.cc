// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/summary.h"

#include <gtest/gtest.h>

#include "agent/telemetry/prometheus_text.h"

namespace clew::telemetry {
namespace {

using namespace std::chrono_literals;

TEST(Summary, NamesSpansAndSaysThatNothingWasLost) {
  base::Counters counters;
  counters.get("clew_spans_total", R"(protocol="http",kind="server")").add(10000);
  counters.get("clew_spans_total", R"(protocol="http",kind="client")").add(20);
  counters.lost("ring", "full");
  EXPECT_EQ(summary(counters.snapshot(), 12345ms),
            "clew: 10020 spans in 12.3 s\n"
            "clew:   http client           20\n"
            "clew:   http server        10000\n"
            "clew: nothing lost\n");
}

TEST(Summary, NamesEveryLoss) {
  base::Counters counters;
  counters.get("clew_spans_total", R"(protocol="http",kind="server")").add();
  counters.lost("ring", "full").add(3);
  counters.lost("stream", "hole").add(1);
  counters.lost("stream", "buffer_full");
  EXPECT_EQ(summary(counters.snapshot(), 90s),
            "clew: 1 span in 1m 30s\n"
            "clew:   http server            1\n"
            "clew: lost\n"
            "clew:   ring full              3\n"
            "clew:   stream hole            1\n");
}

TEST(Summary, NamesWhatWasLeftAloneAndWhy) {
  base::Counters counters;
  counters.get("clew_injected_total", R"(how="added")").add(5);
  counters.get("clew_left_alone_total", R"(reason="head_split")").add(2);
  EXPECT_EQ(summary(counters.snapshot(), 250ms),
            "clew: 0 spans in 250 ms\n"
            "clew: 5 requests given a traceparent\n"
            "clew: left alone, by reason\n"
            "clew:   head_split            2\n"
            "clew: nothing lost\n");
}

TEST(Summary, NamesWhatWasNotSampled) {
  base::Counters counters;
  counters.get("clew_spans_not_sampled_total").add(7);
  EXPECT_EQ(summary(counters.snapshot(), 250ms), "clew: 0 spans in 250 ms\nclew: 7 more not sampled\nclew: nothing lost\n");
}

TEST(Summary, OfNothingIsNothing) { EXPECT_EQ(summary({}, 250ms), "clew: 0 spans in 250 ms\nclew: nothing lost\n"); }

TEST(Readable, TakesTheUnitThatFits) {
  EXPECT_EQ(readable(999ms), "999 ms");
  EXPECT_EQ(readable(59950ms), "59.9 s");
  EXPECT_EQ(readable(3599s), "59m 59s");
  EXPECT_EQ(readable(25h), "1d 1h");
}

TEST(ParseLabels, TakesThemApart) {
  EXPECT_EQ(parse_labels(R"(where="ring",reason="full")"), (Labels{{"where", "ring"}, {"reason", "full"}}));
  EXPECT_EQ(parse_labels(R"(a="x\"y\\z\n,b=")"), (Labels{{"a", "x\"y\\z\n,b="}}));
  EXPECT_EQ(parse_labels(""), Labels{});
}

TEST(ParseLabels, StopsAtWhatIsNoLabel) {
  EXPECT_EQ(parse_labels(R"(a="1",b)"), (Labels{{"a", "1"}}));
  EXPECT_EQ(parse_labels(R"(a="1)"), Labels{});
  EXPECT_EQ(parse_labels(R"(="1")"), Labels{});
  EXPECT_EQ(parse_labels("a=\"1\\"), Labels{});
}

TEST(PrometheusText, GroupsByNameAndShowsTimeInSeconds) {
  base::Counters counters;
  counters.get("clew_bpf_run_nanoseconds_total", R"(program="send")").add(1'500'000'000);
  counters.lost("ring", "full").add(2);
  counters.lost("stream", "hole");
  counters.get("clew_connections").set(7);
  EXPECT_EQ(prometheus_text(counters.snapshot()),
            "# HELP clew_bpf_run_seconds_total Time spent in BPF programs, by program.\n"
            "# TYPE clew_bpf_run_seconds_total counter\n"
            "clew_bpf_run_seconds_total{program=\"send\"} 1.500000000\n"
            "# TYPE clew_connections gauge\n"
            "clew_connections 7\n"
            "# HELP clew_lost_total What was lost, by place and reason.\n"
            "# TYPE clew_lost_total counter\n"
            "clew_lost_total{where=\"ring\",reason=\"full\"} 2\n"
            "clew_lost_total{where=\"stream\",reason=\"hole\"} 0\n");
}

}  // namespace
}  // namespace clew::telemetry
