// SPDX-License-Identifier: Apache-2.0
// Which goroutine's request it is; above all, when nothing may be said.
#include "agent/correlation/execution/goroutines.h"

#include <gtest/gtest.h>

namespace clew::correlation {
namespace {

constexpr RequestKey kFront{.connection = 1, .position = 0};
constexpr RequestKey kNextFront{.connection = 1, .position = 100};
constexpr RequestKey kOtherFront{.connection = 2, .position = 0};
constexpr RequestKey kBack{.connection = 11, .position = 0};

// As the kernel side packs it: `left` ids from `next` on, and the scheduler has handed out all up to `highest`.
uint64_t free_ids(uint64_t next, uint64_t left, uint64_t highest) { return (next & 0xffffffff) | left << 32 | (highest - next + 1) << 37; }
constexpr uint64_t kNotKnown = 0;

class GoroutinesTest : public testing::Test {
 protected:
  static Caller by(uint64_t goroutine, uint64_t parent, uint64_t time_ns, uint64_t free = kNotKnown) {
    return {
        .process_id = 1, .thread_id = 5, .model = ExecutionModel::kGoroutines, .execution = {goroutine, parent, free}, .time_ns = time_ns};
  }
  ExecutionSettings settings(size_t threads_max = 100) {
    return {.threads_max = threads_max, .full = &counters_.get("full"), .ambiguous = &counters_.get("ambiguous")};
  }
  void expect_cause(const std::optional<Cause>& cause, const RequestKey& request, Evidence evidence = Evidence::kExecution) {
    ASSERT_TRUE(cause);
    EXPECT_EQ(cause->request, request);
    EXPECT_EQ(name_of(cause->evidence), name_of(evidence));
  }
  /// By a goroutine that the request has started.
  void expect_started(const std::optional<Cause>& cause, const RequestKey& request) { expect_cause(cause, request, Evidence::kCausal); }

  base::Counters counters_;
  Goroutines goroutines_{settings()};
};

TEST_F(GoroutinesTest, WhatTheReaderSendsIsForWhatItHasRead) {
  goroutines_.received(kFront, by(20, 1, 1'000));
  goroutines_.received(kOtherFront, by(21, 1, 1'000));
  expect_cause(goroutines_.sent(kBack, by(20, 1, 2'000)), kFront);
  expect_cause(goroutines_.sent(kBack, by(21, 1, 2'000)), kOtherFront);
}

TEST_F(GoroutinesTest, NothingReadMeansNothingSaid) {
  goroutines_.received(kFront, by(0, 0, 1'000));
  EXPECT_FALSE(goroutines_.sent(kBack, by(0, 0, 2'000)));
  EXPECT_TRUE(goroutines_.idle());
}

TEST_F(GoroutinesTest, AfterTheAnswerAGoroutineWorksForNobody) {
  goroutines_.received(kFront, by(20, 1, 1'000));
  goroutines_.done(kFront, 2'000);
  EXPECT_FALSE(goroutines_.sent(kBack, by(20, 1, 3'000)));
  EXPECT_TRUE(goroutines_.idle());
}

TEST_F(GoroutinesTest, OfRequestsOfOneConnectionTheFirstIsServedFirst) {
  goroutines_.received(kFront, by(20, 1, 1'000));
  goroutines_.received(kNextFront, by(20, 1, 1'000));
  expect_cause(goroutines_.sent(kBack, by(20, 1, 2'000)), kFront);
  goroutines_.done(kFront, 3'000);
  expect_cause(goroutines_.sent(kBack, by(20, 1, 4'000)), kNextFront);
}

TEST_F(GoroutinesTest, OfTwoConnectionsReadByOneGoroutineNeitherIsTaken) {
  goroutines_.received(kFront, by(20, 1, 1'000));
  goroutines_.received(kOtherFront, by(20, 1, 1'000));
  EXPECT_FALSE(goroutines_.sent(kBack, by(20, 1, 2'000)));
}

TEST_F(GoroutinesTest, AnIdThatWasFreeWhenTheRequestCameIsAGoroutineOfThatRequest) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  expect_started(goroutines_.sent(kBack, by(36, 20, 2'000)), kFront);
  expect_started(goroutines_.sent(kBack, by(48, 20, 2'000)), kFront);
}

TEST_F(GoroutinesTest, SoIsOneThatNoProcessorHadYet) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 0, 64)));
  expect_started(goroutines_.sent(kBack, by(65, 20, 2'000)), kFront);
}

TEST_F(GoroutinesTest, OneThatMayHaveBeenStartedForAnEarlierRequestIsNot) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  goroutines_.done(kFront, 2'000);
  goroutines_.received(kNextFront, by(20, 1, 3'000, free_ids(40, 9, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(39, 20, 4'000)));  // started by then
  EXPECT_FALSE(goroutines_.sent(kBack, by(60, 20, 4'000)));  // another processor's batch: not known
  expect_started(goroutines_.sent(kBack, by(40, 20, 4'000)), kNextFront);
  EXPECT_EQ(counters_.get("ambiguous").value(), 2);
}

TEST_F(GoroutinesTest, ALaterLookAtAnotherProcessorTellsOfItsBatch) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(60, 20, 1'500)));
  goroutines_.answered(kBack, by(21, 1, 2'000, free_ids(58, 7, 64)), std::nullopt);
  expect_started(goroutines_.sent(kBack, by(60, 20, 3'000)), kFront);
}

TEST_F(GoroutinesTest, WhatWasStartedForTheFirstOfTwoThatWereReadTogetherIsNotForTheSecond) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  goroutines_.received(kNextFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 20, 2'000)));
  goroutines_.done(kFront, 3'000);
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 20, 4'000)));
}

TEST_F(GoroutinesTest, GrandchildrenAreFollowedThroughGoroutinesThatWereSeen) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(70, 36, 2'000)));
  expect_started(goroutines_.sent(kBack, by(36, 20, 3'000)), kFront);
  expect_started(goroutines_.sent(kBack, by(70, 36, 4'000)), kFront);
}

TEST_F(GoroutinesTest, GoroutinesStartedOutsideOfAnyRequestWorkForNobody) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(7, 1, 2'000)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 0, 2'000)));  // before Go 1.21
}

TEST_F(GoroutinesTest, WhatAGoroutineTakesFromAChannelMayBeAnybodysJob) {
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  constexpr uint64_t kHanded = uint64_t{1} << 63;
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 20 | kHanded, 2'000)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 20, 3'000)));  // it is such a one
  EXPECT_FALSE(goroutines_.sent(kBack, by(70, 36, 3'000)));  // and so are those that it starts
  expect_started(goroutines_.sent(kBack, by(37, 20, 3'000)), kFront);
  expect_cause(goroutines_.sent(kBack, by(20, 1 | kHanded, 3'000)), kFront);  // the reader itself works for nobody else
}

TEST_F(GoroutinesTest, AFunctionWhoseGoroutinesTakeJobsForLaterRequestsIsAPoolForEver) {
  constexpr uint64_t kHanded = uint64_t{1} << 63;
  constexpr uint64_t kFunction = uint64_t{77} << 44;
  goroutines_.received(kFront, by(20, 1, 1'000, free_ids(36, 13, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 20 | kFunction | kHanded, 2'000)));
  expect_started(goroutines_.sent(kBack, by(37, 20 | kFunction, 2'000)), kFront);  // no harm yet: it may be of this request
  goroutines_.done(kFront, 3'000);
  goroutines_.received(kNextFront, by(20, 1, 4'000, free_ids(38, 11, 64)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(36, 20 | kFunction | kHanded, 5'000)));
  EXPECT_FALSE(goroutines_.sent(kBack, by(38, 20 | kFunction, 6'000)));
  expect_started(goroutines_.sent(kBack, by(39, 20, 6'000)), kNextFront);
}

TEST_F(GoroutinesTest, IdsAboveTheirLowHalfAreReadRight) {
  const uint64_t base = 5ULL << 32;
  const auto free = GoroutineIds::Free::decode(free_ids(base - 2, 5, base + 10), base + 7);
  EXPECT_EQ(free.next, base - 2);
  EXPECT_EQ(free.end, base + 3);
  EXPECT_EQ(free.highest, base + 10);
}

TEST_F(GoroutinesTest, GoroutinesAreForgottenWhereThereIsNoRoom) {
  Goroutines small(settings(4));
  small.received(kFront, by(20, 1, 1'000));
  for (uint64_t id = 100; id < 200; ++id) EXPECT_FALSE(small.sent(kBack, by(id, 1, 2'000)));
  expect_cause(small.sent(kBack, by(20, 1, 3'000)), kFront);
}

}  // namespace
}  // namespace clew::correlation
