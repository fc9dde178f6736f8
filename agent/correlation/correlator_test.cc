// SPDX-License-Identifier: Apache-2.0
// Parents by the rules, one rule a test; above all, the parents that must not be shown.
#include "agent/correlation/correlator.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace clew::correlation {
namespace {

using exporter::SpanKind;

constexpr RequestKey kFront{.connection = 1, .position = 0};
constexpr RequestKey kOtherFront{.connection = 2, .position = 0};
constexpr RequestKey kBack{.connection = 11, .position = 0};
constexpr RequestKey kOtherBack{.connection = 12, .position = 0};
constexpr RequestKey kReceivedBack{.connection = 21, .position = 0};
constexpr WireKey kWire{.request_base = 7, .response_base = 8, .position = 0};

class CorrelatorTest : public testing::Test {
 protected:
  static Caller thread(uint32_t id, bool blocking = true) {
    return {.process_id = 100, .thread_id = id, .blocking = blocking, .time_ns = 1'000};
  }
  static Caller loop(uint64_t time_ns = 1'000, uint32_t id = 5) {
    return {.process_id = 100, .thread_id = id, .model = ExecutionModel::kEventLoop, .time_ns = time_ns};
  }
  static RemoteContext header(uint8_t trace = 0xaa, uint8_t span = 0xbb) {
    RemoteContext remote;
    remote.trace_id.fill(trace);
    remote.span_id.fill(span);
    remote.flags = exporter::kFlagSampled;
    remote.trace_state = "a=1";
    return remote;
  }

  void received(const RequestKey& key, const Caller& caller, std::optional<WireKey> wire = {}, const RemoteContext* remote = nullptr) {
    correlator_.request_received(key, caller, wire, remote);
  }
  void sent(const RequestKey& key, const Caller& caller, std::optional<WireKey> wire = {}, const RemoteContext* remote = nullptr) {
    correlator_.request_sent(key, caller, wire, remote);
  }
  void sent_injected(const RequestKey& key, const Caller& caller, const RemoteContext& given) {
    correlator_.request_sent(key, caller, {}, &given, true);
  }
  Context server(const RequestKey& key) const { return correlator_.context_of(key, SpanKind::kServer); }
  Context client(const RequestKey& key) const { return correlator_.context_of(key, SpanKind::kClient); }

  void expect_child(const Context& child, const Context& parent, Evidence evidence) {
    EXPECT_EQ(child.parent_span_id, parent.span_id);
    EXPECT_EQ(child.trace_id, parent.trace_id);
    EXPECT_EQ(name_of(child.evidence), name_of(evidence));
  }
  void expect_root(const Context& context) {
    EXPECT_EQ(context.parent_span_id, exporter::SpanId{});
    EXPECT_EQ(name_of(context.evidence), "");
  }
  uint64_t refused(const std::string& reason) {
    return counters_.get("clew_correlation_refused_total", "reason=\"" + reason + "\"").value();
  }

  base::Counters counters_;
  Ids ids_{Seed{{1, 2}}};
  Correlator correlator_{ids_, counters_};
};

TEST_F(CorrelatorTest, ARequestAloneIsARoot) {
  received(kFront, thread(5));
  expect_root(server(kFront));
  EXPECT_EQ(server(kFront).trace_id, ids_.of(1, 0, 0, SpanKind::kServer).trace_id);
}

TEST_F(CorrelatorTest, WhatIsUnderWayStaysSoWhenItsRuntimeBeginsToBeRead) {
  received(kFront, thread(5, false));
  correlator_.runtime_changed(100, 1'000);
  received(kOtherFront, thread(5, false));
  sent(kBack, thread(5, false));
  expect_root(client(kBack));  // of two, and not of the only one that was read since
  correlator_.answered(kFront, 2'000);
  sent(kOtherBack, thread(5, false));
  expect_child(client(kOtherBack), server(kOtherFront), Evidence::kInferred);
}

TEST_F(CorrelatorTest, AnotherModelKnowsWhatIsUnderWay) {
  received(kFront, thread(5, false));
  Caller task = thread(5, false);
  task.model = ExecutionModel::kTasks;
  task.execution = {0x1000, 0, 0};
  received(kOtherFront, task);
  sent(kBack, thread(6, false));
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, AHeaderNamesTheParent) {
  const RemoteContext remote = header();
  received(kFront, thread(5), {}, &remote);
  const Context context = server(kFront);
  EXPECT_EQ(context.trace_id, remote.trace_id);
  EXPECT_EQ(context.parent_span_id, remote.span_id);
  EXPECT_EQ(name_of(context.evidence), "header");
  EXPECT_EQ(context.trace_state, "a=1");
  EXPECT_EQ(context.flags, exporter::kFlagSampled | exporter::kFlagHasIsRemote | exporter::kFlagIsRemote);
}

TEST_F(CorrelatorTest, AThreadThatWaitedForARequestWorksForIt) {
  received(kFront, thread(5));
  sent(kBack, thread(5, false));
  expect_child(client(kBack), server(kFront), Evidence::kExecution);
}

TEST_F(CorrelatorTest, NotAfterALossForItMayBeAnsweredAndAnotherUnknown) {
  received(kFront, thread(5));
  correlator_.events_lost();
  sent(kBack, thread(5));
  expect_root(client(kBack));
  EXPECT_EQ(refused("events_lost"), 1U);
  correlator_.answered(kFront, 2'000);
  received(kOtherFront, thread(5));
  sent(kOtherBack, thread(5));
  expect_child(client(kOtherBack), server(kOtherFront), Evidence::kExecution);
}

TEST_F(CorrelatorTest, AnotherThreadDoesNot) {
  received(kFront, thread(5));
  sent(kBack, thread(6));
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, AThreadOfTheSameNumberInAnotherProcessDoesNot) {
  received(kFront, thread(5));
  Caller stranger = thread(5);
  stranger.process_id = 101;
  sent(kBack, stranger);
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, AnAnswerByAnotherProcessMeansThatWorkIsHandedOn) {
  for (const ExecutionModel model : {ExecutionModel::kThreads, ExecutionModel::kTasks}) {
    Caller reader = thread(5);
    reader.process_id = 100 + static_cast<uint32_t>(model);
    reader.model = model;
    Caller child = thread(6);
    child.process_id = 200 + static_cast<uint32_t>(model);
    child.model = model;
    received(kFront, reader);
    sent(kBack, reader);
    expect_child(client(kBack), server(kFront), Evidence::kExecution);
    correlator_.response_sent(kFront, child);
    correlator_.closed(kFront, 2'000);
    received(kFront, reader);
    received(kOtherFront, child);
    sent(kBack, reader);
    expect_root(client(kBack));
    EXPECT_TRUE(client(kBack).candidates.empty());
    sent(kOtherBack, child);
    expect_child(client(kOtherBack), server(kOtherFront), Evidence::kExecution);
    correlator_.closed(kFront, 3'000);
    correlator_.closed(kOtherFront, 3'000);
  }
}

TEST_F(CorrelatorTest, AfterTheAnswerTheThreadIsFree) {
  received(kFront, thread(5));
  correlator_.answered(kFront, 2'000);
  sent(kBack, thread(5));
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, AReadThatDidNotWaitSaysNothingOfTheThread) {
  received(kFront, thread(5, false));
  received(kOtherFront, thread(6, false));
  sent(kBack, thread(5, false));
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, TheOnlyRequestUnderWayIsInferred) {
  received(kFront, thread(5, false));
  sent(kBack, thread(6, false));
  expect_child(client(kBack), server(kFront), Evidence::kInferred);
  EXPECT_GT(client(kBack).confidence, 0.99);
}

TEST_F(CorrelatorTest, NotInAProgramThatSendsOfItsOwnAccord) {
  Caller caller = thread(5, false);
  received(kFront, caller);
  correlator_.answered(kFront, 2'000);
  correlator_.closed(kFront, 2'000);
  for (uint64_t i = 0; i < 100; ++i) sent({.connection = 50 + i}, caller);  // ten a second while it is idle
  caller.time_ns = 10'000'000'000;
  received(kOtherFront, caller);
  caller.time_ns += 50'000'000;  // what it sends now may be one of those
  sent(kBack, caller);
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, ARequestThatIsGivenUpKeptItsProcessBusy) {
  Caller caller = thread(5, false);
  received(kFront, caller);
  caller.time_ns = 100'000'000'000;
  correlator_.closed(kFront, caller.time_ns);
  received(kOtherFront, caller);
  sent(kBack, caller);
  expect_root(client(kBack));  // it was never idle: nothing is known of what it sends of its own accord
}

TEST_F(CorrelatorTest, NotWhereThreadsWaitForTheirRequests) {
  received(kFront, thread(5));
  sent(kBack, thread(6, false));
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, AThreadWithTwoRequestsWorksForNobodyKnowsWhich) {
  received(kFront, thread(5));
  received(kOtherFront, thread(5));
  sent(kBack, thread(5));
  expect_root(client(kBack));
  EXPECT_EQ(refused("ambiguous"), 1U);
  correlator_.answered(kOtherFront, 2'000);
  sent(kOtherBack, thread(5));
  expect_child(client(kOtherBack), server(kFront), Evidence::kExecution);
}

TEST_F(CorrelatorTest, PipelinedRequestsAreServedInTheirOrder) {
  constexpr RequestKey kSecond{.connection = 1, .position = 50};
  received(kFront, thread(5));
  received(kSecond, thread(5));
  sent(kBack, thread(5));
  expect_child(client(kBack), server(kFront), Evidence::kExecution);
  correlator_.answered(kFront, 2'000);
  sent(kOtherBack, thread(5));
  expect_child(client(kOtherBack), server(kSecond), Evidence::kExecution);
}

TEST_F(CorrelatorTest, BothEndsOfARequestAreJoinedWhoeverIsSeenFirst) {
  sent(kBack, thread(5), kWire);
  received(kReceivedBack, thread(6), kWire);
  expect_child(server(kReceivedBack), client(kBack), Evidence::kConnection);
  correlator_.closed(kReceivedBack, 2'000);
  correlator_.closed(kBack, 2'000);

  received(kReceivedBack, thread(6), kWire);
  sent(kBack, thread(5), kWire);
  expect_child(server(kReceivedBack), client(kBack), Evidence::kConnection);
}

TEST_F(CorrelatorTest, ANameThatComesAgainJoinsNobodyTwice) {
  constexpr RequestKey kReceivedLater{.connection = 22, .position = 0};
  sent(kBack, thread(5), kWire);
  received(kReceivedBack, thread(6), kWire);
  correlator_.response_received(kBack, thread(5));
  correlator_.closed(kBack, 2'000);
  sent(kOtherBack, thread(5), kWire);
  EXPECT_EQ(server(kReceivedBack).parent_span_id, ids_.of(kBack.connection, 0, 0, SpanKind::kClient).span_id);
  received(kReceivedLater, thread(7), kWire);
  expect_child(server(kReceivedLater), client(kOtherBack), Evidence::kConnection);
  received({.connection = 23, .position = 0}, thread(8), kWire);
  expect_root(server({.connection = 23, .position = 0}));
}

TEST_F(CorrelatorTest, AnotherByteOfTheConnectionIsAnotherRequest) {
  sent(kBack, thread(5), kWire);
  WireKey later = kWire;
  later.position = 90;
  received(kReceivedBack, thread(6), later);
  expect_root(server(kReceivedBack));
}

TEST_F(CorrelatorTest, ARequestThatIsToldOfTwiceIsTheLaterOne) {
  sent(kBack, thread(5), kWire);
  WireKey later = kWire;
  later.position = 90;
  sent(kBack, thread(5), later);
  received(kReceivedBack, thread(6), kWire);
  expect_root(server(kReceivedBack));
  received({.connection = 77, .position = 90}, thread(7), later);
  expect_child(server({.connection = 77, .position = 90}), client(kBack), Evidence::kConnection);
}

TEST_F(CorrelatorTest, ARequestThatIsOverIsJoinedNoMore) {
  sent(kBack, thread(5), kWire);
  correlator_.response_received(kBack, thread(5));
  correlator_.closed(kBack, 2'000);
  received(kReceivedBack, thread(6), kWire);
  expect_root(server(kReceivedBack));
  EXPECT_EQ(correlator_.size(), 1U);
}

TEST_F(CorrelatorTest, OneThatItsClientHasGivenUpIs) {
  sent(kBack, thread(5), kWire);
  const Context gone = client(kBack);
  correlator_.closed(kBack, 2'000);
  received(kReceivedBack, thread(6), kWire);
  expect_child(server(kReceivedBack), gone, Evidence::kConnection);
  EXPECT_EQ(correlator_.size(), 1U);
}

TEST_F(CorrelatorTest, OfThoseTheLatestAreKept) {
  Correlator small(ids_, counters_, {.given_up_max = 2});
  for (uint32_t i = 0; i < 3; ++i) {
    small.request_sent({.connection = 10 + i}, thread(5), WireKey{.request_base = i}, nullptr);
    small.closed({.connection = 10 + i}, 2'000);
  }
  for (uint32_t i = 0; i < 3; ++i) small.request_received({.connection = 20 + i}, thread(6 + i), WireKey{.request_base = i}, nullptr);
  expect_root(small.context_of({.connection = 20}, SpanKind::kServer));
  for (uint64_t i = 1; i < 3; ++i)
    EXPECT_EQ(small.context_of({.connection = 20 + i}, SpanKind::kServer).parent_span_id, ids_.of(10 + i, 0, 0, SpanKind::kClient).span_id);
}

TEST_F(CorrelatorTest, AJoinThatComesAfterTheTraceIdWasHandedOnIsRefused) {
  received(kReceivedBack, thread(6), kWire);
  sent(kOtherBack, thread(6));  // a child that has the trace id already
  sent(kBack, thread(5), kWire);
  expect_root(server(kReceivedBack));
  expect_child(client(kOtherBack), server(kReceivedBack), Evidence::kExecution);
  EXPECT_EQ(refused("late"), 1U);
}

TEST_F(CorrelatorTest, AContextOfTheApplicationsOwnWins) {
  const RemoteContext own = header();
  received(kFront, thread(5));
  sent(kBack, thread(5), kWire, &own);
  received(kReceivedBack, thread(6), kWire, &own);
  EXPECT_EQ(server(kReceivedBack).parent_span_id, own.span_id);
  EXPECT_EQ(name_of(server(kReceivedBack).evidence), "header");
  EXPECT_EQ(client(kBack).parent_span_id, own.span_id);
  EXPECT_EQ(client(kBack).trace_id, own.trace_id);
}

TEST_F(CorrelatorTest, BehindAProxyThatPassesTheHeaderOnTheServerHangsBelowTheProxy) {
  const RemoteContext passed = header();
  received(kFront, loop(), {}, &passed);
  sent(kBack, loop(), kWire, &passed);
  received(kReceivedBack, thread(9), kWire, &passed);
  expect_child(client(kBack), server(kFront), Evidence::kCausal);
  expect_child(server(kReceivedBack), client(kBack), Evidence::kConnection);
  EXPECT_EQ(server(kReceivedBack).trace_id, passed.trace_id);
}

TEST_F(CorrelatorTest, AHeaderThatIsPassedOnShowsForWhomWhereNothingElseDoes) {
  constexpr RequestKey kStream{.connection = 1, .position = 50, .stream_id = 3}, kNext{.connection = 1, .position = 90, .stream_id = 5};
  constexpr RequestKey kOnward{.connection = 11, .position = 70, .stream_id = 9};
  const RemoteContext passed = header(), other = header(0xaa, 0xcc);
  received(kStream, loop(), WireKey{.request_base = 1, .response_base = 2, .position = 50, .stream_id = 3}, &passed);
  received(kNext, loop(), WireKey{.request_base = 1, .response_base = 2, .position = 90, .stream_id = 5}, &other);
  sent(kOnward, loop(), kWire, &passed);
  received(kReceivedBack, thread(9), kWire, &passed);
  expect_child(client(kOnward), server(kStream), Evidence::kHeader);
  expect_child(server(kReceivedBack), client(kOnward), Evidence::kConnection);
}

TEST_F(CorrelatorTest, NotIfTwoHaveBroughtItOrTheOneIsAnswered) {
  constexpr WireKey kFirst{.request_base = 1, .response_base = 2, .position = 0},
      kSecond{.request_base = 3, .response_base = 4, .position = 0};
  const RemoteContext passed = header();
  received(kFront, loop(), kFirst, &passed);
  received(kOtherFront, loop(), kSecond, &passed);
  sent(kBack, thread(6, false), kWire, &passed);
  EXPECT_EQ(client(kBack).parent_span_id, passed.span_id);
  correlator_.answered(kFront, 2'000);  // the other may be meant, or the one that is answered
  sent(kOtherBack, thread(6, false), WireKey{.request_base = 7, .response_base = 8, .position = 90}, &passed);
  EXPECT_EQ(client(kOtherBack).parent_span_id, passed.span_id);
  correlator_.answered(kOtherFront, 3'000);
  constexpr RequestKey kLater{.connection = 13, .position = 0};
  sent(kLater, thread(6, false), WireKey{.request_base = 7, .response_base = 8, .position = 180}, &passed);
  EXPECT_EQ(client(kLater).parent_span_id, passed.span_id);
}

TEST_F(CorrelatorTest, AProcessThatAsksItselfIsNotItsOwnParent) {
  const RemoteContext own = header();
  received(kReceivedBack, thread(9), kWire, &own);  // told of first
  sent(kBack, thread(5, false), kWire, &own);
  EXPECT_EQ(client(kBack).parent_span_id, own.span_id);
}

TEST_F(CorrelatorTest, ALoopSendsForWhatItHasJustRead) {
  received(kFront, loop(1'000));
  received(kOtherFront, loop(2'000));
  sent(kBack, loop(3'000));
  expect_child(client(kBack), server(kOtherFront), Evidence::kCausal);
}

TEST_F(CorrelatorTest, NotWhenItHasSleptSince) {
  Caller reading = loop(), later = loop(), unknown = loop();
  reading.execution[0] = 7;
  later.execution[0] = 8;
  received(kFront, reading);
  correlator_.connecting(kBack.connection, later);
  sent(kBack, later);
  expect_root(client(kBack));
  sent(kOtherBack, reading);
  expect_child(client(kOtherBack), server(kFront), Evidence::kCausal);
  received(kOtherFront, unknown);
  correlator_.connecting(31, later);
  sent({.connection = 31}, later);
  expect_child(client({.connection = 31}), server(kOtherFront), Evidence::kCausal);
}

TEST_F(CorrelatorTest, AConnectionOfNobodyKnowsWhomIsNotOfTheTurnInWhichItIsUsed) {
  correlator_.connecting(kBack.connection, loop(1'000));
  received(kFront, loop(2'000));
  sent(kBack, loop(3'000));
  expect_root(client(kBack));
  sent({.connection = kBack.connection, .position = 100}, loop(4'000));
  expect_child(client({.connection = kBack.connection, .position = 100}), server(kFront), Evidence::kCausal);
}

TEST_F(CorrelatorTest, OncePerTurn) {
  received(kFront, loop());
  sent(kBack, loop());
  sent(kOtherBack, loop());
  expect_root(client(kOtherBack));
}

TEST_F(CorrelatorTest, AResponseGivesTheLoopItsRequestBack) {
  received(kFront, loop());
  sent(kBack, loop());
  received(kOtherFront, loop());
  correlator_.response_received(kBack, loop());
  sent(kOtherBack, loop());
  expect_child(client(kOtherBack), server(kFront), Evidence::kCausal);
}

TEST_F(CorrelatorTest, NotLongAfterItHasRead) {
  received(kFront, loop(1'000));
  sent(kBack, loop(1'000 + 5'000'001));
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, NotForWhatIsAnswered) {
  received(kFront, loop());
  correlator_.answered(kFront, 2'000);
  sent(kBack, loop());
  expect_root(client(kBack));
}

TEST_F(CorrelatorTest, AConnectionBelongsToWhatTheLoopDidWhenItBeganToConnect) {
  received(kFront, loop());
  correlator_.connecting(kBack.connection, loop());
  received(kOtherFront, loop());
  sent(kBack, loop(100'000'000));
  expect_child(client(kBack), server(kFront), Evidence::kCausal);
}

TEST_F(CorrelatorTest, ABodyThatIsCompleteIsSomethingRead) {
  received(kFront, loop());
  received(kOtherFront, loop());
  correlator_.request_completed(kFront, loop());
  sent(kBack, loop());
  expect_child(client(kBack), server(kFront), Evidence::kCausal);
}

TEST_F(CorrelatorTest, ATraceThatTheCallerDoesNotKeepIsNotKept) {
  RemoteContext remote = header();
  remote.sampled = propagation::Sampled::kNo;
  remote.flags = 0;
  received(kFront, thread(5), {}, &remote);
  sent(kBack, thread(5));
  EXPECT_EQ(server(kFront).flags & exporter::kFlagSampled, 0U);
  EXPECT_EQ(client(kBack).flags & exporter::kFlagSampled, 0U);
}

TEST_F(CorrelatorTest, ACallerThatLeavesItOpenIsKept) {
  RemoteContext remote = header();
  remote.sampled = propagation::Sampled::kDeferred;
  remote.flags = 0;
  received(kFront, thread(5), {}, &remote);
  EXPECT_EQ(server(kFront).flags & exporter::kFlagSampled, exporter::kFlagSampled);
}

TEST_F(CorrelatorTest, AWholeTraceIsKeptOrNot) {
  Correlator half(ids_, counters_, {.sampler = {.kind = sampling::SamplerSettings::Kind::kTraceIdRatio, .ratio = 0.5}});
  int kept = 0;
  for (uint64_t i = 0; i < 1000; ++i) {
    const RequestKey front{.connection = 2 * i};
    const RequestKey back{.connection = 2 * i + 1};
    half.request_received(front, thread(5), {}, nullptr);
    half.request_sent(back, thread(5), {}, nullptr);
    const Context one = half.context_of(front, SpanKind::kServer);
    const Context other = half.context_of(back, SpanKind::kClient);
    EXPECT_EQ(one.flags & exporter::kFlagSampled, other.flags & exporter::kFlagSampled);
    EXPECT_EQ(one.trace_state, other.trace_state);
    EXPECT_EQ(one.trace_state, (one.flags & exporter::kFlagSampled) != 0 ? "ot=th:8" : "");
    kept += static_cast<int>(one.flags & exporter::kFlagSampled);
    half.closed(back, 2'000);
    half.closed(front, 2'000);
  }
  EXPECT_NEAR(kept, 500, 80);
}

TEST_F(CorrelatorTest, WhereAFewMayBeTheParentTheyAreNamed) {
  received(kFront, thread(5, false));
  received(kOtherFront, thread(5, false));
  sent(kBack, thread(6, false));
  expect_root(client(kBack));
  ASSERT_EQ(client(kBack).candidates.size(), 2U);
  std::set<exporter::SpanId> named;
  for (const Context::Candidate& candidate : client(kBack).candidates) named.insert(candidate.span_id);
  EXPECT_EQ(named, (std::set{server(kFront).span_id, server(kOtherFront).span_id}));
}

TEST_F(CorrelatorTest, ManyAreNot) {
  for (uint64_t i = 1; i <= 5; ++i) received({.connection = i}, thread(5, false));
  sent(kBack, thread(6, false));
  EXPECT_TRUE(client(kBack).candidates.empty());
}

TEST_F(CorrelatorTest, IsBoundedAndCountsWhatItRefuses) {
  Correlator small(ids_, counters_, {.requests_max = 10, .execution = {.threads_max = 4}});
  for (uint64_t i = 0; i < 100; ++i)
    small.request_received({.connection = i}, thread(static_cast<uint32_t>(i)), WireKey{.position = static_cast<uint32_t>(i)}, nullptr);
  EXPECT_EQ(small.size(), 10U);
  EXPECT_EQ(refused("full"), 90U + 6U);
  EXPECT_EQ(small.context_of({.connection = 50}, SpanKind::kServer).trace_id, ids_.of(50, 0, 0, SpanKind::kServer).trace_id);
  for (uint64_t i = 0; i < 100; ++i) small.closed({.connection = i}, 2'000);
  EXPECT_EQ(small.size(), 0U);
}

TEST_F(CorrelatorTest, AfterARequestThatIsRefusedNobodyIsKnownToBeAtAnotherOne) {
  Correlator small(ids_, counters_, {.requests_max = 2});
  small.request_received(kFront, thread(5), {}, nullptr);
  small.request_received(kOtherFront, thread(6), {}, nullptr);
  small.request_received({.connection = 77}, thread(5), {}, nullptr);
  EXPECT_EQ(refused("full"), 1U);
  small.closed(kOtherFront, 2'000);
  small.request_sent(kBack, thread(5), {}, nullptr);
  expect_root(small.context_of(kBack, SpanKind::kClient));
}

TEST_F(CorrelatorTest, ProcessesThatAreIdleMakeRoom) {
  Correlator small(ids_, counters_, {.processes_max = 4});
  for (uint32_t i = 1; i <= 100; ++i) {
    Caller caller = thread(i, false);
    caller.process_id = i;
    small.request_received({.connection = i}, caller, {}, nullptr);
    small.request_sent({.connection = 1000 + i}, caller, {}, nullptr);
    EXPECT_EQ(name_of(small.context_of({.connection = 1000 + i}, SpanKind::kClient).evidence), "inferred") << i;
    small.answered({.connection = i}, 2'000);
    small.closed({.connection = i}, 2'000);
  }
  EXPECT_EQ(refused("full"), 0U);
}

TEST_F(CorrelatorTest, ARequestThatWasInjectedIntoHasTheIdsItCarries) {
  received(kFront, thread(1));
  RemoteContext given = header();
  given.trace_id = server(kFront).trace_id;
  sent_injected(kBack, thread(1), given);
  expect_child(client(kBack), server(kFront), Evidence::kExecution);
  EXPECT_EQ(client(kBack).span_id, given.span_id);

  sent_injected(kOtherBack, thread(2), header(0xcc, 0xdd));  // of its own accord
  expect_root(client(kOtherBack));
  EXPECT_EQ(client(kOtherBack).trace_id, header(0xcc, 0xdd).trace_id);
  EXPECT_EQ(client(kOtherBack).span_id, header(0xcc, 0xdd).span_id);
}

TEST_F(CorrelatorTest, WhereTheKernelKnewLessThereIsNoParent) {
  received(kFront, thread(1));
  sent_injected(kBack, thread(1), header(0xcc, 0xdd));
  expect_root(client(kBack));
  EXPECT_EQ(client(kBack).trace_id, header(0xcc, 0xdd).trace_id);
  EXPECT_EQ(refused("injected_otherwise"), 1U);
}

TEST_F(CorrelatorTest, WhoHasReadARequestBeforeItWasKnownWhatGoesBesideItHangsBelowThat) {
  const RemoteContext given = header();
  received(kReceivedBack, thread(7), kWire);
  sent(kBack, thread(5, false), kWire);
  correlator_.request_carried(kBack, given);
  EXPECT_EQ(client(kBack).span_id, given.span_id);
  expect_child(server(kReceivedBack), client(kBack), Evidence::kConnection);
}

TEST_F(CorrelatorTest, IfItHasHandedItsTraceOnItHasNoParentThatNobodyIs) {
  const RemoteContext given = header();
  received(kReceivedBack, thread(7), kWire);
  sent(kBack, thread(5, false), kWire);
  sent(kOtherBack, thread(7, false));
  correlator_.request_carried(kBack, given);
  expect_root(server(kReceivedBack));
  expect_child(client(kOtherBack), server(kReceivedBack), Evidence::kExecution);
  EXPECT_EQ(refused("late"), 1U);
}

}  // namespace
}  // namespace clew::correlation
