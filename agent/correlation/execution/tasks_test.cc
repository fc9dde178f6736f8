// SPDX-License-Identifier: Apache-2.0
// asyncio, uvloop and threads as their contexts show them: what belongs to which request, and above all what belongs to none.
#include "agent/correlation/execution/tasks.h"

#include <gtest/gtest.h>

#include "bpf/events.h"

namespace clew::correlation {
namespace {

constexpr uint64_t kLoop = 0x1000;  // the server's context, older than the notes

class TasksTest : public testing::Test {
 protected:
  Caller in(uint64_t context, uint32_t thread = 1, bool blocking = false) const {
    return {
        .process_id = 100, .thread_id = thread, .blocking = blocking, .model = ExecutionModel::kTasks, .execution = {context, 0, copies_}};
  }
  uint64_t copy(uint64_t from, uint64_t to, uint32_t thread = 1) {
    Caller caller = in(from, thread);
    caller.execution = {from, to, ++copies_};
    tasks_.noted(CLEW_CPYTHON_COPIED, caller);
    return to;
  }
  uint64_t copy(uint64_t from) { return copy(from, ++last_ * 64); }
  static RequestKey key(uint64_t connection, uint64_t position = 0) { return {.connection = connection, .position = position}; }
  static RequestKey tls_key(uint64_t connection, uint64_t position = 0) { return key(connection | kTlsConnection, position); }
  // uvloop's: the encrypted bytes were received in no context
  Caller outside(uint64_t context) const {
    Caller caller = in(context);
    caller.execution[1] = 1;
    return caller;
  }
  uint64_t copy_at_once(uint64_t from) {
    Caller caller = in(from);
    caller.execution = {from, ++last_ * 64, ++copies_};
    tasks_.noted(CLEW_CPYTHON_COPIED_AT_ONCE, caller);
    return last_ * 64;
  }
  std::optional<RequestKey> cause(const Caller& caller) {
    const auto found = tasks_.sent(key(900, ++out_), caller);
    if (!found || found->evidence != Evidence::kExecution) return std::nullopt;
    return found->request;
  }

  struct Accepted {
    uint64_t made = 0;    // context of connection_made
    uint64_t reader = 0;  // context of the callback that reads
  };
  // asyncio's accept, up to the first read
  Accepted accept() {
    const uint64_t accepting = copy(kLoop);
    Accepted result;
    result.made = copy(accepting);
    const uint64_t add_reader = copy(accepting);
    copy(accepting);
    result.reader = copy(add_reader);
    return result;
  }
  // uvloop: read in no context, then a copy of the server's
  uint64_t uvloop_request(const RequestKey& request) {
    tasks_.received(request, in(0));
    const uint64_t task = copy(kLoop);
    copy(kLoop);  // for the callback when the task is done
    copy(task);
    return task;
  }

  base::Counters counters_;
  ExecutionSettings settings_{.full = &counters_.get("full"), .ambiguous = &counters_.get("ambiguous")};
  Tasks tasks_{settings_};
  uint64_t copies_ = 0;
  uint64_t last_ = 0x100;
  uint64_t out_ = 0;
};

TEST_F(TasksTest, ATaskMadeInTheContextThatReadsWorksForTheRequest) {
  const auto [made, reader] = accept();
  tasks_.received(key(1), in(reader));
  const uint64_t task = copy(reader);
  EXPECT_EQ(cause(in(task)), key(1));
  EXPECT_EQ(cause(in(copy(copy(task)))), key(1)) << "and what is copied from it";
}

TEST_F(TasksTest, RequestsOfManyConnectionsAreKeptApart) {
  std::vector<uint64_t> work;
  for (uint64_t connection = 1; connection <= 20; ++connection) {
    const auto [made, reader] = accept();
    tasks_.received(key(connection), in(reader));
    work.push_back(copy(reader));
  }
  for (uint64_t connection = 1; connection <= 20; ++connection) EXPECT_EQ(cause(in(copy(work[connection - 1]))), key(connection));
}

TEST_F(TasksTest, AThreadThatGotACopyWorksForTheRequest) {
  const auto [made, reader] = accept();
  tasks_.received(key(1), in(reader));
  EXPECT_EQ(cause(in(copy(copy(reader)), 7)), key(1));
}

TEST_F(TasksTest, AfterTheAnswerNothingIsDoneForIt) {
  const auto [made, reader] = accept();
  tasks_.received(key(1), in(reader));
  const uint64_t task = copy(reader);
  tasks_.responding(key(1), in(task));
  tasks_.done(key(1), 5);
  EXPECT_EQ(cause(in(task)), std::nullopt);
  tasks_.received(key(1, 100), in(reader));
  EXPECT_EQ(cause(in(task)), std::nullopt) << "not for the next one either";
  EXPECT_EQ(cause(in(copy(task))), std::nullopt);
  EXPECT_EQ(cause(in(copy(reader))), key(1, 100));
}

TEST_F(TasksTest, WhereTheTaskOfAConnectionWorksOnAfterItsAnswerTheNextRequestMayNotBeWhatItWorksFor) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(made);
  tasks_.received(key(1), in(reader));
  EXPECT_EQ(cause(in(task)), key(1));
  tasks_.responding(key(1), in(task));
  tasks_.done(key(1), 5);
  EXPECT_EQ(cause(in(task)), std::nullopt);
  tasks_.received(key(1, 100), in(reader));
  EXPECT_EQ(cause(in(task)), std::nullopt) << "it may still be at what it began";
  EXPECT_EQ(cause(in(copy(task))), std::nullopt);
  const auto other = accept();
  const uint64_t other_task = copy(other.made);
  tasks_.received(key(2), in(other.reader));
  EXPECT_EQ(cause(in(other_task)), std::nullopt) << "so do others of the program";
  EXPECT_EQ(cause(in(copy(other.reader))), key(2)) << "but not what is made for a request";
}

TEST_F(TasksTest, WhereNoTaskWorksBeforeItsFirstAnswerTheyMayAllWorkAfterThem) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(made);
  uint64_t now_ns = 1;
  const auto answer_after = [&](uint64_t idle_ns) {
    Caller caller = in(reader);
    caller.time_ns = now_ns += idle_ns;
    tasks_.received(key(1, now_ns), caller);
    const auto found = cause(in(task));
    EXPECT_TRUE(!found || found == key(1, now_ns));
    tasks_.responding(key(1, now_ns), in(task));
    tasks_.done(key(1, now_ns), now_ns);
    return found.has_value();
  };
  tasks_.received(key(1), in(reader));
  tasks_.responding(key(1), in(task));
  tasks_.done(key(1), now_ns);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(answer_after(1'000'000));
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(answer_after(100'000'000));
  EXPECT_TRUE(answer_after(100'000'000)) << "it has been idle behind so many answers";
  EXPECT_TRUE(answer_after(1'000'000));
}

TEST_F(TasksTest, WhatTheTaskOfAConnectionMakesShowsWhenThatWorks) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(made);
  tasks_.received(key(1), in(reader));
  EXPECT_EQ(cause(in(copy(copy(task)))), key(1)) << "before its answer";
  tasks_.responding(key(1), in(task));
  tasks_.done(key(1), 5);
  tasks_.received(key(1, 100), in(reader));
  const uint64_t handler = copy(task);
  EXPECT_EQ(cause(in(handler)), key(1, 100));
  tasks_.responding(key(1, 100), in(task));
  tasks_.done(key(1, 100), 5);
  const uint64_t background = copy(handler);
  EXPECT_EQ(cause(in(background)), std::nullopt);
  tasks_.received(key(1, 200), in(reader));
  EXPECT_EQ(cause(in(copy(task))), key(1, 200)) << "what goes on in the background does not hold it up";
  tasks_.responding(key(1, 200), in(task));
  tasks_.done(key(1, 200), 5);
  const uint64_t late = copy(task);
  EXPECT_EQ(cause(in(copy(late))), std::nullopt);
  tasks_.received(key(1, 300), in(reader));
  EXPECT_EQ(cause(in(copy(task))), std::nullopt) << "it does work after its answers";
}

TEST_F(TasksTest, ATaskThatReadsForItselfHasDoneWithTheRequestBefore) {
  const uint64_t task = copy(kLoop);
  for (uint64_t position : {0, 100, 200}) {
    tasks_.received(key(1, position), in(task));
    EXPECT_EQ(cause(in(task)), key(1, position));
    tasks_.responding(key(1, position), in(task));
    tasks_.done(key(1, position), 5);
    EXPECT_EQ(cause(in(task)), std::nullopt);
  }
}

TEST_F(TasksTest, TheTaskOfAConnectionServesItsFirstRequestAndTheNext) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(made);
  const auto other = accept();
  const uint64_t other_task = copy(other.made);
  tasks_.received(key(1), in(reader));
  tasks_.received(key(2), in(other.reader));
  EXPECT_EQ(cause(in(task)), key(1));
  EXPECT_EQ(cause(in(other_task)), key(2));
  const uint64_t child = copy(task);
  EXPECT_EQ(cause(in(child)), key(1));
  tasks_.responding(key(1), in(task));
  tasks_.done(key(1), 5);
  tasks_.received(key(1, 50), in(reader));
  EXPECT_EQ(cause(in(task)), key(1, 50));
  EXPECT_EQ(cause(in(child)), std::nullopt) << "left over from the request before";
}

TEST_F(TasksTest, WhatAConnectionsTaskMakesBetweenRequestsIsNobodys) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(made);
  const uint64_t early = copy(task);
  tasks_.received(key(1), in(reader));
  EXPECT_EQ(cause(in(task)), key(1));
  tasks_.responding(key(1), in(task));
  tasks_.done(key(1), 5);
  const uint64_t heartbeat = copy(task);
  tasks_.received(key(1, 50), in(reader));
  EXPECT_EQ(cause(in(heartbeat)), std::nullopt);
  EXPECT_EQ(cause(in(copy(heartbeat))), std::nullopt);
  EXPECT_EQ(tasks_.sent(key(900), in(early)).value_or(Cause{}).evidence == Evidence::kExecution, false);
}

TEST_F(TasksTest, AnAnswerFromElsewhereEndsTheTrustInTheAccept) {
  const auto [made, reader] = accept();
  const uint64_t first = copy(made);
  const uint64_t second = copy(made);
  tasks_.received(key(1), in(reader));
  tasks_.received(key(70), in(0, 9));
  EXPECT_EQ(cause(in(first)), key(1));
  tasks_.responding(key(1), in(copy(kLoop)));
  EXPECT_EQ(cause(in(first)), std::nullopt);
  EXPECT_EQ(cause(in(second)), std::nullopt);
}

TEST_F(TasksTest, WhichChildServesAnAcceptedConnectionIsLearnedFromTheFirstAnswer) {
  const auto [made, reader] = accept();
  copy(made);  // a timer
  const uint64_t task = copy(made);
  tasks_.received(key(1), in(reader));
  const uint64_t handler = copy(task);
  EXPECT_EQ(cause(in(handler)), key(1));
  tasks_.responding(key(1), in(handler));
  const auto other = accept();
  const uint64_t heartbeat = copy(other.made);
  const uint64_t other_task = copy(other.made);
  tasks_.received(key(2), in(other.reader));
  EXPECT_EQ(cause(in(heartbeat)), std::nullopt);
  EXPECT_EQ(cause(in(other_task)), key(2));
}

TEST_F(TasksTest, PipelinedRequestsAreNotGuessed) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(made);
  tasks_.received(key(1), in(reader));
  tasks_.received(key(1, 50), in(reader));
  EXPECT_EQ(cause(in(task)), std::nullopt);
  EXPECT_EQ(cause(in(copy(reader))), std::nullopt);
  tasks_.done(key(1), 5);
  EXPECT_EQ(cause(in(task)), std::nullopt) << "it may still work for the first";
  tasks_.done(key(1, 50), 5);
  tasks_.received(key(1, 100), in(reader));
  EXPECT_EQ(cause(in(task)), key(1, 100));
}

TEST_F(TasksTest, AContextThatReadsForTwoConnectionsIsNobodys) {
  const uint64_t context = copy(kLoop);
  tasks_.received(key(1), in(context));
  tasks_.received(key(2), in(context));
  EXPECT_EQ(cause(in(context)), std::nullopt);
  tasks_.done(key(2), 5);
  EXPECT_EQ(cause(in(context)), std::nullopt);
}

TEST_F(TasksTest, ANewContextAtAnOldAddressHasNothingOfTheOldOne) {
  const auto [made, reader] = accept();
  tasks_.received(key(1), in(reader));
  const uint64_t task = copy(reader);
  const auto other = accept();
  tasks_.received(key(2), in(other.reader));
  copy(kLoop, task);
  EXPECT_EQ(cause(in(task)), std::nullopt);
  copy(other.reader, task);
  EXPECT_EQ(cause(in(task)), key(2));
}

TEST_F(TasksTest, ALostNoteForgetsAllContexts) {
  const auto [made, reader] = accept();
  tasks_.received(key(1), in(reader));
  tasks_.received(key(2), in(0, 3));
  const uint64_t task = copy(reader);
  EXPECT_EQ(cause(in(task)), key(1));
  copies_++;
  EXPECT_EQ(cause(in(task)), std::nullopt) << "the caller knows of a copy that was not told";
  copy(kLoop);
  EXPECT_EQ(cause(in(task)), std::nullopt);
}

TEST_F(TasksTest, UvloopsFirstCopyAfterAReadIsTheRequestsOnceThatIsSure) {
  tasks_.received(key(70), in(0, 9));  // so that nothing is inferred
  EXPECT_EQ(cause(in(uvloop_request(key(1)))), std::nullopt);
  EXPECT_EQ(cause(in(uvloop_request(key(2)))), std::nullopt);
  const uint64_t third = uvloop_request(key(3));
  const uint64_t fourth = uvloop_request(key(4));
  EXPECT_EQ(cause(in(third)), key(3));
  EXPECT_EQ(cause(in(fourth)), key(4));
}

TEST_F(TasksTest, UvloopsCallbacksAreNotTrustedAfterAnException) {
  tasks_.received(key(70), in(0, 9));
  for (uint64_t i = 1; i <= 4; ++i) uvloop_request(key(i));
  copy(kLoop);  // nothing was read before
  EXPECT_EQ(cause(in(uvloop_request(key(5)))), std::nullopt);
  uvloop_request(key(6));
  EXPECT_EQ(cause(in(uvloop_request(key(7)))), key(7));
  tasks_.received(key(8), in(0));
  tasks_.received(key(9), in(0));  // nothing was made for 8
  EXPECT_EQ(cause(in(copy(kLoop))), std::nullopt);
}

TEST_F(TasksTest, UvloopsCallbacksAreNeverTrustedAgainAfterAWrongAnswer) {
  for (uint64_t i = 1; i <= 3; ++i) uvloop_request(key(i));
  const uint64_t task = uvloop_request(key(4));
  tasks_.responding(key(2), in(task));
  EXPECT_EQ(cause(in(task)), std::nullopt);
  for (uint64_t i = 5; i <= 9; ++i) EXPECT_EQ(cause(in(uvloop_request(key(i)))), std::nullopt);
}

// Within TLS: the handshake ends in the callback that reads.
TEST_F(TasksTest, AConnectionsTaskWithinTlsIsMadeByTheCallbackThatReads) {
  const auto [made, reader] = accept();
  const uint64_t timer = copy(made);  // of the handshake
  const uint64_t task = copy(reader);
  tasks_.received(tls_key(1), in(reader));
  EXPECT_EQ(cause(in(task)), tls_key(1));
  EXPECT_EQ(cause(in(copy(task))), tls_key(1));
  EXPECT_EQ(tasks_.sent(key(900), in(timer)).value_or(Cause{}).evidence == Evidence::kExecution, false);
  tasks_.responding(tls_key(1), in(task));
  tasks_.done(tls_key(1), 5);
  EXPECT_EQ(cause(in(copy(reader))), std::nullopt) << "made between requests";
  tasks_.received(tls_key(1, 50), in(reader));
  EXPECT_EQ(cause(in(task)), tls_key(1, 50));
}

TEST_F(TasksTest, WhichEarlyChildServesIsLearnedFromTheFirstAnswer) {
  const auto [made, reader] = accept();
  copy(reader);  // a timer
  const uint64_t task = copy(reader);
  tasks_.received(tls_key(1), in(reader));
  tasks_.responding(tls_key(1), in(task));
  const auto other = accept();
  const uint64_t timer = copy(other.reader);
  const uint64_t other_task = copy(other.reader);
  tasks_.received(tls_key(2), in(other.reader));
  EXPECT_EQ(cause(in(timer)), std::nullopt);
  tasks_.received(tls_key(1, 50), in(reader));
  EXPECT_EQ(cause(in(other_task)), tls_key(2));
}

TEST_F(TasksTest, InPlainTextTheReadersFirstChildrenServeNoConnection) {
  const auto [made, reader] = accept();
  const uint64_t task = copy(reader);
  tasks_.received(key(1), in(reader));
  tasks_.received(key(70), in(0, 9));
  EXPECT_EQ(cause(in(task)), std::nullopt);
}

TEST_F(TasksTest, WhereUvloopReadsWithinTlsOneContextIsOfAllConnections) {
  tasks_.received(key(70), in(0, 9));
  const auto request = [&](uint64_t connection, uint64_t context) {
    tasks_.received(tls_key(connection), outside(context));
    const uint64_t task = copy_at_once(context);
    copy(context);
    return task;
  };
  const uint64_t accepted = copy(kLoop);  // the connection's task of a server that has one
  EXPECT_EQ(cause(in(request(1, kLoop))), std::nullopt);
  EXPECT_EQ(cause(in(accepted)), std::nullopt);
  EXPECT_EQ(cause(in(copy(kLoop))), std::nullopt) << "another connection's: not made at once";
  EXPECT_EQ(cause(in(request(2, copy(kLoop)))), std::nullopt) << "the first request of a connection, in a copy";
  const uint64_t third = request(3, kLoop);
  const uint64_t fourth = request(4, copy(kLoop));
  EXPECT_EQ(cause(in(third)), tls_key(3));
  EXPECT_EQ(cause(in(fourth)), tls_key(4));
}

TEST_F(TasksTest, WhatUvloopMakesAfterOtherBytesIsNotForWhatItReadBefore) {
  tasks_.received(key(70), in(0, 9));
  for (uint64_t connection = 1; connection <= 5; ++connection) {
    tasks_.received(tls_key(connection), outside(kLoop));
    EXPECT_EQ(cause(in(copy(kLoop))), std::nullopt);
  }
}

TEST_F(TasksTest, OnAnOldConnectionTheContextThatAnsweredTwiceServesIt) {
  constexpr uint64_t kTask = 0x2000;
  tasks_.received(key(70), in(0, 9));
  uint64_t now_ns = 1;
  const auto answer_after = [&](uint64_t idle_ns) {
    Caller caller = in(0x3000 + now_ns);
    caller.time_ns = now_ns += idle_ns;
    const RequestKey request = key(1, now_ns);
    tasks_.received(request, caller);
    const auto found = cause(in(kTask));
    EXPECT_TRUE(!found || found == request);
    tasks_.responding(request, in(kTask));
    tasks_.done(request, now_ns);
    return found.has_value();
  };
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(answer_after(1'000)) << "it may still be at what it has answered";
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(answer_after(100'000'000));
  EXPECT_TRUE(answer_after(100'000'000));
  EXPECT_TRUE(answer_after(1'000));
}

TEST_F(TasksTest, AContextThatAnswersForTwoConnectionsServesNone) {
  constexpr uint64_t kWriter = 0x2000;
  for (uint64_t i = 0; i < 6; ++i) {
    const uint64_t connection = 1 + i % 2;
    tasks_.received(key(connection, i), in(0x3000 + connection));
    tasks_.responding(key(connection, i), in(kWriter));
    tasks_.done(key(connection, i), 5);
  }
  tasks_.received(key(1, 9), in(0x3001));
  EXPECT_EQ(cause(in(kWriter)), std::nullopt);
}

TEST_F(TasksTest, AThreadThatWaitsForItsRequestsServesThemWhateverItsContext) {
  tasks_.received(key(1), in(0, 5, true));
  tasks_.received(key(2), in(0x4000, 6, true));
  EXPECT_EQ(cause(in(0x4000, 5)), key(1));
  EXPECT_EQ(cause(in(0, 6)), key(2));
  EXPECT_EQ(cause(in(0x4000, 7)), std::nullopt);
  tasks_.done(key(1), 5);
  EXPECT_EQ(cause(in(0, 5)), std::nullopt);
}

TEST_F(TasksTest, WhatHasNoContextIsInferredAsInAnyProgram) {
  tasks_.received(key(1), in(0));
  const auto found = tasks_.sent(key(900), in(0));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->evidence, Evidence::kInferred);
}

TEST_F(TasksTest, AStreamIsForTheOnlyRequestUnderWayOrForOneOfAFew) {
  const RequestKey one{.connection = 3, .position = 0, .stream_id = 1};
  const RequestKey other{.connection = 3, .position = 90, .stream_id = 3};
  const Caller anybody{.process_id = 1, .model = ExecutionModel::kTasks, .time_ns = 2'000};
  tasks_.received(one, anybody);
  const auto found = tasks_.sent({.connection = 12, .position = 0, .stream_id = 1}, anybody);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->request, one);
  EXPECT_EQ(name_of(found->evidence), "inferred");
  tasks_.received(other, anybody);
  EXPECT_FALSE(tasks_.sent({.connection = 12, .position = 50, .stream_id = 3}, anybody));
  EXPECT_EQ(tasks_.candidates(anybody).size(), 2);
  EXPECT_TRUE(tasks_.candidates(in(0)).empty());
}

TEST_F(TasksTest, ContextsAreBounded) {
  settings_.threads_max = 100;
  Tasks small(settings_);
  for (uint64_t i = 1; i <= 1000; ++i) {
    Caller caller = in(kLoop);
    caller.execution = {kLoop, 0x10000 + i * 64, i};
    small.noted(CLEW_CPYTHON_COPIED, caller);
  }
  EXPECT_GE(counters_.get("full").value(), 900U);
}

}  // namespace
}  // namespace clew::correlation
