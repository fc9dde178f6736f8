// SPDX-License-Identifier: Apache-2.0
// Streams, floods and the middle of connections, beyond what the captures say.
#include "protocols/http2/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "protocols/http/head.h"
#include "protocols/http2/http2.h"

namespace clew::protocols::http2 {
namespace {

using Kind = Step::Kind;

std::string frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string bytes;
  for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(payload.size() >> shift));
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(stream >> shift));
  return bytes.append(payload);
}
const std::string kSettings = frame(FrameType::kSettings, 0, 0);
std::string get(uint32_t stream, std::string_view path = "/") {
  std::string block =
      "\x82\x86\x41\x01"
      "h\x04";
  block.push_back(static_cast<char>(path.size()));
  return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, block.append(path));
}
std::string ok(uint32_t stream) { return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, "\x88"); }

/// Feeds a parser as the agent does. What it says, a word a step.
class Player {
 public:
  explicit Player(Http2Parser::Begin begin) : parser(begin) {}
  std::string operator()(Sender sender, std::string_view bytes) {
    std::string& pending = pending_[static_cast<size_t>(sender)];
    pending += bytes;
    std::string said;
    for (;;) {
      const Step step = parser.parse(sender, pending);
      pending.erase(0, step.consumed);
      if (step.kind == Kind::kSkip) pending.erase(0, step.skip);
      if (step.kind == Kind::kNeedMore) return said;
      if (step.kind == Kind::kHead) {
        said += "head" + std::to_string(step.stream_id) + (step.is_partial ? "? " : " ");
        path = http::as_message(step.head.get())->parts().fields[static_cast<size_t>(http::Field::kTarget)];
      }
      if (step.kind == Kind::kEnd) said += "end" + std::to_string(step.stream_id) + " ";
      if (step.kind == Kind::kAbort) said += "abort" + std::to_string(step.stream_id) + " ";
      if (step.kind == Kind::kInvalid) said += std::string(step.reason) + " ";
      if (step.kind == Kind::kInvalid && step.stream_id == 0) pending.erase(0, parser.resync(sender, pending));
      if (step.kind == Kind::kAwaitPeer) return said + "await ";
      if (step.kind == Kind::kOpaque) return said + "opaque ";
    }
  }
  Http2Parser parser;
  std::string path;

 private:
  std::string pending_[2];
};

Player begun() {
  Player player(Http2Parser::Begin::kStart);
  player(Sender::kClient, std::string(kPreface) + kSettings);
  player(Sender::kServer, kSettings);
  return player;
}

TEST(Http2Parser, ThousandsOfStreamsUnderWay) {
  Player player = begun();
  for (uint32_t id = 1; id < 20'000; id += 2) ASSERT_EQ(player(Sender::kClient, get(id)), "head" + std::to_string(id) + " ");
  for (uint32_t id = 19'999; id < 20'000; id -= 2) ASSERT_EQ(player(Sender::kServer, ok(id)), "head" + std::to_string(id) + " ");
}

TEST(Http2Parser, MoreStreamsThanTheBoundAreRefusedAndTheOthersGoOn) {
  Player player = begun();
  for (uint32_t i = 0; i < Http2Parser::kStreamsMax; ++i) player(Sender::kClient, get(2 * i + 1));
  const auto next = static_cast<uint32_t>(2 * Http2Parser::kStreamsMax + 1);
  EXPECT_EQ(player(Sender::kClient, get(next)), "too_many_streams ");
  EXPECT_EQ(player(Sender::kServer, ok(next)), "");
  EXPECT_EQ(player(Sender::kServer, ok(5)), "head5 ");
  EXPECT_EQ(player(Sender::kClient, get(next + 2)), "head" + std::to_string(next + 2) + " ");
}

TEST(Http2Parser, FloodsLeaveNothingBehind) {
  Player player = begun();
  const std::string reset = frame(FrameType::kRstStream, 0, 1, std::string("\0\0\0\x8", 4));
  for (uint32_t id = 1; id < 40'000; id += 2) {
    player(Sender::kClient, get(id));
    player(Sender::kClient, frame(FrameType::kRstStream, 0, id, std::string("\0\0\0\x8", 4)));
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

TEST(Http2Parser, InTheMiddleItWaitsForThreeFramesInARow) {
  Player player(Http2Parser::Begin::kMiddle);
  EXPECT_EQ(player(Sender::kClient, "junk" + get(7)), "");
  EXPECT_EQ(player(Sender::kClient, get(9)), "");
  EXPECT_EQ(player(Sender::kClient, get(11)), "head7 head9 head11 ");
}

TEST(Http2Parser, WhoKnowsWhereAFrameBeginsNeedNotWait) {
  Player player(Http2Parser::Begin::kMiddle);
  EXPECT_TRUE(player.parser.is_hunting(Sender::kClient));
  player.parser.restart(Sender::kClient);
  EXPECT_EQ(player(Sender::kClient, get(7)), "head7 ");
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
  EXPECT_EQ(player(Sender::kServer, ok(5)), "");
  EXPECT_EQ(player(Sender::kClient, get(7)), "head7 ");
  EXPECT_EQ(player(Sender::kServer, ok(5) + ok(7)), "head7 ");
}

TEST(Http2Parser, AResponseThatIsToldOfFirstWaitsForItsRequest) {
  Player player = begun();
  EXPECT_EQ(player(Sender::kServer, ok(1)), "await ");
  EXPECT_EQ(player(Sender::kClient, get(1)), "head1 ");
  EXPECT_EQ(player(Sender::kServer, ""), "head1 ");
}

TEST(Http2Parser, AFrameThatIsNoneIsPassedOverAndWhatFollowsIsFound) {
  Player player = begun();
  player(Sender::kClient, get(1));
  EXPECT_EQ(player(Sender::kClient, frame(FrameType::kPing, 0, 0, "123") + get(3) + get(5) + get(7)), "bad_frame_size head3 head5 head7 ");
  EXPECT_EQ(player(Sender::kServer, ok(3) + ok(5)), "head3 head5 ");
}

TEST(Http2, ClassifiesByTheRoleThatAHeaderBlockShows) {
  const Http2 http2;
  EXPECT_EQ(http2.classify(Sender::kClient, std::string(kPreface)), Claim::kStrong);
  EXPECT_EQ(http2.classify(Sender::kServer, std::string(kPreface)), Claim::kNo);
  EXPECT_EQ(http2.classify(Sender::kServer, kSettings), Claim::kStrong);
  EXPECT_EQ(http2.classify(Sender::kClient, get(5)), Claim::kWeak);
  EXPECT_EQ(http2.classify(Sender::kServer, get(5)), Claim::kNo);
  EXPECT_EQ(http2.classify(Sender::kClient, ok(5)), Claim::kNo);
  EXPECT_EQ(http2.classify(Sender::kServer, ok(5) + ok(7) + ok(9)), Claim::kStrong);
  EXPECT_EQ(http2.classify(Sender::kClient, get(5).substr(0, 5)), Claim::kNeedMore);
  EXPECT_EQ(http2.classify(Sender::kClient, std::string(12, '\0')), Claim::kNo);
}

}  // namespace
}  // namespace clew::protocols::http2
