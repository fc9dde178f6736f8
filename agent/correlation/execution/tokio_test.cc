// SPDX-License-Identifier: Apache-2.0
// For which request a task works that waits for an answer; above all, when nothing may be said.
#include "agent/correlation/execution/tokio.h"

#include <gtest/gtest.h>

namespace clew::correlation {
namespace {

constexpr RequestKey kFront{.connection = 1, .position = 0};
constexpr RequestKey kNextFront{.connection = 1, .position = 100};
constexpr RequestKey kOtherFront{.connection = 2, .position = 0};
constexpr RequestKey kBack{.connection = 11, .position = 0};

// Tasks: two that serve a connection each, one that is a client's connection, one that they spawn.
constexpr uint64_t kServer = 5;
constexpr uint64_t kOtherServer = 6;
constexpr uint64_t kClient = 20;
constexpr uint64_t kHelper = 30;
constexpr uint64_t kNobody = 0;

// As the kernel side packs it.
constexpr uint64_t kProven = uint64_t{1} << 63;
constexpr uint64_t kUnheard = uint64_t{1} << 62;
constexpr uint64_t kJoinable = uint64_t{1} << 63;
constexpr uint64_t kJoined = uint64_t{1} << 62;
constexpr uint64_t kKind = uint64_t{77} << 44;
constexpr uint64_t kOtherKind = uint64_t{78} << 44;
constexpr uint32_t kSpawned = 1;
constexpr uint32_t kBlocking = 2;

class TokioTest : public testing::Test {
 protected:
  static Caller by(uint64_t task, uint64_t waiter = 0, uint64_t joiner = 0) {
    return {.process_id = 1, .thread_id = 5, .model = ExecutionModel::kTokio, .execution = {task, waiter, joiner}, .time_ns = 1'000};
  }
  /// Sends over a client's connection, and `waiter` waits for the answer.
  std::optional<Cause> send_for(uint64_t waiter, uint64_t joiner = kKind) {
    return tokio_.sent(kBack, by(kClient | kProven, waiter, joiner));
  }
  ExecutionSettings settings(size_t threads_max = 100) {
    return {.threads_max = threads_max, .full = &counters_.get("full"), .ambiguous = &counters_.get("ambiguous")};
  }
  static void expect_cause(const std::optional<Cause>& cause, const RequestKey& request, Evidence evidence) {
    ASSERT_TRUE(cause);
    EXPECT_EQ(cause->request, request);
    EXPECT_EQ(name_of(cause->evidence), name_of(evidence));
  }

  base::Counters counters_;
  Tokio tokio_{settings()};
};

TEST_F(TokioTest, WhoWaitsForTheAnswerHasAsked) {
  tokio_.received(kFront, by(kServer));
  tokio_.received(kOtherFront, by(kOtherServer));
  expect_cause(send_for(kOtherServer), kOtherFront, Evidence::kExecution);
  expect_cause(send_for(kServer), kFront, Evidence::kExecution);
}

TEST_F(TokioTest, AWaiterThatServesNobodyIsNoOnes) {
  tokio_.received(kFront, by(kServer));
  EXPECT_FALSE(send_for(kHelper | kJoinable));
}

TEST_F(TokioTest, ATaskSendsForWhatItHasReadItself) {
  tokio_.received(kFront, by(kServer));
  expect_cause(tokio_.sent(kBack, by(kServer | kProven, kServer, kKind)), kFront, Evidence::kExecution);
}

TEST_F(TokioTest, WhatIsNotProvenSaysNothing) {
  tokio_.received(kFront, by(kServer));
  EXPECT_FALSE(tokio_.sent(kBack, by(kClient, kServer)));
  Caller thread = by(kClient | kProven, kServer);
  thread.model = ExecutionModel::kThreads;
  EXPECT_FALSE(tokio_.sent(kBack, thread));
}

TEST_F(TokioTest, AStreamIsForTheOnlyRequestUnderWayOrForOneOfAFew) {
  constexpr RequestKey kStream{.connection = 3, .position = 0, .stream_id = 1};
  constexpr RequestKey kBackStream{.connection = 12, .position = 0, .stream_id = 1};
  const Caller anybody{.process_id = 1, .model = ExecutionModel::kTokio, .time_ns = 2'000};
  tokio_.received(kStream, anybody);
  expect_cause(tokio_.sent(kBackStream, anybody), kStream, Evidence::kInferred);
  EXPECT_FALSE(send_for(kServer));
  tokio_.received(kFront, by(kServer));
  EXPECT_FALSE(tokio_.sent(kBackStream, anybody));
  EXPECT_EQ(tokio_.candidates(anybody).size(), 2);
  EXPECT_TRUE(tokio_.candidates(by(kServer)).empty());
  tokio_.done(kStream, 3'000);
  tokio_.done(kFront, 3'000);
  EXPECT_TRUE(tokio_.idle());
}

TEST_F(TokioTest, OutsideOfTasksNothingIsServed) {
  tokio_.received(kFront, by(kNobody));
  tokio_.done(kFront, 2'000);
  EXPECT_TRUE(tokio_.idle());
  EXPECT_FALSE(send_for(kNobody));
}

TEST_F(TokioTest, AfterTheAnswerATaskWorksForNobody) {
  tokio_.received(kFront, by(kServer));
  tokio_.done(kFront, 2'000);
  EXPECT_FALSE(send_for(kServer));
  EXPECT_TRUE(tokio_.idle());
}

TEST_F(TokioTest, OfRequestsOfOneConnectionTheFirstIsServedFirst) {
  tokio_.received(kFront, by(kServer));
  tokio_.received(kNextFront, by(kServer));
  expect_cause(send_for(kServer), kFront, Evidence::kExecution);
  tokio_.done(kFront, 2'000);
  expect_cause(send_for(kServer), kNextFront, Evidence::kExecution);
}

TEST_F(TokioTest, OneTaskForTwoConnectionsIsAmbiguous) {
  tokio_.received(kFront, by(kServer));
  tokio_.received(kOtherFront, by(kServer));
  EXPECT_FALSE(send_for(kServer));
  EXPECT_EQ(counters_.get("ambiguous").value(), 1);
}

TEST_F(TokioTest, ATaskWhoseEndIsAwaitedWorksForWhoWaits) {
  tokio_.received(kFront, by(kServer));
  expect_cause(send_for(kHelper | kJoinable | kJoined, kServer | kKind), kFront, Evidence::kCausal);
}

TEST_F(TokioTest, ASpawnedTaskCountsOnceItsKindIsWaitedFor) {
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kSpawned, by(kServer, kHelper));
  tokio_.noted(kSpawned, by(kServer, kHelper + 1));
  EXPECT_FALSE(send_for((kHelper + 1) | kJoinable));
  expect_cause(send_for(kHelper | kJoinable | kJoined, kServer | kKind), kFront, Evidence::kCausal);
  expect_cause(send_for((kHelper + 1) | kJoinable), kFront, Evidence::kCausal);
  EXPECT_FALSE(send_for((kHelper + 1) | kJoinable, kOtherKind));
}

TEST_F(TokioTest, ASpawnedTaskThatSomethingElseWaitsForCounts) {  // JoinSet
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kSpawned, by(kServer, kHelper));
  expect_cause(send_for(kHelper | kJoinable | kJoined), kFront, Evidence::kCausal);
}

TEST_F(TokioTest, ATaskThatWasLetGoOfIsNoOnesNorAreOthersLikeIt) {
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kSpawned, by(kServer, kHelper));
  tokio_.noted(kSpawned, by(kServer, kHelper + 1));
  EXPECT_FALSE(send_for(kHelper));
  EXPECT_FALSE(send_for((kHelper + 1) | kJoinable | kJoined, kServer | kKind));
}

TEST_F(TokioTest, ATaskThatOutlivesItsRequestTakesJobs) {
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kSpawned, by(kServer, kHelper));
  tokio_.done(kFront, 2'000);
  tokio_.received(kNextFront, by(kServer));
  EXPECT_FALSE(send_for(kHelper | kJoinable | kJoined));
  tokio_.noted(kSpawned, by(kServer, kHelper + 1));
  EXPECT_FALSE(send_for((kHelper + 1) | kJoinable | kJoined));
}

TEST_F(TokioTest, WhatATaskSpawnsThatServesNobodyIsNoOnes) {
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kSpawned, by(kOtherServer, kHelper));
  tokio_.noted(kSpawned, by(kHelper, kHelper + 1));
  EXPECT_FALSE(send_for(kHelper | kJoinable | kJoined));
  EXPECT_FALSE(send_for((kHelper + 1) | kJoinable | kJoined));
}

TEST_F(TokioTest, AConnectionBeginsWithTheRequestOfWhoHasMadeIt) {
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kSpawned, by(kServer, kClient));
  EXPECT_FALSE(tokio_.sent(kBack, by(kClient | kProven)));  // its channel is not known
  expect_cause(tokio_.sent(kBack, by(kClient | kProven | kUnheard)), kFront, Evidence::kCausal);
  EXPECT_FALSE(tokio_.sent(kBack, by(kClient | kProven | kUnheard)));
}

TEST_F(TokioTest, AConnectionThatHasServedOthersIsNoOnes) {
  tokio_.received(kFront, by(kServer));
  tokio_.received(kOtherFront, by(kOtherServer));
  tokio_.noted(kSpawned, by(kServer, kClient));
  expect_cause(send_for(kOtherServer), kOtherFront, Evidence::kExecution);
  EXPECT_FALSE(tokio_.sent(kBack, by(kClient | kProven | kUnheard)));
}

TEST_F(TokioTest, ABlockingFunctionSendsForWhoHasStartedIt) {
  tokio_.received(kFront, by(kServer));
  tokio_.noted(kBlocking, by(kServer, kHelper));
  tokio_.noted(kSpawned, by(kServer, kHelper + 1));
  expect_cause(tokio_.sent(kBack, by(kHelper | kProven, kHelper | kJoinable | kJoined, kServer | kKind)), kFront, Evidence::kCausal);
  // A task may be a connection's, of a client that is not known.
  EXPECT_FALSE(tokio_.sent(kBack, by((kHelper + 1) | kProven, (kHelper + 1) | kJoinable | kJoined, kServer | kKind)));
}

TEST_F(TokioTest, ABoundIsKeptAndCounted) {
  Tokio small{settings(1)};
  small.received(kFront, by(kServer));
  small.received(kOtherFront, by(kOtherServer));
  small.noted(kSpawned, by(kServer, kHelper));
  small.noted(kSpawned, by(kServer, kHelper + 1));
  EXPECT_EQ(counters_.get("full").value(), 2);
  EXPECT_FALSE(small.sent(kBack, by(kClient | kProven, kOtherServer, kKind)));
}

}  // namespace
}  // namespace clew::correlation
