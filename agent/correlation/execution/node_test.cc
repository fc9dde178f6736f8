// SPDX-License-Identifier: Apache-2.0
// Turns and ids as Node shows them; above all, what must not be attributed.
#include "agent/correlation/execution/node.h"

#include <gtest/gtest.h>

namespace clew::correlation {
namespace {

constexpr RequestKey kOne{.connection = 1, .position = 0};
constexpr RequestKey kTwo{.connection = 2, .position = 0};
constexpr RequestKey kBackOne{.connection = 11, .position = 0};
constexpr RequestKey kBackTwo{.connection = 12, .position = 0};

class NodeTest : public testing::Test {
 protected:
  static constexpr uint64_t kInTurn = uint64_t{1} << 63;

  Caller call(uint64_t execution, uint64_t trigger, bool in_turn = true) const {
    return {.process_id = 7,
            .thread_id = 7,
            .model = ExecutionModel::kNode,
            .execution = {execution | (in_turn ? kInTurn : 0), trigger | number_ << 53, counter_},
            .time_ns = 1};
  }
  // The main thread reads; `ids` is how many were made since the last read.
  void read(uint64_t connection, uint64_t ids, bool immediates = false) {
    number_++;
    counter_ += ids;
    reads_++;
    Caller caller = call(0, 0);
    caller.execution = {connection, counter_ | (loop_ & 1023) << 53 | (immediates ? kInTurn : 0),
                        number_ | (reads_ & 0xffff) << 16 | timers_ << 32};
    node_.noted(1, caller);
  }
  void receive(const RequestKey& request, uint64_t ids = 1) {
    read(request.connection, ids);
    node_.received(request, call(0, 0));
  }
  void answer(const RequestKey& request, std::optional<RequestKey> cause, uint64_t ids = 1) {
    read(request.connection, ids);
    node_.answered(request, call(0, 0), cause);
  }
  // A tick sends it: its id was made just now.
  std::optional<Cause> send(const RequestKey& request, uint64_t trigger, bool in_turn = true) {
    counter_ += 2;
    return node_.sent(request, call(counter_ - 1, trigger, in_turn));
  }
  // An immediate with that id sends it, in the same turn of the loop as the latest read.
  std::optional<Cause> send_behind(const RequestKey& request, uint64_t immediate, uint64_t trigger = 0, bool alone = true) {
    counter_ += 2;
    Caller caller = call(immediate, trigger, false);
    caller.execution[0] |= uint64_t{1} << 62 | (alone ? uint64_t{1} << 61 : 0);
    return node_.sent(request, caller);
  }
  static std::string told(const std::optional<Cause>& cause) {
    if (!cause) return "none";
    return (cause->request == kOne ? "one by " : cause->request == kTwo ? "two by " : "? by ") + std::string(name_of(cause->evidence));
  }

  base::Counters counters_;
  ExecutionSettings settings_{.full = &counters_.get("full", ""), .ambiguous = &counters_.get("ambiguous", "")};
  Node node_{settings_};
  uint64_t counter_ = 100;
  uint64_t number_ = 0;
  uint64_t reads_ = 0;
  uint64_t loop_ = 50;
  uint64_t timers_ = 5;
};

TEST_F(NodeTest, WhatIsSentInARequestsTurnIsForIt) {
  receive(kOne);
  EXPECT_EQ(told(send(kBackOne, 8)), "one by execution");
  EXPECT_EQ(told(send(kBackTwo, 0)), "one by execution");
}

TEST_F(NodeTest, ATimersCallbackIsNobodysTurn) {
  receive(kOne);
  EXPECT_EQ(told(send(kBackOne, 0, false)), "none");
}

TEST_F(NodeTest, WhatFollowsAnAnswerIsForTheRequestThatHadAsked) {
  receive(kOne);
  send(kBackOne, 0);
  receive(kTwo);
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, 0)), "one by causal");
}

TEST_F(NodeTest, ABodyThatComesLaterIsReadInItsOwnRequestsTurn) {
  receive(kOne);
  receive(kTwo);
  read(kOne.connection, 1);
  EXPECT_EQ(told(send(kBackOne, 0)), "one by execution");
}

TEST_F(NodeTest, ARequestThatWaitedForAConnectionIsNamedByTheIdThatItMadeThen) {
  receive(kOne);
  send(kBackOne, 0);
  receive(kTwo);
  const uint64_t queued = ++counter_;
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, queued)), "two by causal");
}

TEST_F(NodeTest, AnIdIsNobodysIfATimerFiredBeforeTheNextRead) {
  receive(kOne);
  send(kBackOne, 0);
  receive(kTwo);
  const uint64_t queued = ++counter_;
  timers_++;
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, queued)), "none");
}

TEST_F(NodeTest, AnIdIsNobodysIfTheThreadPoolWokeTheLoopBeforeTheNextRead) {
  receive(kOne);
  send(kBackOne, 0);
  receive(kTwo);
  const uint64_t queued = ++counter_;
  reads_++;
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, queued)), "none");
}

TEST_F(NodeTest, AnIdIsNobodysIfImmediatesWaitedWhenItsTurnBegan) {
  receive(kOne);
  send(kBackOne, 0);
  read(kTwo.connection, 1, true);
  node_.received(kTwo, call(0, 0));
  const uint64_t queued = ++counter_;
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, queued)), "none");
}

TEST_F(NodeTest, TheIdsOfARequestThatIsOverGoToNobodyElse) {
  receive(kOne);
  send(kBackOne, 0);
  receive(kTwo);
  const uint64_t queued = ++counter_;
  node_.done(kTwo, 5);
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, queued)), "none");
}

TEST_F(NodeTest, TheIdsMadeWhileARequestWasSentAreItsOwn) {
  receive(kOne);
  receive(kTwo);
  timers_++;  // and so the range is nobody's
  const RequestKey own{.connection = 11, .position = 0};
  read(kOne.connection, 1);
  send(own, 0);
  const uint64_t parser = counter_;
  timers_++;
  answer(own, kOne);
  EXPECT_EQ(told(send(kBackTwo, parser)), "one by causal");
}

TEST_F(NodeTest, WhatIsSentWhenItsConnectionIsThereOwnsNoIdsOfThatTime) {
  receive(kOne);
  const uint64_t connects = ++counter_;
  node_.noted(2, call(connects, 0));
  node_.connecting(kBackOne.connection, call(0, 0));
  receive(kTwo);
  const uint64_t queued = ++counter_;
  node_.sent(kBackOne, call(connects, 0, false));
  answer(kBackOne, kOne);
  EXPECT_EQ(told(send(kBackOne, queued)), "two by causal");
}

TEST_F(NodeTest, TwoRequestsInOneReadAreNotToldApart) {
  receive(kOne);
  node_.received({.connection = 1, .position = 70}, call(0, 0));
  EXPECT_EQ(told(send(kBackOne, 0)), "none");
  EXPECT_EQ(settings_.ambiguous->value(), 1U);
}

TEST_F(NodeTest, ATurnThatWasNotToldOfIsNobodys) {
  receive(kOne);
  number_++;  // its note was lost
  EXPECT_EQ(told(send(kBackOne, 0)), "none");
}

TEST_F(NodeTest, AWorkerThreadShowsNothing) {
  receive(kOne);
  Caller worker = call(0, 0);
  worker.model = ExecutionModel::kThreads;
  EXPECT_EQ(told(node_.sent(kBackOne, worker)), "none");
}

TEST_F(NodeTest, AConnectionIsForTheRequestInWhoseTurnItWasBegun) {
  receive(kOne);
  node_.noted(2, call(101, 0));
  node_.connecting(kBackOne.connection, call(0, 0));
  receive(kTwo);
  EXPECT_EQ(told(send(kBackOne, 0, false)), "one by execution");
  EXPECT_EQ(told(send(kBackOne, 0, false)), "none");
}

TEST_F(NodeTest, AProgramThatHandsWorkOnIsTrustedInTheTurnsOfRequestsOnly) {
  receive(kOne);
  send(kBackOne, 0);
  receive(kTwo);
  answer(kBackOne, kOne);
  send(kBackTwo, 0);  // as a queue of promises does: for the second, but nothing shows it
  answer(kBackTwo, kOne);
  node_.responding(kTwo, call(counter_, 0));
  EXPECT_EQ(told(send(kBackOne, 0)), "none");
  receive(kTwo);
  EXPECT_EQ(told(send(kBackTwo, 0)), "two by execution");
}

TEST_F(NodeTest, IsIdleWhenAllRequestsAreDone) {
  EXPECT_TRUE(node_.idle());
  receive(kOne);
  EXPECT_FALSE(node_.idle());
  node_.done(kOne, 5);
  EXPECT_TRUE(node_.idle());
}

// undici: fetch() on a connection that was idle.
TEST_F(NodeTest, AnImmediateWorksForTheTurnThatMadeIt) {
  receive(kOne);
  const uint64_t first = ++counter_;
  receive(kTwo);
  const uint64_t second = ++counter_;
  EXPECT_EQ(told(send_behind(kBackOne, first, 19)), "one by causal");
  EXPECT_EQ(told(send_behind(kBackTwo, second, 19)), "two by causal");
}

TEST_F(NodeTest, AfterAnAnswerItDoesIfItHasNoTrigger) {
  receive(kOne);
  send(kBackOne, 0);
  answer(kBackOne, kOne);
  const uint64_t to_look = ++counter_;
  const uint64_t to_free = ++counter_;  // undici's own, for whoever waits for the connection
  EXPECT_EQ(told(send_behind(kBackOne, to_look)), "one by causal");
  EXPECT_EQ(told(send_behind(kBackOne, to_free, to_look)), "none");
}

TEST_F(NodeTest, AnImmediateOfAnEarlierTurnOfTheLoopIsNobodys) {
  receive(kOne);
  const uint64_t id = ++counter_;
  loop_++;
  receive(kTwo);
  EXPECT_EQ(told(send_behind(kBackOne, id)), "none");
}

TEST_F(NodeTest, AnImmediateThatTheThreadPoolMayHaveMadeIsNobodys) {
  receive(kOne);
  const uint64_t first = ++counter_;
  reads_++;
  receive(kTwo);
  const uint64_t second = ++counter_;
  EXPECT_EQ(told(send_behind(kBackOne, first)), "none");
  EXPECT_EQ(told(send_behind(kBackOne, second, 0, /*alone=*/false)), "none");
}

TEST_F(NodeTest, WhatAnImmediateSendsBesideItsFirstIsOfAQueue) {
  receive(kOne);
  const uint64_t id = ++counter_;
  EXPECT_EQ(told(send_behind(kBackOne, id)), "one by causal");
  EXPECT_EQ(told(send_behind(kBackTwo, id)), "none");
}

TEST_F(NodeTest, AnImmediateIsNobodysIfANoteWasLostOrItsRequestIsAnswered) {
  receive(kOne);
  const uint64_t id = ++counter_;
  number_++;
  EXPECT_EQ(told(send_behind(kBackOne, id)), "none");
  number_--;
  node_.done(kOne, 1);
  EXPECT_EQ(told(send_behind(kBackOne, id)), "none");
}

// What libuv reads belongs to the socket; the request is in the plaintext of its TLS session.
TEST_F(NodeTest, ARequestOverTlsIsOfTheTurnInWhichItsSocketWasRead) {
  const RequestKey secure{.connection = kOne.connection | kTlsConnection, .position = 0};
  read(kOne.connection, 1);
  node_.received(secure, call(0, 0));
  const auto cause = send({.connection = kBackOne.connection | kTlsConnection, .position = 0}, 8);
  ASSERT_TRUE(cause);
  EXPECT_EQ(cause->request, secure);
}

}  // namespace
}  // namespace clew::correlation
