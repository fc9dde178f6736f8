// SPDX-License-Identifier: Apache-2.0
// Threads that hand their work on, pools that must show that they do not, and Java's virtual threads.
#include "agent/correlation/execution/threads.h"

#include <gtest/gtest.h>

namespace clew::correlation {
namespace {

constexpr RequestKey kFront{.connection = 1, .position = 0};
constexpr RequestKey kOtherFront{.connection = 2, .position = 0};
constexpr RequestKey kBack{.connection = 11, .position = 0};
constexpr uint32_t kAnswersThatEarnTrust = 16;

class ThreadsTest : public testing::Test {
 protected:
  static Caller thread(uint32_t id, bool blocking = true) {
    return {.process_id = 1, .thread_id = id, .blocking = blocking, .model = ExecutionModel::kPools, .time_ns = 1'000};
  }
  static Caller virtual_thread(uint64_t number, uint32_t carrier) {
    Caller caller = thread(carrier, false);
    caller.execution[0] = number;
    return caller;
  }
  ExecutionSettings settings() { return {.full = &counters_.get("full"), .ambiguous = &counters_.get("ambiguous")}; }
  static void answer(Threads& threads, const RequestKey& request, const Caller& caller) {
    threads.responding(request, caller);
    threads.done(request, 2'000);
  }
  static void earn_trust(Threads& threads, uint32_t answers = kAnswersThatEarnTrust) {
    for (uint64_t i = 0; i < answers; ++i) {
      threads.received({.connection = 100 + i}, thread(9));
      answer(threads, {.connection = 100 + i}, thread(9));
    }
  }
  static void expect_cause(const std::optional<Cause>& cause, const RequestKey& request, Evidence evidence = Evidence::kExecution) {
    ASSERT_TRUE(cause);
    EXPECT_EQ(cause->request, request);
    EXPECT_EQ(name_of(cause->evidence), name_of(evidence));
  }

  base::Counters counters_;
  Threads threads_{settings()};
  Threads pools_{settings(), /*earns_trust=*/true};
};

TEST_F(ThreadsTest, AnAnswerByAnotherThreadMeansThatWorkIsHandedOn) {
  threads_.received(kFront, thread(5));
  expect_cause(threads_.sent(kBack, thread(5)), kFront);
  threads_.received(kOtherFront, thread(6));
  answer(threads_, kOtherFront, thread(7));
  threads_.received(kOtherFront, thread(6));
  EXPECT_FALSE(threads_.sent(kBack, thread(5)));
  EXPECT_EQ(threads_.candidates(thread(5)).size(), 2U);
  answer(threads_, kOtherFront, thread(6));
  expect_cause(threads_.sent(kBack, thread(7)), kFront, Evidence::kInferred);
}

TEST_F(ThreadsTest, AnAnswerToWhatNobodyWaitedForSaysNothing) {
  threads_.received(kFront, thread(5));
  threads_.received(kOtherFront, thread(6, false));
  answer(threads_, kOtherFront, thread(7));
  expect_cause(threads_.sent(kBack, thread(5)), kFront);
}

TEST_F(ThreadsTest, APoolsThreadCountsOnceEnoughHaveAnsweredWhatTheyRead) {
  earn_trust(pools_, kAnswersThatEarnTrust - 1);
  pools_.received(kFront, thread(5));
  pools_.received(kOtherFront, thread(6));
  EXPECT_FALSE(pools_.sent(kBack, thread(5)));
  EXPECT_EQ(pools_.candidates(thread(5)).size(), 2U);
  EXPECT_EQ(counters_.get("ambiguous").value(), 1U);
  answer(pools_, kOtherFront, thread(6));
  pools_.received(kOtherFront, thread(6));
  expect_cause(pools_.sent(kBack, thread(5)), kFront);
  expect_cause(pools_.sent(kBack, thread(6)), kOtherFront);
}

TEST_F(ThreadsTest, ItCountsAtOnceForTheOnlyRequest) {
  pools_.received(kFront, thread(5));
  expect_cause(pools_.sent(kBack, thread(5)), kFront);
}

TEST_F(ThreadsTest, AVirtualThreadWorksForWhatItHasReadOnWhateverCarrier) {
  earn_trust(pools_);
  pools_.received(kFront, virtual_thread(40, 5));
  pools_.received(kOtherFront, virtual_thread(41, 5));
  expect_cause(pools_.sent(kBack, virtual_thread(41, 6)), kOtherFront);
  expect_cause(pools_.sent(kBack, virtual_thread(40, 6)), kFront);
  EXPECT_FALSE(pools_.sent(kBack, virtual_thread(42, 5))) << "it has read nothing";
  EXPECT_FALSE(pools_.sent(kBack, thread(5))) << "the carrier itself";
  answer(pools_, kFront, virtual_thread(40, 7));
  EXPECT_FALSE(pools_.serves(40 | uint64_t{1} << 63));
  expect_cause(pools_.sent(kBack, virtual_thread(41, 5)), kOtherFront);
}

TEST_F(ThreadsTest, ACarriersNumberIsNotAVirtualThreads) {
  earn_trust(pools_);
  pools_.received(kFront, virtual_thread(40, 5));
  pools_.received(kOtherFront, virtual_thread(41, 5));
  EXPECT_FALSE(pools_.sent(kBack, thread(40)));
}

TEST_F(ThreadsTest, AVirtualThreadsRequestThatAPlatformThreadAnswersIsNoSign) {
  earn_trust(pools_);
  pools_.received(kFront, virtual_thread(40, 5));
  answer(pools_, kFront, thread(6));
  pools_.received(kFront, virtual_thread(43, 5));
  pools_.received(kOtherFront, virtual_thread(44, 5));
  expect_cause(pools_.sent(kBack, virtual_thread(43, 5)), kFront);
  answer(pools_, kFront, virtual_thread(44, 6));  // one of theirs is: they are kept in a pool
  pools_.received(kFront, virtual_thread(43, 5));
  EXPECT_FALSE(pools_.sent(kBack, virtual_thread(43, 5)));
}

}  // namespace
}  // namespace clew::correlation
