// SPDX-License-Identifier: Apache-2.0
// Streams of Node.js's HTTP/2: JavaScript runs for one frame at a time, and what it asks for then is sent later, with that of others.
#include "agent/correlation/execution/node_streams.h"

#include <gtest/gtest.h>

#include "agent/correlation/execution/node.h"
#include "bpf/events.h"

namespace clew::correlation {
namespace {

constexpr uint64_t kFront = 1;  // connections …
constexpr uint64_t kBack = 11;
constexpr uint64_t kFrontSession = 0x7000'0000'1000;  // … and their sessions
constexpr uint64_t kBackSession = 0x7000'0000'2000;
constexpr uint64_t kInTurn = uint64_t{1} << 63;

constexpr RequestKey front(uint64_t stream) { return {.connection = kFront, .position = stream * 10, .stream_id = stream}; }
constexpr RequestKey back(uint64_t stream) { return {.connection = kBack, .position = stream * 10, .stream_id = stream}; }

class NodeStreamsTest : public testing::Test {
 protected:
  Caller by(uint64_t first, uint64_t second, uint64_t third) const {
    return {.process_id = 7, .thread_id = 7, .model = ExecutionModel::kNode, .execution = {first, second, third}, .time_ns = 1};
  }
  void read(uint64_t connection) {
    number_++;
    counter_ += 10;
    node_.noted(1, by(connection, counter_, number_ & 0xffff));
  }
  void note(uint32_t what, uint64_t session, uint64_t stream, bool in_turn = true) {
    notes_++;
    node_.noted(what, by(session, stream, (number_ & 0xffff) | (in_turn ? uint64_t{1} << 32 : 0) | notes_ << 48));
  }
  void frame(uint64_t session, uint64_t stream) { note(CLEW_NODE_FRAME, session, stream); }
  void receive(std::initializer_list<uint64_t> streams) {
    read(kFront);
    for (const uint64_t stream : streams) node_.received(front(stream), by(0, 0, 0));
  }
  /// A tick, or with `execution` something else, asks for a stream.
  void ask(uint64_t stream, bool in_turn = true, uint64_t execution = 0) {
    notes_++;
    node_.noted(CLEW_NODE_ASKS, by(execution | (in_turn ? kInTurn : 0), number_ << 53, kBackSession | notes_ << 48));
    note(CLEW_NODE_ASKED, 0, stream, in_turn);
  }
  std::string send(uint64_t stream) {
    const auto cause = node_.sent(back(stream), by(0, 0, 0));
    if (!cause) return "none";
    return std::to_string(cause->request.stream_id) + " by " + std::string(name_of(cause->evidence));
  }
  /// Whose the session is shows where a frame of it is handed on.
  void connect() {
    read(kBack);
    frame(kBackSession, 1);
  }
  /// A request with one call, answered where its answer arrives. Streams of both sides have one number.
  void exchange(uint64_t stream) {
    receive({stream});
    frame(kFrontSession, stream);
    ask(stream);
    send(stream);
    read(kBack);
    frame(kBackSession, stream);
    note(CLEW_NODE_RESPONDS, kFrontSession, stream);
    node_.done(front(stream), 2);
  }
  void earn_trust() {
    for (uint64_t stream = 101; stream < 101 + 2 * 16; stream += 2) exchange(stream);
  }

  base::Counters counters_;
  ExecutionSettings settings_{.threads_max = 100, .full = &counters_.get("full"), .ambiguous = &counters_.get("ambiguous")};
  Node node_{settings_};
  uint64_t number_ = 0;
  uint64_t counter_ = 1000;
  uint64_t notes_ = 0;
};

TEST_F(NodeStreamsTest, WhatIsAskedInTheFrameOfAStreamIsForThatStream) {
  connect();
  receive({1, 3});
  frame(kFrontSession, 1);
  frame(kFrontSession, 3);
  ask(1);
  frame(kFrontSession, 1);
  ask(3);
  EXPECT_EQ(send(1), "3 by execution");
  EXPECT_EQ(send(3), "1 by execution");
  EXPECT_EQ(send(3), "none");  // told once
}

TEST_F(NodeStreamsTest, WhatRunsOutsideOfFramesIsForNobody) {
  connect();
  receive({1});
  frame(kFrontSession, 1);
  ask(1, /*in_turn=*/false);  // a timer, an immediate
  frame(kFrontSession, 0);    // the session writes, and whoever has waited for that goes on
  ask(3);
  read(kBack);  // another turn, no frame yet
  ask(5);
  EXPECT_EQ(send(1), "none");
  EXPECT_EQ(send(3), "none");
  EXPECT_EQ(send(5), "none");
}

TEST_F(NodeStreamsTest, WhatIsOlderThanTheReadIsForNobody) {
  connect();
  receive({1});
  frame(kFrontSession, 1);
  ask(1, true, counter_ - 5);
  ask(3, true, counter_ + 5);
  EXPECT_EQ(send(1), "none");
  EXPECT_EQ(send(3), "1 by execution");
}

TEST_F(NodeStreamsTest, WhatFollowsAnAnswerIsBelievedOnceTheProgramHasShownHowItAnswers) {
  connect();
  receive({1});
  frame(kFrontSession, 1);
  ask(1);
  EXPECT_EQ(send(1), "1 by execution");
  read(kBack);
  frame(kBackSession, 1);
  ask(3);
  EXPECT_EQ(send(3), "none");
  node_.done(front(1), 2);

  earn_trust();
  receive({5});
  frame(kFrontSession, 5);
  ask(7);
  EXPECT_EQ(send(7), "5 by execution");
  read(kBack);
  frame(kBackSession, 7);
  ask(9);
  EXPECT_EQ(send(9), "5 by causal");
  node_.done(front(5), 2);
  frame(kBackSession, 9);
  ask(11);
  EXPECT_EQ(send(11), "none");  // it is answered
}

TEST_F(NodeStreamsTest, AnAnswerShowsWhichConnectionItsSessionHasAndForWhomItIs) {
  connect();
  earn_trust();
  constexpr uint64_t kOther = 21;
  constexpr uint64_t kOtherSession = 0x7000'0000'3000;
  receive({1});
  frame(kFrontSession, 1);
  notes_++;
  node_.noted(CLEW_NODE_ASKS, by(kInTurn, number_ << 53, kOtherSession | notes_ << 48));
  note(CLEW_NODE_ASKED, 0, 1);
  EXPECT_FALSE(node_.sent({.connection = kOther, .position = 0, .stream_id = 1}, by(0, 0, 0)));
  read(kOther);
  frame(kOtherSession, 1);
  ask(51);
  EXPECT_EQ(send(51), "1 by causal");
}

TEST_F(NodeStreamsTest, AProgramThatAnswersInTheFramesOfOthersHasAQueue) {
  connect();
  earn_trust();
  receive({1, 3});
  frame(kFrontSession, 1);
  ask(1);
  EXPECT_EQ(send(1), "1 by execution");
  read(kBack);
  frame(kBackSession, 1);
  note(CLEW_NODE_RESPONDS, kFrontSession, 3);
  ask(3);
  EXPECT_EQ(send(3), "none");
}

TEST_F(NodeStreamsTest, BehindALostNoteNothingIsSaidBeforeTheNextFrame) {
  connect();
  receive({1, 3});
  frame(kFrontSession, 1);
  notes_++;  // of another frame
  ask(1);
  frame(kFrontSession, 3);
  ask(3);
  EXPECT_EQ(send(1), "none");
  EXPECT_EQ(send(3), "3 by execution");
}

TEST_F(NodeStreamsTest, SessionsThatWereNotSeenReadingSayNothing) {
  receive({1});
  note(CLEW_NODE_FRAME, kFrontSession, 1, /*in_turn=*/false);
  ask(1);
  EXPECT_EQ(send(1), "none");
  frame(kFrontSession, 1);
  ask(3);
  EXPECT_EQ(send(3), "none");  // which connection it will be sent on is not known
}

TEST_F(NodeStreamsTest, AnImmediateOfAnotherMayRunBehindARequestOverHttp1) {
  connect();
  const RequestKey plain{.connection = 2, .position = 0};
  read(plain.connection);
  node_.received(plain, by(0, 0, 0));
  constexpr uint64_t kBehindTurn = uint64_t{1} << 62, kAlone = uint64_t{1} << 61;
  ask(1, /*in_turn=*/false, kBehindTurn | kAlone | (counter_ + 5));  // the id is that of the request that it makes, not of the immediate
  EXPECT_EQ(send(1), "none");
}

TEST_F(NodeStreamsTest, RequestsOverHttp1HaveStreamsToo) {
  connect();
  const RequestKey plain{.connection = 2, .position = 0};
  read(plain.connection);
  node_.received(plain, by(0, 0, 0));
  ask(1);
  EXPECT_EQ(send(1), "0 by execution");
}

TEST_F(NodeStreamsTest, WhatWasNeverSentIsNotAskedByALaterSessionAtItsAddress) {
  connect();
  receive({3});
  frame(kFrontSession, 3);
  ask(7);  // and then its session ends
  read(kBack + 1);
  frame(kBackSession, 1);
  ask(7, /*in_turn=*/false);  // a timer
  EXPECT_FALSE(node_.sent({.connection = kBack + 1, .position = 70, .stream_id = 7}, by(0, 0, 0)));
}

}  // namespace
}  // namespace clew::correlation
