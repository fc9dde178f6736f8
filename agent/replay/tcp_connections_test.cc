// SPDX-License-Identifier: Apache-2.0
// Connections as captures show them: whole, joined in the middle, doubled, reused, reset, too many.
#include "agent/replay/tcp_connections.h"

#include <gtest/gtest.h>

#include <random>

#include "agent/replay/tcp_sink_test.h"

namespace clew::replay {
namespace {

using capture::End;
using capture::Role;
using testing::RecordingSink;

constexpr uint8_t kSyn = TcpSegment::kSyn;
constexpr uint8_t kAck = TcpSegment::kAck;
constexpr uint8_t kFin = TcpSegment::kFin;
constexpr uint8_t kRst = TcpSegment::kRst;

/// Client 10.0.0.1:40000 and server 10.0.0.2:80; their first bytes have the sequence numbers kClient and kServer.
class TcpConnectionsTest : public ::testing::Test {
 protected:
  static constexpr uint32_t kClient = 5000;
  static constexpr uint32_t kServer = 900;

  void from_client(uint8_t flags, uint32_t sequence, uint32_t acknowledgement, std::string_view payload = {}) {
    send(client_, server_, flags, sequence, acknowledgement, payload);
  }
  void from_server(uint8_t flags, uint32_t sequence, uint32_t acknowledgement, std::string_view payload = {}) {
    send(server_, client_, flags, sequence, acknowledgement, payload);
  }
  void send(const TcpSegment::Address& from, const TcpSegment::Address& to, uint8_t flags, uint32_t sequence, uint32_t acknowledgement,
            std::string_view payload) {
    TcpSegment segment;
    segment.family = capture::Family::kIpv4;
    segment.source = from;
    segment.destination = to;
    segment.flags = flags;
    segment.sequence = sequence;
    segment.acknowledgement = acknowledgement;
    segment.payload = payload;
    segment.payload_length = static_cast<uint32_t>(payload.size());
    for (int copy = 0; copy < copies_; ++copy) connections_.segment(segment, ++time_ns_);
  }
  void handshake() {
    from_client(kSyn, kClient - 1, 0);
    from_server(kSyn | kAck, kServer - 1, kClient);
    from_client(kAck, kClient, kServer);
  }
  void exchange() {
    from_client(kAck, kClient, kServer, "GET /");
    from_server(kAck, kServer, kClient + 5, "200 OK");
    from_client(kAck, kClient + 5, kServer + 6);
  }
  void goodbye() {
    from_client(kFin | kAck, kClient + 5, kServer + 6);
    from_server(kFin | kAck, kServer + 6, kClient + 6);
    from_client(kAck, kClient + 6, kServer + 7);
  }

  TcpSegment::Address client_{.bytes = {10, 0, 0, 1}, .port = 40000};
  TcpSegment::Address server_{.bytes = {10, 0, 0, 2}, .port = 80};
  RecordingSink sink_;
  TcpLimits limits_{.connections_max = 3, .closed_connections_max = 2};
  TcpConnections connections_{sink_, 1, limits_};
  uint64_t time_ns_ = 0;
  int copies_ = 1;
};

TEST_F(TcpConnectionsTest, AWholeConnectionFromSynToFin) {
  handshake();
  exchange();
  goodbye();
  ASSERT_EQ(sink_.connections.size(), 1u);
  const capture::Connection& connection = sink_.connections[0];
  EXPECT_EQ(connection.local.port, 80);
  EXPECT_EQ(connection.local.address[3], 2);
  EXPECT_EQ(connection.local.family, capture::Family::kIpv4);
  EXPECT_EQ(connection.peer.port, 40000);
  EXPECT_EQ(connection.role, Role::kServer);
  EXPECT_TRUE(connection.from_start);
  EXPECT_TRUE(connection.passive);
  EXPECT_EQ(connection.time_ns, 1u);
  EXPECT_EQ(sink_.calls, (std::vector<std::string>{"in:GET /", "out:200 OK", "in:end", "out:end"}));
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kClosed);
}

TEST_F(TcpConnectionsTest, EveryPacketCapturedTwiceChangesNothing) {
  copies_ = 2;
  handshake();
  exchange();
  goodbye();
  EXPECT_EQ(sink_.connections.size(), 1u);
  EXPECT_EQ(sink_.calls, (std::vector<std::string>{"in:GET /", "out:200 OK", "in:end", "out:end"}));
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kClosed);
}

TEST_F(TcpConnectionsTest, TheWholeCaptureASecondTimeChangesNothing) {
  for (int round = 0; round < 2; ++round) {
    handshake();
    exchange();
    goodbye();
  }
  EXPECT_EQ(sink_.connections.size(), 1u);
  EXPECT_EQ(sink_.in().text, "GET /");
}

TEST_F(TcpConnectionsTest, TheServerIsWhoAnsweredTheSynWhateverThePorts) {
  server_.port = 50000;
  client_.port = 1023;
  from_server(kSyn | kAck, kServer - 1, kClient);  // its SYN was not captured
  exchange();
  EXPECT_EQ(sink_.connections.at(0).local.port, 50000);
  EXPECT_EQ(sink_.connections[0].role, Role::kServer);
  EXPECT_TRUE(sink_.connections[0].from_start);
  EXPECT_EQ(sink_.in().text, "GET /");
  from_client(kSyn, kClient - 1, 0);
  EXPECT_EQ(sink_.connections.size(), 1u) << "the SYN, late";
}

TEST_F(TcpConnectionsTest, JoinedInTheMiddleTheRoleIsUnknownAndTheLowerPortIsTheGuess) {
  from_server(kAck, 70'000, 30'000, "half an answer");
  from_client(kAck, 30'000, 70'014, "GET /");
  from_server(kAck, 70'014, 30'005, "200 OK");
  connections_.finish(99);
  ASSERT_EQ(sink_.connections.size(), 1u);
  EXPECT_EQ(sink_.connections[0].role, Role::kUnknown);
  EXPECT_FALSE(sink_.connections[0].from_start);
  EXPECT_EQ(sink_.connections[0].local.port, 80);
  EXPECT_EQ(sink_.out().text, "half an answer200 OK");
  EXPECT_EQ(sink_.in().text, "GET /");
  EXPECT_EQ(sink_.in().chunks[0].position, 0u);
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kTracer);
}

TEST_F(TcpConnectionsTest, JoinedInTheMiddleWithBytesUnderWayLosesNothing) {
  from_client(kAck, 30'000, 70'000, "GET /");  // 70'000 … 70'003 were sent before the capture began
  from_server(kAck, 70'004, 30'005, "200 OK");
  from_client(kAck, 30'005, 70'010);
  EXPECT_EQ(sink_.out().text, "200 OK");
  EXPECT_EQ(connections_.output().holes, 0u);
}

TEST_F(TcpConnectionsTest, AcknowledgementsFinAndRstAloneBeginNoConnection) {
  from_client(kAck, 1, 1);
  from_client(kFin | kAck, 1, 1);
  from_server(kRst, 1, 1);
  from_server(kRst | kAck, 1, 1, "why it was reset");
  EXPECT_TRUE(sink_.connections.empty());
}

TEST_F(TcpConnectionsTest, DataInTheSynIsTheFirstData) {
  from_client(kSyn, kClient - 1, 0, "GET /");
  from_server(kSyn | kAck, kServer - 1, kClient + 5);
  from_client(kAck, kClient + 5, kServer, " HTTP");
  EXPECT_EQ(sink_.in().text, "GET / HTTP");
  EXPECT_EQ(sink_.in().chunks[0].position, 0u);
}

TEST_F(TcpConnectionsTest, DataInTheSynThatTheServerRefusedIsDeliveredOnce) {
  from_client(kSyn, kClient - 1, 0, "GET /");
  from_server(kSyn | kAck, kServer - 1, kClient);
  from_client(kAck, kClient, kServer, "GET / HTTP");
  EXPECT_EQ(sink_.in().text, "GET / HTTP");
}

TEST_F(TcpConnectionsTest, BothEndsOpeningAtOnceIsOneConnection) {
  from_client(kSyn, kClient - 1, 0);
  from_server(kSyn, kServer - 1, 0);
  from_client(kSyn | kAck, kClient - 1, kServer);
  from_server(kSyn | kAck, kServer - 1, kClient);
  exchange();
  EXPECT_EQ(sink_.connections.size(), 1u);
  EXPECT_EQ(sink_.calls, (std::vector<std::string>{"in:GET /", "out:200 OK"}));
}

TEST_F(TcpConnectionsTest, SynAnswerThatWasNotCapturedIsReplacedByTheAcknowledgement) {
  from_client(kSyn, kClient - 1, 0);
  from_client(kAck, kClient, kServer);
  from_server(kAck, kServer + 3, kClient, " OK");  // reordered
  from_server(kAck, kServer, kClient, "200");
  EXPECT_EQ(sink_.out().text, "200 OK");
}

TEST_F(TcpConnectionsTest, ResetEndsBothDirections) {
  handshake();
  exchange();
  from_server(kAck, kServer + 9, kClient + 5, "waits");
  from_client(kRst, kClient + 5, 0);
  EXPECT_EQ(sink_.out().text, "200 OK<3>waits");
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kReset);
  from_server(kAck, kServer + 6, kClient + 5, "was under way");
  EXPECT_EQ(sink_.connections.size(), 1u);
}

TEST_F(TcpConnectionsTest, RefusedConnectionIsReset) {
  from_client(kSyn, kClient - 1, 0);
  from_server(kRst | kAck, 0, kClient);
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kReset);
}

TEST_F(TcpConnectionsTest, ResetFromOutsideTheWindowIsIgnored) {
  handshake();
  from_client(kRst, kClient - (1u << 28), 0);
  exchange();
  EXPECT_EQ(sink_.in().text, "GET /");
  EXPECT_FALSE(sink_.closed.contains(1));
  EXPECT_EQ(connections_.totals().stray_segments, 1u);
}

TEST_F(TcpConnectionsTest, HalfClosedConnectionStillCarriesTheOtherDirection) {
  handshake();
  from_client(kAck | kFin, kClient, kServer, "GET /");
  from_server(kAck, kServer, kClient + 6, "200 OK");
  EXPECT_EQ(sink_.calls, (std::vector<std::string>{"in:GET /", "in:end", "out:200 OK"}));
  from_server(kAck | kFin, kServer + 6, kClient + 6);
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kClosed);
}

TEST_F(TcpConnectionsTest, HoleIsPassedBeforeTheAnswerToWhatCameAfterIt) {
  handshake();
  from_client(kAck, kClient, kServer, "POST");
  from_client(kAck, kClient + 8, kServer, "body");
  from_server(kAck, kServer, kClient + 12, "200 OK");
  EXPECT_EQ(sink_.calls, (std::vector<std::string>{"in:POST", "in:body", "out:200 OK"}));
  EXPECT_EQ(sink_.in().text, "POST<4>body");
}

TEST_F(TcpConnectionsTest, PortUsedAgainAfterTheEndIsANewConnection) {
  handshake();
  exchange();
  goodbye();
  from_client(kSyn, 777'776, 0);
  from_server(kSyn | kAck, 888'887, 777'777);
  from_client(kAck, 777'777, 888'888, "HEAD /");
  ASSERT_EQ(sink_.connections.size(), 2u);
  EXPECT_EQ(sink_.connections[1].id, 2u);
  EXPECT_EQ(sink_.in(2).text, "HEAD /");
}

TEST_F(TcpConnectionsTest, PortUsedAgainWithoutAnEndSeenEndsTheOldConnection) {
  handshake();
  exchange();
  from_client(kSyn, 777'776, 0);
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kTracer);
  from_server(kSyn | kAck, 888'887, 777'777);
  from_client(kAck, 777'777, 888'888, "HEAD /");
  EXPECT_EQ(sink_.in(2).text, "HEAD /");
}

TEST_F(TcpConnectionsTest, PortUsedAgainIsSeenByTheAnswerToAnUnseenSyn) {
  handshake();
  exchange();
  from_server(kSyn | kAck, 888'887, 777'777);
  EXPECT_EQ(sink_.connections.size(), 2u);
  EXPECT_TRUE(sink_.closed.contains(1));
}

TEST_F(TcpConnectionsTest, DataFarOutsideTheWindowIsAnotherConnectionJoinedInTheMiddle) {
  handshake();
  exchange();
  from_client(kAck, kClient + (3u << 29), 12, "GET /other");
  ASSERT_EQ(sink_.connections.size(), 2u);
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kTracer);
  EXPECT_FALSE(sink_.connections[1].from_start);
  EXPECT_EQ(sink_.in(2).text, "GET /other");
}

TEST_F(TcpConnectionsTest, SynRepeatedIsTheSameConnection) {
  from_client(kSyn, kClient - 1, 0);
  from_client(kSyn, kClient - 1, 0);
  from_server(kSyn | kAck, kServer - 1, kClient);
  from_server(kSyn | kAck, kServer - 1, kClient);
  exchange();
  EXPECT_EQ(sink_.connections.size(), 1u);
}

TEST_F(TcpConnectionsTest, ImpossibleFlagsAreCountedAndIgnored) {
  from_client(kSyn | kFin, kClient - 1, 0);
  from_client(kSyn | kRst, kClient - 1, 0);
  EXPECT_TRUE(sink_.connections.empty());
  EXPECT_EQ(connections_.totals().stray_segments, 2u);
}

TEST_F(TcpConnectionsTest, BeyondTheBoundTheConnectionIdleForLongestIsEvicted) {
  for (int port = 1; port <= 3; ++port) {
    client_.port = static_cast<uint16_t>(40000 + port);
    handshake();
  }
  client_.port = 40001;
  exchange();  // 40002 is now the idle one
  client_.port = 40004;
  handshake();
  EXPECT_EQ(sink_.closed.size(), 1u);
  EXPECT_EQ(sink_.closed.at(2), End::Kind::kTracer);
  EXPECT_EQ(connections_.totals().evicted, 1u);
}

TEST_F(TcpConnectionsTest, EndedConnectionsDoNotCountAsOpenAndAreForgottenInTheEnd) {
  for (uint16_t port = 40000; port < 40100; ++port) {
    client_.port = port;
    handshake();
    exchange();
    goodbye();
  }
  EXPECT_EQ(connections_.totals().evicted, 0u);
  EXPECT_EQ(connections_.totals().connections, 100u);
  for (uint64_t id = 1; id <= 100; ++id) EXPECT_EQ(sink_.closed.at(id), End::Kind::kClosed);
}

TEST_F(TcpConnectionsTest, AtTheEndOfTheCaptureOpenConnectionsGetWhatWaitsAndAnEnd) {
  handshake();
  from_client(kAck, kClient + 4, kServer, "later");
  connections_.finish(1234);
  EXPECT_EQ(sink_.in().text, "<4>later");
  EXPECT_EQ(sink_.closed.at(1), End::Kind::kTracer);
}

TEST_F(TcpConnectionsTest, RandomSegmentsKeepThePromisesOfTheSink) {
  std::mt19937 random(3);
  TcpConnections connections(sink_, 1, {.connections_max = 3, .closed_connections_max = 2, .stream_buffer_bytes_max = 2000});
  const std::string payload(100, 'x');
  for (int round = 0; round < 60'000; ++round) {
    TcpSegment segment;
    segment.source = client_;
    segment.source.port = static_cast<uint16_t>(40000 + random() % 6);
    segment.destination = server_;
    if (random() % 2 == 0) std::swap(segment.source, segment.destination);
    segment.flags = static_cast<uint8_t>(random() % 3 == 0 ? random() : kAck);
    const auto near = [&] { return static_cast<uint32_t>(random() % 50 == 0 ? random() : random() % 2000 - 1000); };
    segment.sequence = near();
    segment.acknowledgement = near();
    segment.payload_length = static_cast<uint32_t>(random() % 100);
    segment.payload = std::string_view(payload).substr(0, segment.payload_length - random() % (segment.payload_length + 1) / 4);
    connections.segment(segment, static_cast<uint64_t>(round));
    ASSERT_FALSE(HasFailure());
    ASSERT_LE(connections.output().buffered_bytes, 8 * 2000u);
  }
  connections.finish(60'000);
  EXPECT_EQ(sink_.closed.size(), sink_.connections.size()) << "every connection ends once";
  EXPECT_GT(sink_.connections.size(), 500u);
  EXPECT_EQ(connections.output().buffered_bytes, 0u);
}

TEST_F(TcpConnectionsTest, ConnectionsBetweenTheSameAddressesAreKeptApartByPorts) {
  handshake();
  from_client(kAck, kClient, kServer, "GET /a");
  server_.port = 81;
  handshake();
  from_client(kAck, kClient, kServer, "GET /b");
  EXPECT_EQ(sink_.in(1).text, "GET /a");
  EXPECT_EQ(sink_.in(2).text, "GET /b");
}

TEST_F(TcpConnectionsTest, LoopbackToItsOwnAddressIsToldApartByPorts) {
  server_.bytes = client_.bytes;
  handshake();
  exchange();
  goodbye();
  EXPECT_EQ(sink_.calls, (std::vector<std::string>{"in:GET /", "out:200 OK", "in:end", "out:end"}));
}

}  // namespace
}  // namespace clew::replay
