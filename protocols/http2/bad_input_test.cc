// SPDX-License-Identifier: Apache-2.0
// Frames that nobody may send: each is said to be wrong, by a reason, and what stands behind it is found again.
#include <gtest/gtest.h>

#include <ostream>

#include "protocols/http2/player_test.h"

namespace clew::protocols::http2 {
namespace {

std::string headers(uint8_t flags, std::string_view payload) { return frame(FrameType::kHeaders, flags, 3, payload); }
std::string block(std::string_view fields) { return headers(kEndHeaders | kEndStream, fields); }

struct Bad {
  const char* name;
  std::string bytes;  // of the client
  const char* reason;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.name; }

class BadFrame : public testing::TestWithParam<Bad> {};

TEST_P(BadFrame, EndsWhatIsUnderWayAndTheNextStreamsAreFound) {
  const Bad& bad = GetParam();
  Player player = begun();
  ASSERT_EQ(player(Sender::kClient, get_frame(1)), "head1 ");
  const std::string said = player(Sender::kClient, bad.bytes + get_frame(5) + get_frame(7) + get_frame(9));
  EXPECT_EQ(said.find(std::string(bad.reason) + " "), 0U) << said;
  EXPECT_NE(said.find("head7 head9 "), std::string::npos) << said;
  EXPECT_EQ(said.find("head3"), std::string::npos) << said;
  EXPECT_EQ(player(Sender::kServer, ok_frame(1)), "") << "it is over";
  EXPECT_EQ(player(Sender::kServer, ok_frame(9) + ok_frame(7)), "head9 head7 ");
}

// The same if it comes byte by byte, but for how far is looked before it is known that nothing is there.
TEST_P(BadFrame, IsTheSameByteByByte) {
  const Bad& bad = GetParam();
  Player player = begun();
  std::string said;
  for (const char byte : get_frame(1) + bad.bytes + get_frame(5) + get_frame(7) + get_frame(9))
    said += player(Sender::kClient, std::string_view(&byte, 1));
  EXPECT_EQ(said.find("head1 " + std::string(bad.reason) + " "), 0U) << said;
  EXPECT_NE(said.find("head7 head9 "), std::string::npos) << said;
  EXPECT_EQ(player(Sender::kServer, ok_frame(9) + ok_frame(7)), "head9 head7 ");
}

const std::string kZeros(8, '\0');
INSTANTIATE_TEST_SUITE_P(
    EveryKind, BadFrame,
    testing::Values(
        Bad{"data_without_stream", frame(FrameType::kData, 0, 0, "x"), "frame_without_stream"},
        Bad{"headers_without_stream", frame(FrameType::kHeaders, kEndHeaders, 0, "\x82"), "frame_without_stream"},
        Bad{"priority_without_stream", frame(FrameType::kPriority, 0, 0, "12345"), "frame_without_stream"},
        Bad{"reset_without_stream", frame(FrameType::kRstStream, 0, 0, "1234"), "frame_without_stream"},
        Bad{"continuation_without_stream", frame(FrameType::kContinuation, kEndHeaders, 0), "frame_without_stream"},
        Bad{"promise_without_stream", frame(FrameType::kPushPromise, kEndHeaders, 0, "1234"), "frame_without_stream"},
        Bad{"settings_on_stream", frame(FrameType::kSettings, 0, 3), "frame_on_stream"},
        Bad{"ping_on_stream", frame(FrameType::kPing, 0, 3, kZeros), "frame_on_stream"},
        Bad{"goaway_on_stream", frame(FrameType::kGoaway, 0, 3, kZeros), "frame_on_stream"},
        Bad{"priority_too_short", frame(FrameType::kPriority, 0, 3, "1234"), "bad_frame_size"},
        Bad{"reset_too_long", frame(FrameType::kRstStream, 0, 1, "12345"), "bad_frame_size"},
        Bad{"ping_too_short", frame(FrameType::kPing, 0, 0, "1234567"), "bad_frame_size"},
        Bad{"window_update_too_short", frame(FrameType::kWindowUpdate, 0, 0, "123"), "bad_frame_size"},
        Bad{"settings_cut", frame(FrameType::kSettings, 0, 0, "12345"), "bad_frame_size"},
        Bad{"settings_ack_with_settings", frame(FrameType::kSettings, kAck, 0, "123456"), "bad_frame_size"},
        Bad{"goaway_too_short", frame(FrameType::kGoaway, 0, 0, "1234567"), "bad_frame_size"},
        Bad{"data_larger_than_the_setting", frame(FrameType::kData, 0, 9, std::string(16'385, 'x')), "frame_too_large"},
        Bad{"headers_larger_than_the_setting", frame(FrameType::kHeaders, kEndHeaders, 3, std::string(16'385, 'x')), "frame_too_large"},
        Bad{"unknown_larger_than_the_setting", frame(static_cast<FrameType>(0xbb), 0, 3, std::string(16'385, 'x')), "frame_too_large"},
        Bad{"data_padded_without_length", frame(FrameType::kData, kPadded, 1), "bad_padding"},
        Bad{"data_all_padding_and_more", frame(FrameType::kData, kPadded, 1, "\x05zzzz"), "bad_padding"},
        Bad{"headers_padded_without_length", headers(kEndHeaders | kPadded, ""), "bad_padding"},
        Bad{"headers_all_padding_and_more", headers(kEndHeaders | kPadded, "\x03\x82z"), "bad_padding"},
        Bad{"headers_shorter_than_their_priority", headers(kEndHeaders | kHasPriority, "1234"), "bad_padding"},
        Bad{"promise_shorter_than_its_stream", frame(FrameType::kPushPromise, kEndHeaders, 1, "123"), "bad_padding"},
        Bad{"promise_of_a_clients_stream", frame(FrameType::kPushPromise, kEndHeaders, 1, std::string("\0\0\0\3\x82", 5)),
            "bad_promised_stream"},
        Bad{"continuation_of_nothing", frame(FrameType::kContinuation, kEndHeaders, 3, "\x82"), "unexpected_continuation"},
        Bad{"block_interrupted", headers(0, "\x82") + frame(FrameType::kPing, 0, 0, kZeros), "missing_continuation"},
        Bad{"block_continued_on_another_stream", headers(0, "\x82") + frame(FrameType::kContinuation, kEndHeaders, 5, "\x84"),
            "missing_continuation"},
        Bad{"block_with_a_large_frame", headers(0, "\x82") + frame(FrameType::kContinuation, kEndHeaders, 3, std::string(16'385, 'x')),
            "frame_too_large"},
        Bad{"window_update_of_nothing", frame(FrameType::kWindowUpdate, 0, 0, "\0\0\0\0"s), "bad_window_increment"},
        Bad{"index_of_no_entry", block("\x82\xe3"), "bad_hpack_index"}, Bad{"index_0", block("\x80"), "bad_hpack_index"},
        Bad{"string_longer_than_its_block", block("\x44\x05/a"), "bad_hpack_string"},
        Bad{"integer_without_end", block("\xff\xff\xff\xff\xff\xff\xff"), "bad_hpack_integer"},
        Bad{"resize_behind_a_field", block("\x82\x20"), "late_hpack_resize"},
        Bad{"table_beyond_the_settings", block("\x3f\xe2\x1f\x82"), "hpack_table_too_large"},
        Bad{"http1", "GET /a HTTP/1.1\r\nHost: a.test\r\n\r\n", "frame_too_large"},
        Bad{"http1_post", "POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\nabc", "frame_too_large"}),
    [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(BadInput, WhatIsWrongWithOneStreamLeavesTheOthersAlone) {
  Player player = begun();
  player(Sender::kClient, get_frame(1) + get_frame(3));
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kWindowUpdate, 0, 3, "\0\0\0\0"s)), "bad_window_increment ");
  // None of these is of a stream that may have it.
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kData, 0, 9, "idle") + frame(FrameType::kData, kEndStream, 1, "closed") +
                                        frame(FrameType::kRstStream, 0, 9, "1234") + frame(FrameType::kWindowUpdate, 0, 9, "1234")),
            "");
  EXPECT_EQ(player(Sender::kClient, get_frame(2) + get_frame(1) + get_frame(3)), "") << "a server's number, and two that are taken";
  EXPECT_EQ(player(Sender::kServer, frame(FrameType::kData, 0, 1, "no head yet")), "");
  EXPECT_EQ(player(Sender::kServer, ok_frame(3) + ok_frame(1) + ok_frame(1)), "head3 head1 ");
  EXPECT_EQ(player(Sender::kClient, get_frame(5)), "head5 ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(5)), "head5 ");
}

TEST(BadInput, SettingsThatNobodyMaySendChangeNothing) {
  Player player = begun();
  // Push 7, a window of 4 GiB, frames of 1 and of 4 G bytes.
  const auto bad = "\0\2\0\0\0\7\0\4\xff\xff\xff\xff\0\5\0\0\0\1\0\5\xff\xff\xff\xff"s;
  EXPECT_EQ(player(Sender::kServer, frame(FrameType::kSettings, 0, 0, bad)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(1) + frame(FrameType::kData, 0, 1, std::string(100'000, 'x')) + get_frame(3)),
            "head1 head3 ");
}

TEST(BadInput, APrefaceThatIsCutShortIsNone) {
  for (size_t length = 1; length < kPreface.size(); ++length) {
    Player player(Http2Parser::Begin::kStart);
    EXPECT_EQ(player(Sender::kClient, kPreface.substr(0, length)), "");
    EXPECT_EQ(player(Sender::kClient, "\x01"), "opaque(bad_preface) ") << length;
    EXPECT_EQ(player(Sender::kServer, kEmptySettings), "opaque() ");
  }
}

TEST(BadInput, BehindThePrefaceComeSettings) {
  for (const std::string& other :
       {get_frame(1), frame(FrameType::kSettings, 0, 1), frame(FrameType::kSettings, 0, 0, "123"), "HTTP/1.1 400 Bad\r\n"s}) {
    Player player(Http2Parser::Begin::kStart);
    EXPECT_EQ(player(Sender::kClient, std::string(kPreface) + other), "opaque(settings_missing) ");
  }
}

TEST(BadInput, TextInTheMiddleOfAConnectionThatWasJoinedIsNoLargeFrame) {
  Player player(Http2Parser::Begin::kMiddle);
  player.parser.restart(Sender::kClient);
  player.parser.restart(Sender::kServer);
  EXPECT_EQ(player(Sender::kClient, get_frame(7) + "GET / HTTP/1.1\r\n\r\n" + get_frame(9) + get_frame(11) + get_frame(13)),
            "head7 frame_too_large head9 head11 head13 ");
  EXPECT_EQ(player(Sender::kServer, "HTTP/1.1 400 Bad Request\r\n\r\n" + ok_frame(9) + ok_frame(11) + ok_frame(13)), "frame_too_large ")
      << "all are over";
}

}  // namespace
}  // namespace clew::protocols::http2
