// SPDX-License-Identifier: Apache-2.0
#include "agent/stream/stream.h"

#include <gtest/gtest.h>

namespace clew::stream {
namespace {

using Arrival = Stream::Arrival;

TEST(Stream, ShowsWhatArrivedAndForgetsWhatWasConsumed) {
  Stream s;
  EXPECT_EQ(s.arrive(0, "hello world", 0, 7), Arrival::kInOrder);
  EXPECT_EQ(s.available(), "hello world");
  s.consume(6);
  EXPECT_EQ(s.available(), "world");
  EXPECT_EQ(s.position(), 6u);
  EXPECT_EQ(s.time_of_last(), 7u);
}

TEST(Stream, KeepsTheRestUntilMoreArrives) {
  Stream s;
  std::string first = "GET /a";
  s.arrive(0, first, 0, 10);
  s.keep_rest();
  first.assign("xxxxxx");
  EXPECT_EQ(s.arrive(6, "bc HTTP", 0, 20), Arrival::kInOrder);
  EXPECT_EQ(s.available(), "GET /abc HTTP");
  EXPECT_EQ(s.time_of_next(), 10u);
  s.consume(6);
  EXPECT_EQ(s.time_of_last(), 10u);
  EXPECT_EQ(s.time_of_next(), 20u);
  s.consume(7);
  EXPECT_EQ(s.time_of_last(), 20u);
}

TEST(Stream, PassesOverABodyThatIsNeverShown) {
  Stream s;
  s.arrive(0, "head", 0, 1);
  s.consume(4);
  s.skip(1000);
  EXPECT_TRUE(s.skipping());
  EXPECT_EQ(s.arrive(600, {}, 600, 2), Arrival::kInOrder);
  EXPECT_TRUE(s.skipping());
  EXPECT_EQ(s.skipped(), 596u);
  EXPECT_EQ(s.arrive(1004, {}, 1004, 3), Arrival::kInOrder);
  EXPECT_FALSE(s.skipping());
  EXPECT_EQ(s.skipped(), 1000u);
  EXPECT_EQ(s.time_of_last(), 3u);
  EXPECT_EQ(s.arrive(1004, "next", 0, 4), Arrival::kInOrder);
  EXPECT_EQ(s.available(), "next");
}

TEST(Stream, PassesOverABodyInTheSameCall) {
  Stream s;
  EXPECT_EQ(s.arrive(0, "head", 54, 1), Arrival::kInOrder);
  s.consume(4);
  s.skip(50);
  EXPECT_FALSE(s.skipping());
  EXPECT_EQ(s.position(), 54u);
}

TEST(Stream, SkipEndsInsideShownBytes) {
  Stream s;
  s.arrive(0, "headbodynext", 0, 1);
  s.consume(4);
  s.skip(4);
  EXPECT_FALSE(s.skipping());
  EXPECT_EQ(s.available(), "next");
}

TEST(Stream, AGapThatNobodyAskedForIsAHole) {
  Stream s;
  s.arrive(0, "abc", 0, 1);
  s.consume(3);
  EXPECT_EQ(s.arrive(10, "def", 0, 2), Arrival::kHole);
  s.restart_at(10);
  EXPECT_EQ(s.arrive(10, "def", 0, 2), Arrival::kInOrder);
  EXPECT_EQ(s.available(), "def");
}

TEST(Stream, AGapBeyondTheSkipIsAHole) {
  Stream s;
  s.arrive(0, "abc", 0, 1);
  s.consume(3);
  s.skip(5);
  EXPECT_EQ(s.arrive(20, "def", 0, 2), Arrival::kHole);
}

TEST(Stream, AnAdvanceWithoutSkipIsAHole) {
  Stream s;
  EXPECT_EQ(s.arrive(9, {}, 9, 1), Arrival::kHole);
}

TEST(Stream, BytesShownTwiceCountOnce) {
  Stream s;
  s.arrive(0, "abcdef", 0, 1);
  s.consume(4);
  s.keep_rest();
  EXPECT_EQ(s.arrive(2, "cdefgh", 0, 2), Arrival::kInOrder);
  EXPECT_EQ(s.available(), "efgh");
}

TEST(Stream, RefusesToGrowWithoutBound) {
  Stream s;
  const std::string block(64 * 1024, 'x');
  uint64_t at = 0;
  s.arrive(at, block, 0, 1);
  s.keep_rest();
  at += block.size();
  EXPECT_EQ(s.arrive(at, block, 0, 1), Arrival::kInOrder);
  at += block.size();
  EXPECT_EQ(s.arrive(at, block, 0, 1), Arrival::kOverflow);
  EXPECT_LE(s.memory_bytes(), 2 * Stream::kBufferMax);
}

TEST(Stream, WhereEveryPieceEndsInTheMiddleOfAMessageNothingPilesUp) {
  Stream s;
  const std::string piece(100, 'x');
  s.arrive(0, piece, 0, 1);
  for (uint64_t n = 1; n < 100'000; ++n) {
    s.keep_rest();
    ASSERT_EQ(s.arrive(n * piece.size(), piece, 0, n + 1), Arrival::kInOrder);
    s.consume(99);  // and a byte of the next one is left
    ASSERT_EQ(s.time_of_next(), n == 1 ? 1 : n) << "a message begins with the piece before";
    s.consume(1);
    ASSERT_EQ(s.time_of_last(), n);
  }
  EXPECT_LT(s.memory_bytes(), 2000u);
}

TEST(Stream, BytesThatComeOneByOneCostLittleMoreThanThemselves) {
  Stream s;
  for (uint64_t n = 0; n < 50'000; ++n) {
    ASSERT_EQ(s.arrive(n, "x", 0, n + 1), Arrival::kInOrder);
    s.keep_rest();
  }
  EXPECT_EQ(s.available().size(), 50'000u);
  EXPECT_EQ(s.time_of_next(), 1u);
  EXPECT_LT(s.memory_bytes(), 200'000u);
  for (int n = 0; n < 50'000; ++n) s.consume(1);
  EXPECT_EQ(s.time_of_last(), 50'000u);
  s.keep_rest();
  EXPECT_LT(s.memory_bytes(), 5'000u);
}

TEST(Stream, SkipToCloseTakesEverything) {
  Stream s;
  s.arrive(0, "head", 0, 1);
  s.consume(4);
  s.skip(UINT64_MAX);
  s.arrive(4, "some body", 0, 2);
  EXPECT_TRUE(s.available().empty());
  s.arrive(100, {}, 100, 3);
  EXPECT_EQ(s.skipped(), 96u);
  EXPECT_EQ(s.time_of_last(), 3u);
}

}  // namespace
}  // namespace clew::stream
