// SPDX-License-Identifier: Apache-2.0
// One direction: order, overlap, holes, wrap-around, bounds; and random cuts of a known stream against the truth.
#include "agent/replay/tcp_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "agent/replay/tcp_sink_test.h"

namespace clew::replay {
namespace {

using testing::RecordingSink;

/// A stream whose first byte has sequence number kFirst; offsets count from there.
class TcpStreamTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kFirst = 1000;

  TcpStreamTest() {
    sink_.connection({.id = 1, .local = {}, .peer = {}});
    restart(kFirst, true);
  }
  void restart(uint32_t first, bool from_start) {
    first_ = first;
    stream_ = std::make_unique<TcpStream>(1, capture::Direction::kIngress);
    stream_->start(first, from_start);
  }
  void data(int64_t offset, std::string_view bytes, uint64_t time_ns = 0) {
    stream_->data(first_ + static_cast<uint32_t>(offset), bytes, static_cast<uint32_t>(bytes.size()), time_ns, output_);
  }
  void fin(int64_t offset, uint64_t time_ns = 0) { stream_->fin(first_ + static_cast<uint32_t>(offset), time_ns, output_); }
  void acknowledge(int64_t offset) { stream_->acknowledge(first_ + static_cast<uint32_t>(offset), output_); }
  const std::string& text() { return sink_.in().text; }

  uint32_t first_ = 0;
  RecordingSink sink_;
  TcpOutput output_{.sink = sink_};
  std::unique_ptr<TcpStream> stream_;
};

TEST_F(TcpStreamTest, BytesInOrderAreDeliveredAtOnce) {
  data(0, "GET ", 11);
  EXPECT_EQ(text(), "GET ");
  data(4, "/", 12);
  EXPECT_EQ(text(), "GET /");
  ASSERT_EQ(sink_.in().chunks.size(), 2u);
  EXPECT_EQ(sink_.in().chunks[1].position, 4u);
  EXPECT_EQ(sink_.in().chunks[1].time_ns, 12u);
}

TEST_F(TcpStreamTest, RetransmissionIsDeliveredOnceWithTheTimeOfTheFirst) {
  data(0, "abc", 1);
  data(0, "abc", 2);
  data(3, "def", 3);
  data(0, "abcdef", 4);
  EXPECT_EQ(text(), "abcdef");
  ASSERT_EQ(sink_.in().chunks.size(), 2u);
  EXPECT_EQ(sink_.in().chunks[0].time_ns, 1u);
  EXPECT_EQ(output_.repeated_segments, 2u);
  EXPECT_EQ(output_.holes, 0u);
}

TEST_F(TcpStreamTest, ReorderedSegmentsComeOutInOrderEachWithItsTime) {
  data(6, "ghi", 1);
  data(3, "def", 2);
  EXPECT_EQ(text(), "");
  data(0, "abc", 3);
  EXPECT_EQ(text(), "abcdefghi");
  ASSERT_EQ(sink_.in().chunks.size(), 3u);
  EXPECT_EQ(sink_.in().chunks[0].time_ns, 3u);
  EXPECT_EQ(sink_.in().chunks[1].time_ns, 2u);
  EXPECT_EQ(sink_.in().chunks[2].time_ns, 1u);
  EXPECT_EQ(output_.buffered_bytes, 0u);
}

TEST_F(TcpStreamTest, WhereSegmentsOverlapTheFirstWins) {
  data(0, "abc");
  data(1, "XXde");  // one byte more than delivered, on each side
  EXPECT_EQ(text(), "abcde");
  data(8, "ij");
  data(12, "mn");
  data(6, "ghXXklXXop");  // around two that wait
  data(5, "fX");
  EXPECT_EQ(text(), "abcdefghijklmnop");
}

TEST_F(TcpStreamTest, SegmentThatJoinsTwoThatWaitFillsOnlyTheGap) {
  data(2, "cd");
  data(6, "gh");
  data(3, "XefX");
  EXPECT_EQ(output_.repeated_segments, 0u);
  data(2, "XXXXXX");
  EXPECT_EQ(output_.repeated_segments, 1u);
  data(0, "ab");
  EXPECT_EQ(text(), "abcdefgh");
}

TEST_F(TcpStreamTest, HoleIsGivenUpOnceThePeerHasAcknowledgedWhatWaitsBehindIt) {
  data(0, "abc");
  data(6, "ghi");
  acknowledge(3);
  EXPECT_EQ(text(), "abc") << "the peer misses it too: it will be sent again";
  acknowledge(5);
  EXPECT_EQ(text(), "abc");
  acknowledge(9);
  EXPECT_EQ(text(), "abc<3>ghi");
  EXPECT_EQ(output_.holes, 1u);
  EXPECT_EQ(output_.hole_bytes, 3u);
  data(3, "def");
  EXPECT_EQ(text(), "abc<3>ghi") << "too late";
}

TEST_F(TcpStreamTest, HoleThatWasAcknowledgedBeforeLaterBytesCameDoesNotHoldThemUp) {
  data(0, "abc");
  acknowledge(6);
  data(6, "ghi");
  EXPECT_EQ(text(), "abc<3>ghi");
}

TEST_F(TcpStreamTest, AcknowledgementBeforeItsBytesMakesNoHole) {
  acknowledge(3);
  data(0, "abc");
  acknowledge(6);
  data(3, "def");
  EXPECT_EQ(text(), "abcdef");
  EXPECT_EQ(output_.holes, 0u);
}

TEST_F(TcpStreamTest, EachHoleWaitsForItsOwnAcknowledgement) {
  data(2, "c");
  data(4, "e");
  acknowledge(3);
  EXPECT_EQ(text(), "<2>c");
  acknowledge(5);
  EXPECT_EQ(text(), "<2>c<1>e");
  EXPECT_EQ(output_.holes, 2u);
}

TEST_F(TcpStreamTest, SequenceNumbersWrapAround) {
  restart(0xfffffffe, true);
  data(2, "cd");
  data(0, "ab");
  data(6, "gh");
  acknowledge(8);
  data(1, "Xcd");
  data(8, "ij");
  EXPECT_EQ(text(), "abcd<2>ghij");
}

TEST_F(TcpStreamTest, PositionsGoOnBeyondFourGibibytes) {
  const std::string first(1, 'x');
  constexpr uint32_t kMebibyte = 1 << 20;
  for (int64_t block = 0; block < 5000; ++block) {  // headers only: one byte of each MiB was captured
    stream_->data(first_ + static_cast<uint32_t>(block * kMebibyte), first, kMebibyte, 0, output_);
  }
  EXPECT_EQ(sink_.in().end, uint64_t{5000} << 20);
  EXPECT_EQ(output_.holes, 5000u);
}

TEST_F(TcpStreamTest, WhatTheSnapshotLengthCutOffIsAHole) {
  stream_->data(first_, "head", 10, 5, output_);
  EXPECT_EQ(text(), "head<6>");
  EXPECT_EQ(sink_.in().end, 10u) << "said at once, with empty bytes";
  data(10, "next");
  EXPECT_EQ(text(), "head<6>next");
  stream_->data(first_ + 20, "tail", 10, 5, output_);
  stream_->data(first_ + 14, "mid", 6, 5, output_);
  EXPECT_EQ(text(), "head<6>nextmid<3>tail<6>");
  EXPECT_EQ(output_.hole_bytes, 15u);
}

TEST_F(TcpStreamTest, KeepAliveProbeCarriesNothing) {
  data(0, "abc");
  data(2, std::string_view("\0", 1));
  data(3, "d");
  EXPECT_EQ(text(), "abcd");
  EXPECT_EQ(output_.repeated_segments, 1u);
}

TEST_F(TcpStreamTest, ZeroWindowProbeByteIsDeliveredOnce) {
  data(0, "abc");
  data(3, "d");
  data(3, "d");
  data(3, "def");
  EXPECT_EQ(text(), "abcdef");
}

TEST_F(TcpStreamTest, FinEndsTheDirectionAfterItsLastByte) {
  data(0, "abc", 1);
  fin(3, 2);
  EXPECT_TRUE(stream_->finished());
  EXPECT_TRUE(sink_.in().over);
  fin(3, 3);
  data(2, "c", 3);
  data(3, "late", 3);
  EXPECT_EQ(text(), "abc");
}

TEST_F(TcpStreamTest, FinOutOfOrderWaitsForTheBytesBeforeIt) {
  fin(6);
  data(3, "def");
  EXPECT_FALSE(stream_->finished());
  data(0, "abc");
  EXPECT_EQ(text(), "abcdef");
  EXPECT_TRUE(stream_->finished());
}

TEST_F(TcpStreamTest, BytesBehindAFinAreDropped) {
  data(2, "cdXXX");
  data(9, "XX");
  fin(4);
  data(0, "ab");
  EXPECT_EQ(text(), "abcd");
  EXPECT_TRUE(stream_->finished());
  EXPECT_EQ(output_.buffered_bytes, 0u);
}

TEST_F(TcpStreamTest, HoleBeforeTheFinIsToldWhenTheFinIsAcknowledged) {
  data(0, "abc");
  fin(6);
  EXPECT_FALSE(stream_->finished());
  acknowledge(7);
  EXPECT_EQ(text(), "abc<3>");
  EXPECT_TRUE(stream_->finished());
}

TEST_F(TcpStreamTest, JoinedInTheMiddlePositionsCountFromTheFirstByteDelivered) {
  restart(kFirst, false);
  data(10, "klm");
  EXPECT_EQ(text(), "");
  acknowledge(13);
  data(13, "n");
  EXPECT_EQ(text(), "klmn");
  EXPECT_EQ(output_.holes, 0u) << "bytes before the first one seen are not lost";
}

TEST_F(TcpStreamTest, HoleIsGivenUpAfterAWhileEvenWithoutAcknowledgements) {
  const TcpLimits limits{.hole_wait_ns_max = 100};
  data(2, "c", 50);
  stream_->enforce(limits, 150, output_);
  EXPECT_EQ(text(), "");
  stream_->enforce(limits, 40, output_);
  EXPECT_EQ(text(), "") << "time went back";
  stream_->enforce(limits, 151, output_);
  EXPECT_EQ(text(), "<2>c");
  EXPECT_EQ(output_.early_holes, 1u);
}

TEST_F(TcpStreamTest, BytesThatWaitAreBounded) {
  const TcpLimits limits{.stream_buffer_bytes_max = 4096};
  for (int64_t at = 1; at < 100'000; at += 2) {
    data(at, "x");
    stream_->enforce(limits, 0, output_);
    ASSERT_LE(output_.buffered_bytes, 4096u);
  }
  EXPECT_GT(output_.early_holes, 49'000u);
  stream_->flush(output_);
  EXPECT_EQ(output_.holes, 50'000u) << "none is forgotten";
}

TEST_F(TcpStreamTest, TheBoundOverAllStreamsIsKeptByWhoeverAdds) {
  const TcpLimits limits{.total_buffer_bytes_max = 1000};
  output_.buffered_bytes = 950;  // of others
  data(1, "bcd");
  stream_->enforce(limits, 0, output_);
  EXPECT_EQ(text(), "<1>bcd");
  EXPECT_EQ(output_.buffered_bytes, 950u);
}

TEST_F(TcpStreamTest, FlushDeliversWhatWaits) {
  data(1, "b");
  data(3, "d");
  fin(6);
  stream_->flush(output_);
  EXPECT_EQ(text(), "<1>b<1>d<2>");
  EXPECT_TRUE(stream_->finished());
}

// A known stream is cut into segments that overlap, are repeated, reordered, and some of which the capture misses although the
// receiver acknowledged them. What is delivered must be the truth at its position, and exactly the missing bytes must be holes.
class TcpStreamRandom : public ::testing::TestWithParam<unsigned> {};

TEST_P(TcpStreamRandom, DeliversTheTruthAndMissesExactlyWhatTheCaptureMisses) {
  std::mt19937 random(GetParam());
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };

  std::string truth(2000 + below(8000), '\0');
  for (char& c : truth) c = static_cast<char>('a' + below(26));
  const uint32_t first = GetParam() % 3 == 0 ? 0u - static_cast<uint32_t>(below(truth.size())) : static_cast<uint32_t>(random());

  struct Piece {
    size_t begin, end;
    size_t sent;  // place in the order of sending, shaken by reordering
  };
  std::vector<Piece> segments;
  std::vector<bool> captured(truth.size(), false);
  size_t place = 0;
  for (size_t at = 0; at < truth.size();) {
    const size_t end = std::min(truth.size(), at + 1 + below(200));
    const size_t begin = below(4) == 0 ? at - std::min(at, below(60)) : at;  // overlaps what came before
    if (below(8) != 0) {                                                     // else missed by the capture
      for (size_t copies = 1 + (below(5) == 0 ? 1 : 0); copies > 0; --copies) segments.push_back({begin, end, place + below(6)});
      std::fill(captured.begin() + static_cast<std::ptrdiff_t>(begin), captured.begin() + static_cast<std::ptrdiff_t>(end), true);
    }
    ++place;
    at = end;
  }
  std::stable_sort(segments.begin(), segments.end(), [](const Piece& a, const Piece& b) { return a.sent < b.sent; });

  RecordingSink sink;
  sink.connection({.id = 1, .local = {}, .peer = {}});
  TcpOutput output{.sink = sink};
  TcpStream stream(1, capture::Direction::kIngress);
  stream.start(first, true);
  const bool fin_early = below(2) == 0;
  if (fin_early) stream.fin(first + static_cast<uint32_t>(truth.size()), 0, output);
  for (size_t i = 0; i < segments.size(); ++i) {
    const Piece& piece = segments[i];
    stream.data(first + static_cast<uint32_t>(piece.begin), std::string_view(truth).substr(piece.begin, piece.end - piece.begin),
                static_cast<uint32_t>(piece.end - piece.begin), i, output);
    // The receiver had everything before the earliest byte still to come in this capture: an honest acknowledgement lies there at most.
    size_t honest = truth.size();
    for (size_t later = i + 1; later < segments.size(); ++later) honest = std::min(honest, segments[later].begin);
    if (below(3) == 0) stream.acknowledge(first + static_cast<uint32_t>(honest), output);
    stream.enforce({}, i, output);
  }
  if (!fin_early) stream.fin(first + static_cast<uint32_t>(truth.size()), 0, output);
  stream.acknowledge(first + static_cast<uint32_t>(truth.size()) + 1, output);

  std::vector<bool> delivered(truth.size(), false);
  for (const auto& chunk : sink.in().chunks) {
    ASSERT_LE(chunk.position + chunk.bytes.size(), truth.size());
    ASSERT_EQ(chunk.bytes, truth.substr(chunk.position, chunk.bytes.size()));
    for (size_t i = 0; i < chunk.bytes.size(); ++i) delivered[chunk.position + i] = true;
  }
  EXPECT_EQ(delivered, captured);
  EXPECT_EQ(output.hole_bytes, static_cast<uint64_t>(std::count(captured.begin(), captured.end(), false)));
  EXPECT_EQ(sink.in().end, truth.size());
  EXPECT_TRUE(stream.finished());
  EXPECT_EQ(output.buffered_bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, TcpStreamRandom, ::testing::Range(0u, 400u));

}  // namespace
}  // namespace clew::replay
