// SPDX-License-Identifier: Apache-2.0
// Streams, floods and the middle of connections, beyond what the captures say.
#include "protocols/http2/parser.h"

#include <gtest/gtest.h>

#include <string>

#include "protocols/http2/http2.h"
#include "protocols/http2/player_test.h"

namespace clew::protocols::http2 {
namespace {

TEST(Http2Parser, ThousandsOfStreamsUnderWay) {
  Player player = begun();
  for (uint32_t id = 1; id < 20'000; id += 2) ASSERT_EQ(player(Sender::kClient, get_frame(id)), "head" + std::to_string(id) + " ");
  for (uint32_t id = 19'999; id < 20'000; id -= 2) ASSERT_EQ(player(Sender::kServer, ok_frame(id)), "head" + std::to_string(id) + " ");
}

TEST(Http2Parser, MoreStreamsThanTheBoundAreRefusedAndTheOthersGoOn) {
  Player player = begun();
  for (uint32_t i = 0; i < Http2Parser::kStreamsMax; ++i) player(Sender::kClient, get_frame(2 * i + 1));
  const auto next = static_cast<uint32_t>(2 * Http2Parser::kStreamsMax + 1);
  EXPECT_EQ(player(Sender::kClient, get_frame(next)), "too_many_streams ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(next)), "");
  EXPECT_EQ(player(Sender::kServer, ok_frame(5)), "head5 ");
  EXPECT_EQ(player(Sender::kClient, get_frame(next + 2)), "head" + std::to_string(next + 2) + " ");
}

TEST(Http2Parser, FloodsLeaveNothingBehind) {
  Player player = begun();
  for (uint32_t id = 1; id < 40'000; id += 2) {
    player(Sender::kClient, get_frame(id));
    player(Sender::kClient, reset_frame(id));
  }
  const size_t before = player.parser.memory_bytes();
  std::string settings;
  for (int i = 0; i < 2000; ++i) settings += frame(FrameType::kSettings, 0, 0, std::string("\0\1\0\0\x10\0\0\3\0\0\0\1", 12));
  EXPECT_EQ(player(Sender::kClient, settings), "");
  for (int i = 0; i < 2000; ++i) settings += frame(FrameType::kPing, 0, 0, "12345678");
  EXPECT_EQ(player(Sender::kServer, settings), "");
  EXPECT_LE(player.parser.memory_bytes(), before);
  EXPECT_LT(before, 32U * 1024);
}

TEST(Http2Parser, AHeaderBlockWithoutEndIsGivenUp) {
  Player player = begun();
  std::string flood = frame(FrameType::kHeaders, 0, 1, "\x82");
  for (size_t i = 0; i <= Http2Parser::kBlockFramesMax; ++i) flood += frame(FrameType::kContinuation, 0, 1);
  EXPECT_NE(player(Sender::kClient, flood).find("header_block_too_large"), std::string::npos);
  std::string wide = frame(FrameType::kHeaders, 0, 3, std::string(16384, 'x'));
  for (int i = 0; i < 8; ++i) wide += frame(FrameType::kContinuation, 0, 3, std::string(16384, 'x'));
  Player other = begun();
  EXPECT_NE(other(Sender::kClient, wide).find("header_block_too_large"), std::string::npos);
}

std::string overlong(uint32_t stream, uint8_t flags) {
  std::string block = frame(FrameType::kHeaders, flags, stream, std::string(16384, 'x'));
  for (int i = 0; i < 20; ++i) block += frame(FrameType::kContinuation, 0, stream, std::string(16384, 'x'));
  return block + frame(FrameType::kContinuation, kEndHeaders, stream, "x");
}

TEST(Http2Parser, BesideAHeaderBlockThatIsTooLargeTheOthersGoOn) {
  Player player = begun();
  EXPECT_EQ(player(Sender::kClient, get_frame(1)), "head1 ");
  EXPECT_EQ(player(Sender::kClient, overlong(3, 0) + get_frame(5)), "header_block_too_large head5 ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(3) + ok_frame(1) + ok_frame(5)), "head1 head5 ");
}

TEST(Http2Parser, AStreamEndsWithAHeaderBlockThatIsTooLarge) {
  Player player = begun();
  EXPECT_EQ(player(Sender::kClient, get_frame(1)), "head1 ");
  EXPECT_EQ(player(Sender::kServer, frame(FrameType::kHeaders, kEndHeaders, 1, "\x88")), "head1 ");
  const std::string trailers = overlong(1, kEndStream);
  EXPECT_EQ(player(Sender::kServer, trailers.substr(0, 200'000)), "header_block_too_large ");
  EXPECT_EQ(player(Sender::kServer, trailers.substr(200'000)), "end1 ");
}

TEST(Http2Parser, InTheMiddleItWaitsForThreeFramesInARow) {
  Player player(Http2Parser::Begin::kMiddle);
  EXPECT_EQ(player(Sender::kClient, "junk" + get_frame(7)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(9)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(11)), "head7 head9 head11 ");
}

TEST(Http2Parser, WhoKnowsWhereAFrameBeginsNeedNotWait) {
  Player player(Http2Parser::Begin::kMiddle);
  EXPECT_TRUE(player.parser.is_hunting(Sender::kClient));
  player.parser.restart(Sender::kClient);
  EXPECT_EQ(player(Sender::kClient, get_frame(7)), "head7 ");
}

TEST(Http2Parser, APathThatIsNotKnownIsSaidToBeAndLearnedFromThenOn) {
  Player player(Http2Parser::Begin::kMiddle);
  player.parser.restart(Sender::kClient);
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kHeaders, kEndHeaders | kEndStream, 5, "\x82\x86\xbe\xbf")), "head5? ");
  EXPECT_EQ(player.path, "");
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kHeaders, kEndHeaders | kEndStream, 7, "\x82\x86\x44\x02/b\xc0")), "head7? ");
  EXPECT_EQ(player.path, "/b");
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kHeaders, kEndHeaders | kEndStream, 9, "\x82\x86\xbe\x41\x01h")), "head9 ");
  EXPECT_EQ(player.path, "/b");
}

TEST(Http2Parser, ResponsesToStreamsFromBeforeGiveNothing) {
  Player player(Http2Parser::Begin::kMiddle);
  player.parser.restart(Sender::kClient);
  player.parser.restart(Sender::kServer);
  EXPECT_EQ(player(Sender::kServer, ok_frame(5)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(7)), "head7 ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(5) + ok_frame(7)), "head7 ");
}

TEST(Http2Parser, AResponseThatIsToldOfFirstWaitsForItsRequest) {
  Player player = begun();
  EXPECT_EQ(player(Sender::kServer, ok_frame(1)), "await ");
  EXPECT_EQ(player(Sender::kClient, get_frame(1)), "head1 ");
  EXPECT_EQ(player(Sender::kServer, ""), "head1 ");
}

TEST(Http2Parser, ALargerFrameOfAStreamUnderWayMayBeAllowedByWhatIsToldLater) {
  Player player = begun();
  player(Sender::kClient, get_frame(1) + get_frame(3));
  EXPECT_EQ(player(Sender::kServer, frame(FrameType::kHeaders, kEndHeaders, 1, "\x88") +
                                        frame(FrameType::kData, kEndStream, 1, std::string(40'000, 'x')) + ok_frame(3)),
            "head1 end1 head3 ");
}

TEST(Http2Parser, WhatIsAskedForBehindAGoawayIsRefused) {
  Player player = begun();
  player(Sender::kClient, get_frame(1));
  EXPECT_EQ(player(Sender::kServer, goaway_frame(1)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(3) + get_frame(5)), "head3 abort3 head5 abort5 ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(1)), "head1 ");
}

TEST(Http2Parser, BehindAHoleAGoawayFromBeforeItIsNotBelieved) {
  Player player = begun();
  player(Sender::kServer, goaway_frame(1));
  player.parser.resync(Sender::kServer, {});
  player.parser.restart(Sender::kServer);
  EXPECT_EQ(player(Sender::kClient, get_frame(3)), "head3 ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(3)), "head3 ");
}

TEST(Http2Parser, AGoawayThatSaysMoreThanAnEarlierOneChangesNothing) {
  Player player = begun();
  EXPECT_EQ(player(Sender::kServer, goaway_frame(INT32_MAX)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(1) + get_frame(3)), "head1 head3 ");
  EXPECT_EQ(player(Sender::kServer, goaway_frame(1)), "abort3 ");
  EXPECT_EQ(player(Sender::kServer, goaway_frame(5)), "");
  EXPECT_EQ(player(Sender::kClient, get_frame(5)), "head5 abort5 ");
}

TEST(Http2Parser, AFrameThatIsNoneIsPassedOverAndWhatFollowsIsFound) {
  Player player = begun();
  player(Sender::kClient, get_frame(1));
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kPing, 0, 0, "123") + get_frame(3) + get_frame(5) + get_frame(7)),
            "bad_frame_size head3 head5 head7 ");
  EXPECT_EQ(player(Sender::kServer, ok_frame(3) + ok_frame(5)), "head3 head5 ");
}

TEST(Http2, ClassifiesByTheRoleThatAHeaderBlockShows) {
  const Http2 http2;
  EXPECT_EQ(http2.classify(Sender::kClient, std::string(kPreface)), Claim::kStrong);
  EXPECT_EQ(http2.classify(Sender::kServer, std::string(kPreface)), Claim::kNo);
  EXPECT_EQ(http2.classify(Sender::kServer, kEmptySettings), Claim::kStrong);
  EXPECT_EQ(http2.classify(Sender::kClient, get_frame(5)), Claim::kWeak);
  EXPECT_EQ(http2.classify(Sender::kServer, get_frame(5)), Claim::kNo);
  EXPECT_EQ(http2.classify(Sender::kClient, ok_frame(5)), Claim::kNo);
  EXPECT_EQ(http2.classify(Sender::kServer, ok_frame(5) + ok_frame(7) + ok_frame(9)), Claim::kStrong);
  EXPECT_EQ(http2.classify(Sender::kClient, get_frame(5).substr(0, 5)), Claim::kNeedMore);
  EXPECT_EQ(http2.classify(Sender::kClient, std::string(12, '\0')), Claim::kNo);
}

TEST(Http2Parser, WhatIsWrongWithOneStreamSaysNothingOfAHoleThatComesLater) {
  Player player = begun();
  player(Sender::kClient, get_frame(1));
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kWindowUpdate, 0, 1, std::string(4, '\0'))), "bad_window_increment ");
  player.parser.resync(Sender::kClient, {});
  EXPECT_TRUE(player.parser.is_hunting(Sender::kClient));
}

}  // namespace
}  // namespace clew::protocols::http2
