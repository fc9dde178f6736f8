// SPDX-License-Identifier: Apache-2.0
// Hostile peers of HTTP/2: what they cost is bounded and counted, and what else is under way stays right.
#include <fmt/format.h>

#include <ctime>

#include "agent/connection/connections_test.h"
#include "protocols/http2/frames_test.h"

namespace clew::connection {
namespace {

using namespace protocols::http2;  // NOLINT(google-build-using-namespace): its frames

constexpr size_t kConnectionBytesMax = 64U * 1024;  // of one that has next to nothing under way

class Floods : public ConnectionsTest {
 protected:
  Floods() : hostile(open(describe(1))), other(open(describe(2))) {
    for (Played* played : {&hostile, &other}) {
      played->client(hello());
      played->server(kEmptySettings);
    }
    hostile.client(get_frame(1, "/before"));
    other.client(get_frame(1, "/elsewhere"));
  }
  /// What was under way before the flood, and what comes after it.
  void expect_the_rest_is_right(uint32_t next_stream) {
    hostile.server(ok_frame(1));
    other.server(ok_frame(1));
    hostile.client(get_frame(next_stream, "/after"));
    hostile.server(ok_frame(next_stream));
    EXPECT_EQ(spans(), (Texts{"server GET /before 200", "server GET /elsewhere 200", "server GET /after 200"}));
  }
  size_t held() { return connections().memory_bytes(); }
  /// Many frames in one call, as a peer that is in a hurry sends them.
  void send(std::string& frames) {
    hostile.client(frames);
    frames.clear();
  }

  Played hostile;
  Played other;
};

TEST_F(Floods, StreamsThatAreResetAtOnceGiveASpanEachAndLeaveNothing) {
  std::string frames;
  size_t cancelled = 0;
  for (uint32_t stream = 3; stream < 200'003; stream += 2) {
    frames += get_frame(stream, "/reset") + reset_frame(stream);
    if (frames.size() < 30'000) continue;
    send(frames);
    for (const std::string& span : spans()) cancelled += span == "server GET /reset" ? 1 : 0;
    ASSERT_LT(held(), kConnectionBytesMax);
  }
  send(frames);
  cancelled += spans().size();
  EXPECT_EQ(cancelled, 100'000U);
  EXPECT_EQ(losses(), "");
  expect_the_rest_is_right(200'003);
}

TEST_F(Floods, FramesThatSayNothingLeaveNothing) {
  const std::string kinds[] = {
      frame(FrameType::kSettings, 0, 0, "\0\1\0\0\x10\0\0\3\0\0\0\1\0\5\0\1\0\0"s),
      frame(FrameType::kSettings, kAck, 0),
      frame(FrameType::kPing, 0, 0, "12345678"),
      frame(FrameType::kPriority, 0, 99, "12345"),
      frame(FrameType::kWindowUpdate, 0, 0, "\0\0\0\1"s),
      frame(FrameType::kGoaway, 0, 0, "\0\0\0\0\0\0\0\0"s),
      frame(FrameType::kData, 0, 99),
      reset_frame(99),
      frame(static_cast<FrameType>(0xbb), 0xff, 77, "grease"),
  };
  for (const std::string& one : kinds) {
    std::string frames;
    for (int n = 0; n < 3000; ++n) frames += one;
    for (int n = 0; n < 10; ++n) hostile.client(frames);
    ASSERT_LT(held(), kConnectionBytesMax) << ::testing::PrintToString(one);
  }
  EXPECT_EQ(losses(), "");
  expect_the_rest_is_right(101);
}

TEST_F(Floods, AServersGoawaysAreLookedAtAFewTimes) {
  for (uint32_t stream = 3; stream < 8'003; stream += 2) hostile.client(get_frame(stream, "/refused"));
  std::string frames;
  for (uint32_t last = 7'999; last > 1; last -= 2)
    frames +=
        frame(FrameType::kGoaway, 0, 0, std::string("\0\0", 2) + static_cast<char>(last >> 8) + static_cast<char>(last) + "\0\0\0\0"s);
  const clock_t before = clock();
  hostile.server(frames);
  EXPECT_LT(clock() - before, CLOCKS_PER_SEC);
  hostile.server(ok_frame(1));
  hostile.end(Kind::kClosed);
  other.server(ok_frame(1));
  EXPECT_EQ(spans().size(), 4'002U);
  EXPECT_EQ(losses(), "");
}

// CVE-2024-27316 and its kin: no END_HEADERS, ever.
TEST_F(Floods, AHeaderBlockThatNeverEndsIsPassedOver) {
  hostile.client(frame(FrameType::kHeaders, 0, 3, "\x82"));
  const clock_t before = clock();
  std::string frames;
  for (int n = 0; n < 1000; ++n) frames += frame(FrameType::kContinuation, 0, 3, std::string(100, 'x'));
  for (int n = 0; n < 30; ++n) {
    hostile.client(frames);
    ASSERT_LT(held(), 400U * 1024);
  }
  EXPECT_LT(clock() - before, 10 * CLOCKS_PER_SEC);
  other.server(ok_frame(1));
  hostile.server(ok_frame(1));
  EXPECT_EQ(spans(), (Texts{"server GET /elsewhere 200", "server GET /before 200"}));
  EXPECT_EQ(losses(), "parser_http2.header_block_too_large 1");
  EXPECT_LT(held(), 20U * 1024) << "nothing is kept for it";
}

TEST_F(Floods, AHeaderBlockByteByByteCostsWhatItsBytesCost) {
  std::string frames = frame(FrameType::kHeaders, 0, 3, "\x82\x86\x84");
  for (int n = 0; n < 250; ++n) frames += frame(FrameType::kContinuation, 0, 3, field("\0\x01x"s, std::string(120, 'x')));
  frames += frame(FrameType::kContinuation, kEndHeaders, 3);
  const clock_t before = clock();
  for (const char byte : frames) hostile.client({&byte, 1});
  EXPECT_LT(clock() - before, 10 * CLOCKS_PER_SEC);
  EXPECT_LT(held(), kConnectionBytesMax);
  hostile.server(ok_frame(3));
  hostile.client(frame(FrameType::kData, kEndStream, 3));
  EXPECT_EQ(spans(), (Texts{"server GET / 200"}));
  expect_the_rest_is_right(5);
}

// Paths of 15 KB, named again by one byte of each request.
TEST_F(Floods, AnHpackBombIsRefusedWhereItsHeadsAreTooManyBytes) {
  hostile.server(frame(FrameType::kSettings, 0, 0, "\0\1\0\1\0\0"s));
  hostile.client(frame(FrameType::kHeaders, 0, 3, "\x3f\xe1\xff\x03\x82\x86" + field(kIndexedPath, std::string(15'000, 'a'))) +
                 frame(FrameType::kContinuation, kEndHeaders, 3, field(kIndexedPath, std::string(15'000, 'b'))));
  hostile.client(reset_frame(3));
  spans();
  const clock_t before = clock();
  std::string frames;
  for (uint32_t stream = 5; stream < 20'005; stream += 2)
    frames += frame(FrameType::kHeaders, kEndHeaders, stream, stream % 4 == 1 ? "\x82\x86\xbe" : "\x82\x86\xbf");
  for (size_t at = 0; at < frames.size(); at += 30'000) hostile.client(frames.substr(at, 30'000));
  EXPECT_LT(clock() - before, 10 * CLOCKS_PER_SEC);
  EXPECT_LT(held(), 8U << 20);
  EXPECT_EQ(losses(), "exchange.heads_full 9721");
  other.server(ok_frame(1));
  hostile.server(ok_frame(1));
  EXPECT_EQ(spans(), (Texts{"server GET /elsewhere 200", "server GET /before 200"}));
  frames.clear();
  for (uint32_t stream = 5; stream < 20'005; stream += 2) frames += reset_frame(stream);
  hostile.client(frames);
  EXPECT_GT(spans().size(), 100U);
  EXPECT_LT(held(), 2U << 20) << "a table of 64 KiB, and room for streams";
  hostile.client(get_frame(20'005, "/after"));
  hostile.server(ok_frame(20'005));
  EXPECT_EQ(spans(), (Texts{"server GET /after 200"}));
}

// Without a request under way: one block that refers 60,000 times to an entry of 50 KB.
TEST_F(Floods, ABlockOfReferencesCostsTimeByItsLength) {
  hostile.server(frame(FrameType::kSettings, 0, 0, "\0\1\0\1\0\0"s));
  hostile.client(frame(FrameType::kHeaders, 0, 3, "\x3f\xe1\xff\x03\x82\x86\x84"s) +
                 frame(FrameType::kContinuation, kEndHeaders, 3, field("\x40\x0auser-agent"s, std::string(15'000, 'u'))));
  hostile.client(reset_frame(3));
  EXPECT_EQ(spans(), (Texts{"server GET /"}));
  const clock_t before = clock();
  for (uint32_t stream = 5; stream < 205; stream += 2)
    hostile.client(frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, "\x82\x86\x84" + std::string(16'000, '\xbe')) +
                   reset_frame(stream));
  EXPECT_LT(clock() - before, 10 * CLOCKS_PER_SEC);
  EXPECT_EQ(spans().size(), 100U);
  EXPECT_LT(held(), 256U * 1024);
  expect_the_rest_is_right(205);
}

TEST_F(Floods, AStreamThatIsWrongLeavesTheOthersRight) {
  hostile.client(get_frame(3, "/wrong") + frame(FrameType::kWindowUpdate, 0, 3, "\0\0\0\0"s));
  hostile.server(frame(FrameType::kRstStream, 0, 3, "\0\0\0\1"s));
  EXPECT_EQ(spans(), (Texts{"server GET /wrong !PROTOCOL_ERROR"}));
  EXPECT_EQ(losses(), "parser_http2.bad_window_increment 1");
  expect_the_rest_is_right(5);
}

TEST_F(Floods, AConnectionThatIsWrongAgainAndAgainIsGivenUp) {
  uint32_t stream = 3;
  for (int n = 0; n < 40; ++n, stream += 6)
    hostile.client(frame(FrameType::kPing, 0, 0, "1234") + get_frame(stream) + get_frame(stream + 2) + get_frame(stream + 4));
  hostile.server(ok_frame(1));
  EXPECT_EQ(losses(), "connection.given_up 1, parser_http2.bad_frame_size 16");
  EXPECT_LT(held(), 20U * 1024) << "nothing is kept for it";
  for (const std::string& span : spans()) EXPECT_TRUE(span.ends_with("~bytes_lost")) << span;
  other.server(ok_frame(1));
  EXPECT_EQ(spans(), (Texts{"server GET /elsewhere 200"}));
}

TEST_F(Floods, APrefaceWithoutSettingsIsCounted) {
  Played third = open(describe(3));
  third.client(std::string(kPreface) + "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(losses(), "parser_http2.settings_missing 1");
}

TEST_F(Floods, APrefaceCutShortIsCounted) {
  Played third = open(describe(3));
  third.client(hello().substr(0, 30));
  third.end(Kind::kClosed);
  EXPECT_EQ(losses(), "stream.head_truncated 1");
}

TEST_F(ConnectionsTest, TheLeastRecentlyUsedGoWhereAllTogetherHoldTooMuch) {
  limits_.memory_max = 4U << 20;
  std::vector<Played> played;
  const std::string half_a_block = frame(FrameType::kHeaders, 0, 3, std::string(16'384, 'x')) + frame(FrameType::kContinuation, 0, 3);
  for (uint64_t id = 1; id <= 1000; ++id) {
    played.push_back(open(describe(id)));
    played.back().client(hello() + get_frame(1, "/slow") + half_a_block);
    ASSERT_LE(connections().memory_bytes(), limits_.memory_max);
  }
  const size_t left = connections().size();
  EXPECT_GT(left, 100U);
  EXPECT_EQ(losses(), "connection.memory_full " + std::to_string(1000 - left));
  EXPECT_EQ(spans(), Texts(1000 - left, "server GET /slow ~bytes_lost"));
  played.back().server(kEmptySettings + ok_frame(1));
  EXPECT_EQ(spans(), (Texts{"server GET /slow 200"}));
}

}  // namespace
}  // namespace clew::connection
