// SPDX-License-Identifier: Apache-2.0
// Streams of HTTP/2 in Go: whose they are where one goroutine reads, and another sends, for all.
#include "agent/correlation/execution/goroutine_streams.h"

#include <gtest/gtest.h>

#include "agent/correlation/execution/goroutines.h"
#include "bpf/events.h"

namespace clew::correlation {
namespace {

constexpr RequestKey kFront{.connection = 1, .position = 0, .stream_id = 1};
constexpr RequestKey kOtherFront{.connection = 1, .position = 90, .stream_id = 3};
constexpr RequestKey kElsewhere{.connection = 2, .position = 0, .stream_id = 1};
constexpr RequestKey kBack{.connection = 11, .position = 0, .stream_id = 1};
constexpr RequestKey kNextBack{.connection = 11, .position = 50, .stream_id = 3};
constexpr uint64_t kReader = 20;
constexpr uint64_t kStarter = 19;  // of the reader
constexpr uint64_t kWriter = 7;

class GoroutineStreamsTest : public testing::Test {
 protected:
  static Caller by(uint64_t goroutine, uint64_t parent) {
    return {
        .process_id = 1, .thread_id = 5, .model = ExecutionModel::kGoroutines, .execution = {goroutine, parent, 0}, .time_ns = ++now_ns};
  }
  // As the kernel side packs it.
  static Caller note(uint64_t goroutine, uint64_t parent, uint64_t writer, uint64_t stream) {
    return by(goroutine | stream >> 20 << 44, parent, writer | (stream & 0xfffff) << 44);
  }
  static Caller by(uint64_t first, uint64_t second, uint64_t third) {
    Caller caller = by(first, second);
    caller.execution[2] = third;
    return caller;
  }
  static ExecutionSettings settings(base::Counters& counters, size_t threads_max = 100) {
    return {.threads_max = threads_max, .full = &counters.get("full"), .ambiguous = &counters.get("ambiguous")};
  }
  void serve(const RequestKey& request, uint64_t goroutine) {
    goroutines_.received(request, by(kReader, kStarter));
    goroutines_.noted(CLEW_GO_SERVES_READERS, note(goroutine, kReader, 0, request.stream_id));
  }
  /// Through grpc-go's writer.
  std::optional<Cause> ask(uint64_t goroutine, uint64_t parent, const RequestKey& request) {
    goroutines_.noted(CLEW_GO_ASKS, note(goroutine, parent, kWriter, request.stream_id));
    return goroutines_.sent(request, by(kWriter, 2));
  }
  static void expect(const std::optional<Cause>& cause, const RequestKey& request, Evidence evidence = Evidence::kExecution) {
    ASSERT_TRUE(cause);
    EXPECT_EQ(cause->request, request);
    EXPECT_EQ(name_of(cause->evidence), name_of(evidence));
  }

  static inline uint64_t now_ns = 0;
  base::Counters counters_;
  Goroutines goroutines_{settings(counters_)};
};

TEST_F(GoroutineStreamsTest, WhatOneWriterSendsIsForWhoeverHasAskedIt) {
  serve(kFront, 30);
  serve(kOtherFront, 31);
  goroutines_.noted(CLEW_GO_ASKS, note(31, kReader, kWriter, kBack.stream_id));
  goroutines_.noted(CLEW_GO_ASKS, note(30, kReader, kWriter, kNextBack.stream_id));
  expect(goroutines_.sent(kBack, by(kWriter, 30)), kOtherFront);  // whoever has started the writer
  expect(goroutines_.sent(kNextBack, by(kWriter, 30)), kFront);
}

TEST_F(GoroutineStreamsTest, WithoutANoteTheWriterSaysNothing) {
  serve(kFront, 30);
  EXPECT_FALSE(goroutines_.sent(kBack, by(kWriter, 30)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(30, kReader)));
  expect(ask(30, kReader, kBack), kFront);
  EXPECT_FALSE(goroutines_.sent(kBack, by(kWriter, 30)));  // it was told once
}

TEST_F(GoroutineStreamsTest, GoroutinesOfTheServersAskForItsStream) {
  serve(kFront, 30);
  expect(ask(50, 30, kBack), kFront, Evidence::kCausal);
  expect(ask(51, 50, kNextBack), kFront, Evidence::kCausal);
  EXPECT_FALSE(ask(52, kReader, kBack));  // of nobody's that serves
  goroutines_.done(kFront, ++now_ns);
  EXPECT_FALSE(ask(30, kReader, kBack));
  EXPECT_FALSE(ask(50, 30, kBack));
}

TEST_F(GoroutineStreamsTest, NetHttpServesBesideTheReaderAndSendsFromAChild) {
  goroutines_.received(kFront, by(kReader, kStarter));
  goroutines_.received(kElsewhere, by(80, 79));
  goroutines_.noted(CLEW_GO_SERVES, note(81, 79, 0, 1));
  goroutines_.noted(CLEW_GO_SERVES, note(30, kStarter, 0, 1));
  goroutines_.noted(CLEW_GO_ASKS, note(30, kStarter, 0, 0));
  goroutines_.noted(CLEW_GO_ASKS, note(81, 79, 0, 0));
  expect(goroutines_.sent(kBack, by(90, 81)), kElsewhere);
  expect(goroutines_.sent(kNextBack, by(91, 30)), kFront);
  EXPECT_FALSE(goroutines_.sent(kBack, by(92, 30)));  // asked for once
}

TEST_F(GoroutineStreamsTest, WorkersThatTheReaderHasNotStartedServeNobodyAsFarAsIsKnown) {
  goroutines_.received(kFront, by(kReader, kStarter));
  goroutines_.noted(CLEW_GO_SERVES_READERS, note(30, kStarter, 0, 1));  // beside the reader: not grpc-go's way
  EXPECT_FALSE(ask(30, kStarter, kBack));
}

TEST_F(GoroutineStreamsTest, AStreamIsServedOnce) {
  serve(kFront, 30);
  goroutines_.noted(CLEW_GO_SERVES_READERS, note(31, kReader, 0, 1));
  EXPECT_FALSE(ask(31, kReader, kBack));
  goroutines_.received(kOtherFront, by(kReader, kStarter));
  goroutines_.done(kOtherFront, ++now_ns);  // refused
  goroutines_.noted(CLEW_GO_SERVES_READERS, note(32, kReader, 0, 3));
  EXPECT_FALSE(ask(32, kReader, kBack));
}

TEST_F(GoroutineStreamsTest, OneReaderOfTwoConnectionsSaysNothing) {
  goroutines_.received(kFront, by(kReader, kStarter));
  goroutines_.received(kElsewhere, by(kReader, kStarter));
  goroutines_.noted(CLEW_GO_SERVES_READERS, note(30, kReader, 0, 1));
  EXPECT_FALSE(ask(30, kReader, kBack));
}

TEST_F(GoroutineStreamsTest, NumbersOfStreamsAreReadWhole) {
  const auto read = GoroutineStreams::Note::decode(note(5, 6, 7, 0x7fff'fff1).execution);
  EXPECT_EQ(read.goroutine, 5);
  EXPECT_EQ(read.writer, 7);
  EXPECT_EQ(read.stream, 0x7fff'fff1);
}

TEST_F(GoroutineStreamsTest, WhatDoesNotFitIsRefusedOrForgottenAndCounted) {
  GoroutineStreams streams(settings(counters_, 2));
  for (uint64_t stream = 1; stream < 9; stream += 2) {
    streams.read({.connection = 1, .stream_id = stream}, kReader, kStarter);
    streams.ask({.goroutine = 30, .writer = kWriter, .stream = stream});
    streams.ask({.goroutine = 30 + stream});
  }
  EXPECT_EQ(counters_.get("full").value(), 6);
  EXPECT_TRUE(streams.serve(kReader, 3, false));
  EXPECT_FALSE(streams.serve(kReader, 5, false));
  EXPECT_FALSE(streams.asker(kWriter, 0, 3));
  EXPECT_TRUE(streams.asker(kWriter, 0, 5));
  EXPECT_FALSE(streams.asker(90, 33, 1));
  EXPECT_TRUE(streams.asker(90, 35, 1));
}

}  // namespace
}  // namespace clew::correlation
