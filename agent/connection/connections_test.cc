// SPDX-License-Identifier: Apache-2.0
// Connections that are seen from their start: exchanges, bodies, ends and bounds.
#include "agent/connection/connections_test.h"

#include <set>

namespace clew::connection {
namespace {

TEST_F(ConnectionsTest, ARequestAndItsResponseAreOneServerSpanWhereTheProcessListens) {
  Played c = open();
  c.client(request("/a"));
  const uint64_t asked_ns = now_ns_;
  EXPECT_EQ(connections().spans_waiting(), 0U);
  c.server(response(200));
  const std::vector<exporter::Span> spans = connections().take_spans();
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(text_of(spans[0]), "server GET /a 200");
  EXPECT_EQ(spans[0].start_unix_ns, asked_ns);
  EXPECT_EQ(spans[0].end_unix_ns, now_ns_);
  EXPECT_EQ(get(spans[0], "network.peer.address"), "10.0.0.2");
  EXPECT_EQ(spans[0].resource, resource_);
  EXPECT_EQ(std::set<uint32_t>(asked_processes_.begin(), asked_processes_.end()), std::set<uint32_t>{100});
  EXPECT_EQ(counted("clew_spans_total", "protocol=\"http\",kind=\"server\""), 1U);
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AProxysHeaderIsPassedOverAndTheConnectionSeenFromItsStart) {
  const std::string block("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16);
  for (const bool at_once : {false, true}) {
    for (const bool is_line : {false, true}) {
      Played c = open(describe(is_line ? 1 + at_once : 3 + at_once));
      const std::string line = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
      if (!is_line) {
        c.client(block, 12);
        c.client(request("/a"));
      } else if (at_once) {
        c.client(line + request("/a"));
      } else {
        c.client(line.substr(0, 20));
        c.client(line.substr(20));
        c.client(request("/a"));
      }
      c.server(response(200));
      const std::vector<exporter::Span> spans = connections().take_spans();
      ASSERT_EQ(spans.size(), 1U);
      EXPECT_EQ(text_of(spans[0]), "server GET /a 200");
    }
  }
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, NoMoreSpansAreMadeOrCountedThanWereAskedFor) {
  limits_.spans_max = 3;
  Played c = open(describe(1, Role::kClient));
  for (int i = 0; i < 5; ++i) {
    c.client(request("/a"));
    c.server(response(200));
  }
  EXPECT_EQ(connections().take_spans().size(), 3U);
  EXPECT_EQ(counted("clew_spans_total", "protocol=\"http\",kind=\"client\""), 3U);
}

TEST_F(ConnectionsTest, ARequestAndItsResponseAreOneClientSpanWhereTheProcessConnects) {
  Played c = open(describe(1, Role::kClient));
  c.client(request("/a"));
  c.server(response(404));
  const std::vector<exporter::Span> spans = connections().take_spans();
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(text_of(spans[0]), "client GET http://h/a 404 !404");
  EXPECT_EQ(get(spans[0], "network.peer.port"), "4000");
  EXPECT_EQ(counted("clew_spans_total", "protocol=\"http\",kind=\"client\""), 1U);
}

TEST_F(ConnectionsTest, AServersSpanWaitsALittleForAClientWhoseEventIsLate) {
  const auto end_of_wire = [](uint64_t id, Role role) {
    capture::Connection info = describe(id, role);
    info.has_base = true;
    info.base = role == Role::kServer ? std::array<uint32_t, 2>{7, 8} : std::array<uint32_t, 2>{8, 7};
    return info;
  };
  Played server = open(end_of_wire(1, Role::kServer));
  Played client = open(end_of_wire(2, Role::kClient));
  for (const char* path : {"/first", "/late"}) {  // before the first a traced client is not heard of, and nothing is held back
    const bool late = std::string_view(path) == "/late";
    if (!late) client.client(request(path));
    server.client(request(path));
    server.server(response(200));
    EXPECT_EQ(spans(), late ? Texts{} : Texts{"server GET /first 200"});
    if (late) client.client(request(path));
    client.server(response(200));
    if (!late) {
      EXPECT_EQ(spans(), Texts{"client GET http://h/first 200"});
    }
  }
  connections().tick(now_ns_ + limits_.late_join_wait_ns);
  const std::vector<exporter::Span> both = connections().take_spans();
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(text_of(both[0]), "client GET http://h/late 200");
  EXPECT_EQ(text_of(both[1]), "server GET /late 200");
  EXPECT_EQ(both[1].parent_span_id, both[0].span_id);
  EXPECT_EQ(both[1].trace_id, both[0].trace_id);
  EXPECT_EQ(get(both[1], "clew.parent.evidence"), "connection");
}

TEST_F(ConnectionsTest, AServersSpanWaitsForTheFirstRequestOfAClientThatHasConnected) {
  capture::Connection info = describe(1, Role::kServer);
  info.has_base = true;
  info.base = {7, 8};
  Played server = open(info);
  connections().connecting({.connection = 2, .process_id = 77, .thread_id = 77, .time_ns = now_ns_});
  server.client(request("/first"));
  server.server(response(200));
  EXPECT_EQ(spans(), Texts{});
  info = describe(2, Role::kClient);
  info.has_base = true;
  info.base = {8, 7};
  Played client = open(info);
  client.client(request("/first"));
  connections().tick(now_ns_ + limits_.late_join_wait_ns);
  const std::vector<exporter::Span> first = connections().take_spans();
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(get(first[0], "clew.parent.evidence"), "connection");
}

TEST_F(ConnectionsTest, RequestsThatAreRepeatedShareTheirAttributesUntilSomethingDiffers) {
  Played connection = open();
  const auto ask = [&](std::string_view asked, std::string_view answer) {
    connection.client(asked);
    connection.server(answer);
  };
  for (int i = 0; i < 4; ++i) ask(request("/a"), response(200, 2) + "ok");
  ask(request("/a"), response(500, 2) + "no");
  ask(request("/b"), response(200, 2) + "ok");
  ask(request("/a"), response(200, 2) + "ok");
  ask(post("/a", 3) + "abc", response(200, 2) + "ok");
  ask(post("/a", 3) + "abc", response(200, 2) + "ok");
  connection.client(request("/a", "Transfer-Encoding: chunked\r\n", "PUT") + "1\r\nx\r\n0\r\n\r\n");
  connection.server(response(204));
  connection.client(request("/a", "Transfer-Encoding: chunked\r\n", "PUT") + "2\r\nxx\r\n0\r\n\r\n");
  connection.server(response(204));
  connection.client(request("/a"));
  connection.end(Kind::kReset);
  const auto spans = connections().take_spans();
  Texts texts;
  for (const exporter::Span& span : spans) texts.push_back(text_of(span) + (span.status == exporter::StatusCode::kError ? " error" : ""));
  EXPECT_EQ(texts, (Texts{"server GET /a 200 out=2", "server GET /a 200 out=2", "server GET /a 200 out=2", "server GET /a 200 out=2",
                          "server GET /a 500 out=2 !500 error", "server GET /b 200 out=2", "server GET /a 200 out=2",
                          "server POST /a 200 in=3 out=2", "server POST /a 200 in=3 out=2", "server PUT /a 204 in=1",
                          "server PUT /a 204 in=2", "server GET /a ~connection_closed !connection_reset error"}));
  ASSERT_EQ(spans.size(), 12U);
  EXPECT_TRUE(spans[3].attributes.is_same_as(spans[2].attributes));
  EXPECT_FALSE(spans[4].attributes.is_same_as(spans[3].attributes));
  EXPECT_FALSE(spans[6].attributes.is_shared());
  for (const exporter::Span& span : spans) EXPECT_FALSE(span.name.empty());
}

TEST_F(ConnectionsTest, ThePlaintextOfATlsSessionSaysSo) {
  capture::Connection session = describe(1 | correlation::kTlsConnection);
  session.is_tls = true;
  session.tls_version = 4;
  Played played = open(session);
  played.client(request("/a"));
  played.server(response(200));
  const auto found = connections().take_spans();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(get(found[0], "url.scheme"), "https");
  EXPECT_EQ(get(found[0], "tls.protocol.version"), "1.3");
  Played plain = open(describe(2));
  plain.client(request("/b"));
  plain.server(response(200));
  const auto other = connections().take_spans();
  ASSERT_EQ(other.size(), 1u);
  EXPECT_EQ(get(other[0], "url.scheme"), "http");
  EXPECT_EQ(get(other[0], "tls.protocol.version"), "");
}

// CONNECT, and then what is encrypted: two streams of one socket.
TEST_F(ConnectionsTest, ASocketAndItsTlsSessionAreTwoConnections) {
  Played plain = open(describe(1, Role::kClient));
  plain.client("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
  plain.server("HTTP/1.1 200 OK\r\n\r\n");
  capture::Connection inside = describe(1 | correlation::kTlsConnection, Role::kClient);
  inside.is_tls = true;
  Played session = open(inside);
  session.client(request("/inside"));
  session.server(response(204));
  EXPECT_EQ(spans().size(), 2u);
}

TEST_F(ConnectionsTest, WithoutARoleTheFirstBytesTellWhoAsks) {
  Played c = open(describe(1, Role::kUnknown));
  c.client(request("/a"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
}

TEST_F(ConnectionsTest, APacketCaptureGivesServerSpansOnly) {
  capture::Connection info = describe(1, Role::kClient);
  info.passive = true;
  Played c = open(info);
  c.client(request("/a"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
}

TEST_F(ConnectionsTest, AConnectionThatSpeaksSomethingElseGivesNothing) {
  Played c = open();
  c.client("*1\r\n$4\r\nPING\r\n");
  c.server("+PONG\r\n");
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "");
  EXPECT_EQ(connections().size(), 0U);
}

TEST_F(ConnectionsTest, PipelinedRequestsPairInOrder) {
  Played c = open();
  c.client(request("/a") + post("/b", 3) + "abc" + request("/c"));
  c.server(response(200, 2) + "ab" + response(404));
  EXPECT_EQ(spans(), (Texts{"server GET /a 200 out=2", "server POST /b 404 in=3"}));
  c.client(request("/d"));
  c.server(response(500) + response(201));
  EXPECT_EQ(spans(), (Texts{"server GET /c 500 !500", "server GET /d 201"}));
}

TEST_F(ConnectionsTest, CutsBetweenArrivalsMakeNoDifference) {
  const std::string asked = post("/a", 3) + "abc" + request("/b");
  const std::string answered = response(200, 4) + "\r\n\r\n" + response(204);
  Played c = open();
  for (const char byte : asked) c.client({&byte, 1});
  for (const char byte : answered) c.server({&byte, 1});
  EXPECT_EQ(spans(), (Texts{"server POST /a 200 in=3 out=4", "server GET /b 204"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, ASpanBeginsWithTheFirstByteOfItsRequestAndEndsWithTheLastOfItsResponse) {
  Played c = open();
  const std::string asked = request("/a");
  c.client(asked.substr(0, 5));
  const uint64_t first_ns = now_ns_;
  c.client(asked.substr(5));
  c.server(response(200, 300), 100);
  c.advance(Sender::kServer, 200);
  const uint64_t last_ns = now_ns_;
  const std::vector<exporter::Span> spans = connections().take_spans();
  ASSERT_EQ(spans.size(), 1U);
  EXPECT_EQ(spans[0].start_unix_ns, first_ns);
  EXPECT_EQ(spans[0].end_unix_ns, last_ns);
}

TEST_F(ConnectionsTest, BodyBytesThatAreNeverShownCount) {
  Played c = open();
  c.client(post("/a", 1000), 600);
  c.advance(Sender::kClient, 400);
  c.server(response(200, 5'000'000'000), 1);
  EXPECT_EQ(spans(), Texts{});
  c.advance(Sender::kServer, 4'999'999'999);
  EXPECT_EQ(spans(), Texts{"server POST /a 200 in=1000 out=5000000000"});
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, ChunksCountWithoutTheirFraming) {
  Played c = open();
  c.client(request("/a"));
  c.server("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n", 12);
  c.server("5\r\n", 7);
  c.server("0\r\nX-Trailer: t\r\n\r\n");
  EXPECT_EQ(spans(), Texts{"server GET /a 200 out=15"});
}

TEST_F(ConnectionsTest, InterimResponsesArePassedOver) {
  Played c = open();
  c.client(request("/a", "Expect: 100-continue\r\nContent-Length: 4\r\n", "PUT"));
  c.server("HTTP/1.1 100 Continue\r\n\r\n");
  c.client("body");
  c.server("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
  EXPECT_EQ(spans(), Texts{});
  c.server(response(201, 1) + "x");
  EXPECT_EQ(spans(), Texts{"server PUT /a 201 in=4 out=1"});
}

TEST_F(ConnectionsTest, AnUpgradeIsTheLastExchange) {
  Played c = open();
  c.client(request("/ws", "Connection: upgrade\r\nUpgrade: websocket\r\n"));
  c.server("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n" + response(200));
  EXPECT_EQ(spans(), Texts{"server GET /ws 101"});
  c.client(request("/within"));
  c.server(response(200));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "");
}

// curl -I --http2: the answer is that of stream 1.
TEST_F(ConnectionsTest, AHeadIsUpgradedAsAnyOtherRequest) {
  const std::string asks = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
  const std::string settings("\0\0\0\4\0\0\0\0\0", 9);
  Played c = open();
  c.client(request("/a", asks, "HEAD"));
  c.server(response(200, 7));  // refused: without a body
  c.client(request("/b", asks, "HEAD"));
  c.server("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + settings);
  c.client("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings);
  c.server(std::string("\0\0\1\1\5\0\0\0\1\x8d", 10));
  EXPECT_EQ(spans(), (Texts{"server HEAD /a 200", "server HEAD /b 404"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AnUpgradeThatIsRefusedIsAnExchangeAsAnyOther) {
  Played c = open();
  c.client(request("/ws", "Upgrade: h2c\r\n") + request("/b"));
  c.server(response(200) + response(204));
  EXPECT_EQ(spans(), (Texts{"server GET /ws 200", "server GET /b 204"}));
}

TEST_F(ConnectionsTest, ATunnelIsTheLastExchange) {
  Played c = open();
  c.client("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
  c.server("HTTP/1.1 200 Go on\r\n\r\n");
  c.client(request("/within"));
  c.server(response(200));
  c.end(Kind::kReset);
  const Texts found = spans();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].starts_with("server CONNECT ") && found[0].ends_with(" 200")) << found[0];
}

// ---------------------------------------------------------------------------------------------- ends

TEST_F(ConnectionsTest, AConnectionClosedBeforeItsResponseSaysSo) {
  Played c = open();
  c.client(request("/a"));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"server GET /a ~connection_closed !connection_closed"});
  EXPECT_EQ(connections().size(), 0U);
}

TEST_F(ConnectionsTest, AResetWithinAResponseSaysSoAndHowFarItCame) {
  Played c = open();
  c.client(request("/a") + request("/b"));
  c.server(response(200, 100), 40);
  c.end(Kind::kReset);
  EXPECT_EQ(spans(),
            (Texts{"server GET /a 200 out=40 ~connection_closed !connection_reset", "server GET /b ~connection_closed !connection_reset"}));
}

TEST_F(ConnectionsTest, ATracerThatStopsIsNobodysError) {
  Played c = open();
  c.client(request("/a"));
  c.end(Kind::kTracer);
  EXPECT_EQ(spans(), Texts{"server GET /a ~tracer_stopped"});
}

TEST_F(ConnectionsTest, FinishEndsWhatIsOpenInOrderOfConnections) {
  Played second = open(describe(2));
  Played first = open(describe(1));
  second.client(request("/2"));
  first.client(request("/1"));
  connections().finish(now_ns_);
  EXPECT_EQ(spans(), (Texts{"server GET /1 ~tracer_stopped", "server GET /2 ~tracer_stopped"}));
  EXPECT_EQ(connections().size(), 0U);
}

TEST_F(ConnectionsTest, ACallEndsByWhoHasClosedItsConnection) {
  const auto error_of_call = [this](uint64_t id, auto ends) {
    Played c = open(describe(id, Role::kClient));
    c.client(request("/a.B/c", "Content-Type: application/grpc-web\r\n"));
    ends(c);
    const std::vector<exporter::Span> found = connections().take_spans();
    return found.size() == 1 ? get(found[0], "error.type") : std::string("(not one span)");
  };
  EXPECT_EQ(error_of_call(1, [](Played& c) { c.end(Kind::kClosed); }), "CANCELLED");
  EXPECT_EQ(error_of_call(2, [](Played& c) { c.end_of(Sender::kServer); }), "UNAVAILABLE");
  EXPECT_EQ(error_of_call(3, [](Played& c) { c.end(Kind::kReset); }), "UNAVAILABLE");
}

TEST_F(ConnectionsTest, ABodyThatEndsWithTheConnectionIsWholeIfItsSenderCloses) {
  Played c = open();
  c.client(request("/a"));
  c.server("HTTP/1.0 200 OK\r\n\r\n", 70);
  EXPECT_EQ(spans(), Texts{});
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"server GET /a 200 out=70"});
}

TEST_F(ConnectionsTest, ABodyThatEndsWithTheConnectionIsNotWholeIfItsReaderCloses) {
  Played c = open(describe(1, Role::kClient));
  c.client(request("/a"));
  c.server("HTTP/1.0 200 OK\r\n\r\n", 70);
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"client GET http://h/a 200 out=70 ~connection_closed !connection_closed"});
}

TEST_F(ConnectionsTest, AClientThatSendsNoMoreStillGetsItsResponse) {
  Played c = open();
  c.client(request("/a"));
  c.end_of(Sender::kClient);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(connections().size(), 1U);
  c.server(response(200, 1) + "x");
  EXPECT_EQ(spans(), Texts{"server GET /a 200 out=1"});
  c.end_of(Sender::kServer);
  EXPECT_EQ(connections().size(), 0U);
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AServerThatSendsNoMoreEndsTheBodyAndLeavesTheRestUnanswered) {
  Played c = open(describe(1, Role::kClient));
  c.client(request("/a") + request("/b"));
  c.server("HTTP/1.1 200 OK\r\n\r\n", 9);
  c.end_of(Sender::kServer);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/a 200 out=9", "client GET http://h/b ~connection_closed !connection_closed"}));
  EXPECT_EQ(connections().size(), 1U) << "the client may still send";
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(connections().size(), 0U);
}

TEST_F(ConnectionsTest, AHeadThatIsCutByTheEndIsCounted) {
  Played c = open();
  c.client("GET /a HTTP/1.1\r\nHo");
  c.end_of(Sender::kClient);
  EXPECT_EQ(losses(), "stream.head_truncated 1");
  EXPECT_EQ(spans(), Texts{});
}

TEST_F(ConnectionsTest, WordsOnAConnectionThatIsOverAreNotHeard) {
  Played c = open();
  c.end(Kind::kClosed);
  c.advance(Sender::kClient, 10);
  c.end(Kind::kReset);
  EXPECT_EQ(connections().size(), 0U);
  EXPECT_EQ(losses(), "");
}

// ---------------------------------------------------------------------------------------------- early responses

TEST_F(ConnectionsTest, AnEarlyResponseWaitsForTheEndOfItsRequest) {
  Played c = open();
  c.client(post("/a", 10), 4);
  c.server(response(413));
  connections().tick(now_ns_ + limits_.early_response_wait_ns - 1);
  EXPECT_EQ(spans(), Texts{});
  c.advance(Sender::kClient, 6);
  EXPECT_EQ(spans(), Texts{"server POST /a 413 in=10"});
  connections().tick(now_ns_ + 10 * limits_.early_response_wait_ns);
  EXPECT_EQ(spans(), Texts{}) << "twice";
}

TEST_F(ConnectionsTest, AnEarlyResponseDoesNotWaitForever) {
  Played c = open();
  c.client(post("/a", 10), 4);
  c.server(response(413));
  const uint64_t answered_ns = now_ns_;
  connections().tick(answered_ns + limits_.early_response_wait_ns);
  const std::vector<exporter::Span> early = connections().take_spans();
  ASSERT_EQ(early.size(), 1U);
  EXPECT_EQ(text_of(early[0]), "server POST /a 413 in=4");
  EXPECT_EQ(early[0].end_unix_ns, answered_ns);
  c.advance(Sender::kClient, 6);
  c.client(request("/b"));
  c.server(response(200));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"server GET /b 200"});
}

TEST_F(ConnectionsTest, AnEarlyResponseWhoseConnectionClosesIsWhole) {
  Played c = open();
  c.client(post("/a", 10), 4);
  c.server(response(413));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"server POST /a 413 in=4"});
  connections().tick(now_ns_ + limits_.early_response_wait_ns);
  EXPECT_EQ(spans(), Texts{});
}

// ---------------------------------------------------------------------------------------------- bounds

TEST_F(ConnectionsTest, AFullTableForgetsTheOneUsedLongestAgo) {
  limits_.connections_max = 2;
  Played first = open(describe(1));
  Played second = open(describe(2));
  second.client(request("/2"));
  first.client(request("/1"));
  Played third = open(describe(3));
  EXPECT_EQ(connections().size(), 2U);
  EXPECT_EQ(spans(), Texts{"server GET /2 ~bytes_lost"});
  EXPECT_EQ(losses(), "connection.table_full 1");
  first.server(response(200));
  third.client(request("/3"));
  third.server(response(200));
  EXPECT_EQ(spans(), (Texts{"server GET /1 200", "server GET /3 200"}));
  EXPECT_EQ(losses(), "connection.table_full 1");
}

TEST_F(ConnectionsTest, AConnectionInUseOutlivesThoseThatWereOnlyAnnounced) {
  limits_.connections_max = 2;
  Played used = open(describe(1));
  used.client(request("/a"));
  open(describe(2));
  used.server(response(200));
  used.client(request("/b"));
  open(describe(3));
  used.server(response(200));
  EXPECT_EQ(spans(), (Texts{"server GET /a 200", "server GET /b 200"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AConnectionThatNobodyAnnouncedIsCountedAndReadAsOneJoined) {
  Played c(*this, describe(7));
  c.client(request("/a"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
  EXPECT_EQ(losses(), "connection.unannounced 1");
}

TEST_F(ConnectionsTest, AConnectionAnnouncedTwiceBeginsAnewAndLosesNothingUncounted) {
  Played c = open();
  c.client(request("/a"));
  Played again = open();
  EXPECT_EQ(connections().size(), 1U);
  EXPECT_EQ(spans(), Texts{"server GET /a ~bytes_lost"});
  again.client(request("/b"));
  again.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /b 200"});
}

TEST_F(ConnectionsTest, MoreRequestsUnderWayThanTheBoundEndTheConnectionForNoResponseMayShift) {
  Played c = open();
  for (size_t i = 0; i < exchange::ExchangeTable::kMax; ++i) c.client(request("/a"));
  EXPECT_EQ(losses(), "");
  EXPECT_EQ(spans(), Texts{});
  c.client(request("/b"));
  EXPECT_EQ(losses(), "connection.given_up 1, exchange.queue_full 1");
  EXPECT_EQ(spans(), Texts(exchange::ExchangeTable::kMax, "server GET /a ~bytes_lost"));
  c.server(response(200));
  c.client(request("/c"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{});
}

TEST_F(ConnectionsTest, AResponseThatWaitsForItsRequestIsKeptWithinBounds) {
  Played c = open(describe(1, Role::kServer, false));
  c.client(request("/a"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
  c.server(response(200, 1'000'000));
  for (size_t i = 0; i < 100; ++i) c.server(std::string(10'000, 'x'));
  EXPECT_NE(losses().find("stream.buffer_full"), std::string::npos);
  c.client(request("/b"));
  c.server(response(201));
  EXPECT_EQ(spans(), Texts{"server GET /b 201"});
}

TEST_F(ConnectionsTest, AConnectionThatTwoThreadsAnnounceAtOnceIsOne) {
  capture::Connection info = describe(1, Role::kServer, false);  // as a Unix socket that was open already: nothing else names it
  info.time_ns = now_ns_;
  Played c = open(info);
  c.client(request("/a"));
  info.time_ns += 20 * kMicrosecond;
  connections().connection(info);
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, WhereTheClockIsSetBackNoSpanWaitsUntilItHasCaughtUp) {
  constexpr uint64_t kHour = 3600 * 1000 * kMillisecond;
  capture::Connection info = describe(1, Role::kServer);
  info.has_base = true;
  info.base = {7, 8};
  Played server = open(info);
  connections().connecting({.connection = 2, .process_id = 77, .thread_id = 77, .time_ns = now_ns_});
  server.client(request("/before"));
  server.server(response(200));
  EXPECT_EQ(spans(), Texts{});
  now_ns_ -= kHour;
  server.client(request("/after"));
  server.server(response(200));
  connections().tick(now_ns_ + limits_.late_join_wait_ns);
  EXPECT_EQ(spans(), (Texts{"server GET /before 200", "server GET /after 200"}));
  server.client(request("/again"));
  server.server(response(200));
  EXPECT_EQ(spans(), Texts{}) << "it waits for its client as before";
}

TEST_F(ConnectionsTest, ABodyOfWhichNothingHasComeHasNoBytesOfTheOneBefore) {
  const std::string chunked = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";
  Played c = open();
  c.client(post("/a", 70), 70);
  c.server(response(200, 100), 100);
  c.client(request("/b", "Transfer-Encoding: chunked\r\n", "POST"));
  c.server(chunked);
  c.end(Kind::kReset);
  EXPECT_EQ(spans(), (Texts{"server POST /a 200 in=70 out=100", "server POST /b 200 ~connection_closed !connection_reset"}));
}

}  // namespace
}  // namespace clew::connection
