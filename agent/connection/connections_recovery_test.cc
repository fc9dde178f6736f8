// SPDX-License-Identifier: Apache-2.0
// Connections of which something is missing: joined in the middle, with holes, with heads that are none.
#include "agent/connection/connections_test.h"
#include "protocols/http2/frames_test.h"

namespace clew::connection {
namespace {

namespace http2 = protocols::http2;

const std::string kBadRequest = "GET /bad HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n";
const std::string kBadResponse = "HTTP/1.1 200 X\r\nContent-Length: x\r\n\r\n";
constexpr std::string_view kOrphans = "clew_responses_without_request_total";

// ---------------------------------------------------------------------------------------------- joined in the middle

TEST_F(ConnectionsTest, AResponseWhoseRequestWasNeverSeenGivesNothing) {
  Played c = join();
  c.server(response(200, 5) + "bytes");
  c.client(request("/a"));
  EXPECT_EQ(counted(kOrphans), 1U);
  c.server(response(404));
  EXPECT_EQ(spans(), Texts{"server GET /a 404"});
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AResponseToldBeforeItsRequestWaitsForIt) {
  Played c = join();
  const std::string asked = request("/a");
  const std::string answered = response(404);
  const capture::Bytes first = c.make(Sender::kClient, asked);
  const capture::Bytes second = c.make(Sender::kServer, answered);
  deliver(second);
  deliver(first);
  EXPECT_EQ(spans(), Texts{"server GET /a 404"});
  EXPECT_EQ(counted(kOrphans), 0U);
}

TEST_F(ConnectionsTest, WhereTheSourceDoesNotSayAMuchEarlierResponseAnswersAnEarlierRequest) {
  Played c = join();
  c.tells_other_position = false;
  c.server(response(200));
  c.client(request("/a"));
  EXPECT_EQ(counted(kOrphans), 1U);
  c.server(response(404));
  EXPECT_EQ(spans(), Texts{"server GET /a 404"});
}

TEST_F(ConnectionsTest, WhereTheSourceDoesNotSayAResponseOfTheSameMomentIsTheAnswer) {
  Played c = join();
  c.tells_other_position = false;
  const std::string asked = request("/a");
  const std::string answered = response(404);
  capture::Bytes first = c.make(Sender::kClient, asked);
  capture::Bytes second = c.make(Sender::kServer, answered);
  second.time_ns = first.time_ns - kMicrosecond;
  deliver(second);
  deliver(first);
  EXPECT_EQ(spans(), Texts{"server GET /a 404"});
}

TEST_F(ConnectionsTest, ARequestInABodyIsNoSpanUnlessItIsAnswered) {
  Played c = join();
  c.client(request("/within"));
  c.client("the rest of a body");
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "exchange.joined_without_response 1, parser_http.bad_start_line 1");
}

TEST_F(ConnectionsTest, WhatLooksLessLikeARequestInABodyIsNoneAtAll) {
  Played c = join();
  c.client("GET /within HTTP/1.1\r\nno field\r\n\r\nPOST /log HTTP/1.1 404 17\r\n");
  c.client("ET /cut HTTP/1.1\r\nHost: h\r\n\r\n");
  c.client("GET /without-host HTTP/1.1\r\nAccept: any\r\n\r\n");
  c.client(request("/a"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AnAnswerConfirmsWhatFollows) {
  Played c = join();
  c.client(request("/a"));
  c.server(response(200));
  c.client(request("/b"));
  c.end(Kind::kTracer);
  EXPECT_EQ(spans(), (Texts{"server GET /a 200", "server GET /b ~tracer_stopped"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, AConnectionJoinedWithinAResponseFindsTheNextExchange) {
  Played c = join();
  c.server("of a body\r\nHTTP/1.1 in it\r\n");
  c.server("\r\n", 4000);
  c.client(request("/a"));
  c.server(response(200, 2) + "ab");
  EXPECT_EQ(spans(), Texts{"server GET /a 200 out=2"});
}

TEST_F(ConnectionsTest, WhatFollowsARequestForAnotherProtocolMayHaveHoles) {
  for (const bool refused : {false, true}) {
    Played c = open();
    c.client("GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    c.lose(Sender::kClient, 20);
    c.client(request("/decoy"));
    c.lose(Sender::kClient, 20);
    c.client(request("/decoy"));
    c.server(refused ? response(400) : "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n");
    if (refused) {
      c.client(request("/a"));
      c.server(response(200));
      c.server(response(200));
      EXPECT_EQ(spans(), (Texts{"server GET /ws 400", "server GET /decoy 200", "server GET /a 200"}));
    } else {
      EXPECT_EQ(spans(), Texts{"server GET /ws 101"});
    }
  }
}

// ---------------------------------------------------------------------------------------------- holes

TEST_F(ConnectionsTest, AHoleEndsWhatIsUnderWayAndTheNextExchangeIsWhole) {
  Played c = open();
  c.client(request("/a"));
  c.lose(Sender::kServer, 300);
  c.server("of a body");
  EXPECT_EQ(spans(), Texts{"server GET /a ~bytes_lost"});
  EXPECT_EQ(losses(), "stream.hole 1");
  EXPECT_EQ(counted("clew_stream_hole_bytes_total"), 300U);
  c.client(post("/b", 7), 7);
  c.server(response(200, 9), 9);
  EXPECT_EQ(spans(), Texts{"server POST /b 200 in=7 out=9"});
  EXPECT_EQ(losses(), "stream.hole 1");
}

TEST_F(ConnectionsTest, AHoleAfterAHeadEndsTheExchangeWithItsStatus) {
  Played c = open();
  c.client(request("/a"));
  c.server("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", 7);
  c.lose(Sender::kServer, 50);
  c.server("3\r\n", 5);
  const Texts broken = spans();
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_TRUE(broken[0].starts_with("server GET /a 200 ") && broken[0].ends_with(" ~bytes_lost")) << broken[0];
  c.client(request("/b"));
  c.server(response(204));
  EXPECT_EQ(spans(), Texts{"server GET /b 204"});
  EXPECT_EQ(losses(), "stream.hole 1");
}

TEST_F(ConnectionsTest, AHoleBehindABodyIsNoneInIt) {
  Played c = open();
  c.client(request("/a") + request("/b"));
  c.server(response(200, 10), 4);
  c.lose(Sender::kServer, 50);
  c.server("of a body");
  EXPECT_EQ(spans(), (Texts{"server GET /a 200 out=10 ~bytes_lost", "server GET /b ~bytes_lost"}));
}

TEST_F(ConnectionsTest, AResponseMissedInAHoleIsNotReplacedByThatOfTheNextRequest) {
  Played c = open();
  c.client(request("/a"));
  c.server(response(200));
  c.client(request("/b"));
  c.client(request("/c"));
  c.lose(Sender::kServer, 30);
  c.server(response(500));
  EXPECT_EQ(spans(), (Texts{"server GET /a 200", "server GET /b ~bytes_lost", "server GET /c ~bytes_lost"}));
  c.client(request("/d"));
  c.server(response(201));
  EXPECT_EQ(spans(), Texts{"server GET /d 201"});
}

TEST_F(ConnectionsTest, AHoleThatIsOnlyToldOfIsAHole) {
  Played c = open();
  c.client("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  c.advance(Sender::kServer, 80);
  EXPECT_EQ(spans(), Texts{"server GET /a ~bytes_lost"});
  EXPECT_EQ(losses(), "stream.hole 1");
  c.client(request("/b"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /b 200"});
}

TEST_F(ConnectionsTest, AHoleBetweenExchangesIsARequestThatNobodyHasSeen) {
  Played c = open();
  c.client(request("/a"));
  c.server(response(200));
  c.lose(Sender::kClient, 100);
  c.lose(Sender::kServer, 100);
  c.client(request("/c"));
  c.server(response(201));
  EXPECT_EQ(spans(), (Texts{"server GET /a 200", "server GET /c 201"}));
  EXPECT_EQ(losses(), "stream.hole 1");
}

TEST_F(ConnectionsTest, TheAnswerToARequestThatWasLostIsNotGivenToTheNext) {
  for (const bool tells : {true, false}) {
    Played c = open();
    c.tells_other_position = tells;
    c.client(request("/a"));
    c.server(response(200));
    c.lose(Sender::kClient, 100);
    c.server(response(500));
    c.client(request("/c"));
    c.server(response(201));
    EXPECT_EQ(spans(), (Texts{"server GET /a 200", "server GET /c 201"})) << tells;
  }
}

// Of what was asked together nobody knows how many are missing.
TEST_F(ConnectionsTest, TheAnswersToRequestsThatWereLostAreGivenToNoneThatWasAskedWithThem) {
  for (const bool is_first : {true, false}) {
    Played c = open();
    if (!is_first) {
      c.client(request("/a"));
      c.server(response(299));
    }
    c.lose(Sender::kClient, 2 * request("/lost").size());
    c.client(request("/b") + request("/c"));
    for (const int status : {201, 202, 203, 204}) c.server(response(status));
    if (!is_first) {
      EXPECT_EQ(spans(), (Texts{"server GET /a 299", "server GET /b ~bytes_lost", "server GET /c ~bytes_lost"}));
    }
    c.client(request("/d"));
    c.server(response(205));
    c.end(Kind::kClosed);
    for (const std::string& span : spans()) EXPECT_EQ(span.find(" 20"), std::string::npos) << span;
  }
}

TEST_F(ConnectionsTest, AfterTheAnswersToAllThatWasAskedTogetherTheNextIsRight) {
  Played c = open();
  c.client(request("/a") + request("/b") + request("/c"));
  c.server(response(201));
  c.lose(Sender::kServer, response(202).size());
  c.server(response(203));
  c.client(request("/d") + request("/e"));
  c.server(response(204) + response(206));
  EXPECT_EQ(spans(), (Texts{"server GET /a 201", "server GET /b ~bytes_lost", "server GET /c ~bytes_lost", "server GET /d 204",
                            "server GET /e 206"}));
}

TEST_F(ConnectionsTest, ABodyOfWhichAPieceIsMissingIsNotWholeThoughItIsAnswered) {
  Played c = open();
  c.client(request("/a", "Transfer-Encoding: chunked\r\n", "POST") + "5\r\nbytes\r\n");
  c.lose(Sender::kClient, 20);
  c.server(response(200));
  c.client("0\r\n\r\n");
  EXPECT_EQ(spans(), Texts{"server POST /a 200 in=5 ~bytes_lost"});
  c.client(request("/b"));
  c.server(response(201));
  EXPECT_EQ(spans(), Texts{"server GET /b 201"});
}

TEST_F(ConnectionsTest, NorIsOneWhoseEndNobodyTellsOf) {
  Played c = open();
  c.client(request("/a", "Transfer-Encoding: chunked\r\n", "POST") + "5\r\nbytes\r\n");
  c.lose(Sender::kClient, 20);
  c.server(response(200));
  connections().tick(now_ns_ + 1000 * kMillisecond);
  EXPECT_EQ(spans(), Texts{"server POST /a 200 in=5 ~bytes_lost"});
}

TEST_F(ConnectionsTest, BehindALossTheAnswerThatIsMissingIsMissedThoughItWouldBeTheFirst) {
  Played c = open();
  c.lose(Sender::kClient, request("/a").size());
  c.lose(Sender::kServer, response(200).size());
  c.client(request("/b"));
  c.lose(Sender::kServer, response(201).size());
  c.lose(Sender::kClient, request("/c").size());
  c.server(response(202));
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "exchange.joined_without_response 1, stream.hole 1");
}

TEST_F(ConnectionsTest, WhatIsAskedBehindABodyWhoseEndIsMissingIsAnswered) {
  Played c = open();
  c.client(request("/a", "Transfer-Encoding: chunked\r\n", "POST"));
  c.lose(Sender::kClient, 5);
  c.server(response(200));
  c.client(request("/b"));
  c.server(response(201));
  EXPECT_EQ(spans(), (Texts{"server POST /a 200 ~bytes_lost", "server GET /b 201"}));
}

TEST_F(ConnectionsTest, BehindALossTheAnswerThatIsMissingIsMissed) {
  Played c = open();
  c.client(request("/a"));
  c.server(response(200));
  c.lose(Sender::kClient, request("/b").size());
  c.lose(Sender::kServer, response(201).size());
  c.client(request("/c"));
  c.lose(Sender::kServer, response(202).size());
  c.lose(Sender::kClient, request("/d").size());
  c.server(response(203));
  EXPECT_EQ(spans(), (Texts{"server GET /a 200", "server GET /c ~bytes_lost"}));
}

// Without any one to six calls in a row: no answer is another request's.
TEST_F(ConnectionsTest, WhateverIsMissingNoRequestHasTheAnswerOfAnother) {
  for (const int at_once : {1, 4}) {
    constexpr size_t kRequests = 24;
    const size_t calls = 2 * kRequests;
    for (size_t from = 0; from < calls; ++from)
      for (size_t lost = 1; lost <= 6; ++lost) {
        Played c = open(describe(1000 + from * 10 + lost));
        size_t call = 0;
        const auto play = [&](Sender sender, const std::string& bytes, uint64_t hidden) {
          if (const bool is_lost = call >= from && call < from + lost; ++call, is_lost)
            c.lose(sender, bytes.size() + hidden);
          else
            sender == Sender::kClient ? c.client(bytes, hidden) : c.server(bytes, hidden);
        };
        for (size_t n = 0; n < kRequests; n += at_once) {
          for (size_t i = n; i < n + at_once; ++i)
            play(Sender::kClient, i % 3 == 0 ? post("/" + std::to_string(i), 50) : request("/" + std::to_string(i)), i % 3 == 0 ? 50 : 0);
          for (size_t i = n; i < n + at_once; ++i) play(Sender::kServer, response(static_cast<int>(300 + i), i % 4 * 100), i % 4 * 100);
        }
        c.end(Kind::kClosed);
        size_t whole = 0;
        for (const exporter::Span& span : connections().take_spans()) {
          const std::string status = get(span, "http.response.status_code");
          if (status.empty()) continue;
          EXPECT_EQ(std::stoi(status), 300 + std::stoi(get(span, "url.path").substr(1)))
              << text_of(span) << ", without " << from << "+" << lost;
          ++whole;
        }
        if (at_once == 1) {
          EXPECT_GE(whole, kRequests - 3 - lost) << "without " << from << "+" << lost;
        }
      }
  }
}

// Its span waits for the client of its request; its thread does not.
TEST_F(ConnectionsTest, ARequestThatWasGivenUpBehindAHoleIsNoParentOfWhatItsThreadSendsNext) {
  capture::Connection info = describe(2, Role::kClient);
  info.has_base = true;
  Played other = open(info);
  other.client(request("/before"));
  other.server(response(200));
  info = describe(1);
  info.has_base = true;
  info.base = {1, 2};
  Played c = open(info);
  const auto reads = [&](const std::string& head) {
    const std::string bytes = request(head);
    capture::Bytes call = c.make(Sender::kClient, bytes);
    call.blocking = true;
    deliver(call);
  };
  reads("/a");
  c.lose(Sender::kServer, 40);
  reads("/b");
  c.server(response(200).substr(0, 10));
  other.client(request("/next"));
  other.server(response(200));
  c.end(Kind::kClosed);
  connections().tick(now_ns_ + 100 * kMillisecond);
  for (const exporter::Span& span : connections().take_spans()) EXPECT_EQ(span.parent_span_id, exporter::SpanId{}) << text_of(span);
}

TEST_F(ConnectionsTest, AHoleBeforeTheOtherDirectionHasBegunLeavesOpenWhereThatBegins) {
  Played c = open(describe(1, Role::kClient));
  c.client(http2::hello());
  c.lose(Sender::kClient, 40);
  c.client(http2::get_frame(3, "/three"));
  c.lose(Sender::kServer, http2::kEmptySettings.size());
  c.server(http2::ok_frame(1));
  const auto shown = [&](Sender sender, const std::string& bytes) {
    capture::Bytes call = c.make(sender, bytes);
    call.begins_message = true;
    deliver(call);
  };
  shown(Sender::kClient, http2::get_frame(5, "/five"));
  shown(Sender::kServer, http2::ok_frame(5));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"client GET http://h/five 200"});
  EXPECT_EQ(losses(), "stream.hole 1");
}

// Nobody follows such a connection any more, and what was under way on it ends.
TEST_F(ConnectionsTest, WhatDoesNotBeginAsItsProtocolDoesEndsWhatIsUnderWay) {
  Played c = open();
  c.client(http2::hello() + http2::get_frame(1, "/one"));
  c.server("no settings, surely");
  EXPECT_EQ(spans(), Texts{"server GET /one ~bytes_lost"});
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "parser_http2.settings_missing 1");
}

TEST_F(ConnectionsTest, BytesShownTwiceCountOnce) {
  Played c = open();
  const std::string asked = request("/a");
  const capture::Bytes call = c.make(Sender::kClient, asked);
  deliver(call);
  deliver(call);
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /a 200"});
  EXPECT_EQ(losses(), "");
}

// ---------------------------------------------------------------------------------------------- invalid heads

TEST_F(ConnectionsTest, AnInvalidRequestIsCountedAndTheNextExchangeIsRight) {
  for (const bool tells : {true, false}) {
    Played c = open();
    c.tells_other_position = tells;
    c.client(kBadRequest);
    c.server(response(400));
    c.client(request("/a"));
    c.server(response(200));
    EXPECT_EQ(spans(), Texts{"server GET /a 200"}) << tells;
  }
  EXPECT_EQ(losses(), "parser_http.bad_content_length 2");
}

TEST_F(ConnectionsTest, AnInvalidResponseEndsItsExchangeAndTheNextIsRight) {
  Played c = open();
  c.client(request("/a"));
  c.server(kBadResponse);
  EXPECT_EQ(spans(), Texts{"server GET /a ~bytes_lost"});
  c.client(request("/b"));
  c.server(response(201));
  EXPECT_EQ(spans(), Texts{"server GET /b 201"});
  EXPECT_EQ(losses(), "parser_http.bad_content_length 1");
}

TEST_F(ConnectionsTest, AnInvalidResponseEndsAllThatIsUnderWayForTheParserForgetsIt) {
  for (const bool tells : {true, false}) {
    Played c = open();
    c.tells_other_position = tells;
    c.client(request("/a") + request("/b"));
    c.server(kBadResponse);
    c.server(response(200));
    c.client(request("/c"));
    c.server(response(201));
    EXPECT_EQ(spans(), (Texts{"server GET /a ~bytes_lost", "server GET /b ~bytes_lost", "server GET /c 201"})) << tells;
  }
}

TEST_F(ConnectionsTest, ABodyThatBreaksOffLeavesTheNextRequestWhole) {
  Played c = open();
  c.client(request("/a", "Transfer-Encoding: chunked\r\n", "POST") + "3\r\nabc\r\n0\r\n" + request("/b"));
  c.server(response(200) + response(201));
  EXPECT_EQ(spans(), (Texts{"server POST /a 200 ~bytes_lost", "server GET /b 201"}));
  EXPECT_EQ(losses(), "parser_http.bad_trailer 1");
}

TEST_F(ConnectionsTest, ABadChunkSizeEndsTheMessageAndTheNextIsFoundBehindIt) {
  Played c = open();
  c.client(request("/a"));
  c.server("HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\n");
  EXPECT_EQ(spans(), Texts{"server GET /a 200 ~bytes_lost"});
  c.client(request("/b"));
  c.server(response(201));
  EXPECT_EQ(spans(), Texts{"server GET /b 201"});
  EXPECT_EQ(losses(), "parser_http.bad_chunk_size 1");
}

TEST_F(ConnectionsTest, AConnectionOfInvalidHeadsIsGivenUp) {
  Played c = open();
  for (int i = 0; i < 15; ++i) {
    c.client(kBadRequest);
    c.server(response(400));
    c.client(request("/a"));
    c.server(response(200));
    ASSERT_EQ(spans(), Texts{"server GET /a 200"});
  }
  EXPECT_EQ(losses(), "parser_http.bad_content_length 15");
  c.client(request("/b"));
  c.client(kBadRequest);
  EXPECT_EQ(spans(), Texts{"server GET /b ~bytes_lost"});
  EXPECT_EQ(losses(), "connection.given_up 1, parser_http.bad_content_length 16");
  c.client(request("/c"));
  c.server(response(200));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
}

TEST_F(ConnectionsTest, WhatIsReadOfAConnectionThatWasResetIsCountedAndBeginsNoOther) {
  Played played = open();
  played.client(request("/a"));
  played.end(Kind::kReset);
  played.client(request("/b"));
  played.client(request("/c"));
  EXPECT_EQ(connections().size(), 0U);
  EXPECT_EQ(losses(), "connection.read_after_end 2");
  EXPECT_EQ(spans(), (Texts{"server GET /a ~connection_closed !connection_reset"}));
}

TEST_F(ConnectionsTest, WithTheResponseToAnEarlierRequestGoesNoLaterOne) {
  for (const uint64_t hidden : {0, 300}) {  // of the bytes between them, which are a body then
    Played c = join();
    c.server(response(201, hidden), hidden);
    const std::string asked = request("/a");
    const capture::Bytes late = c.make(Sender::kClient, asked);
    c.server(response(404));
    deliver(late);
    c.client(request("/b"));
    c.server(response(200));
    c.end(Kind::kClosed);
    EXPECT_EQ(spans(), (Texts{"server GET /a 404", "server GET /b 200"})) << hidden;
  }
  EXPECT_EQ(losses(), "");
}

TEST_F(ConnectionsTest, TheAnswerToAnInvalidRequestIsNotThatOfTheNextInTheSameCall) {
  Played c = open();
  c.client(kBadRequest + request("/a"));
  c.server(response(400));
  c.server(response(200));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "connection.given_up 1, parser_http.bad_content_length 1");
}

TEST_F(ConnectionsTest, BehindAHoleAResponseThatWaitsIsNotTakenForTheOneBefore) {
  Played c = join();
  c.server(response(201));
  c.lose(Sender::kServer, 40);
  const std::string asked = request("/a");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server(response(404));
  deliver(late);
  c.client(request("/b"));
  c.server(response(200));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), (Texts{"server GET /a 404", "server GET /b 200"}));
}

TEST_F(ConnectionsTest, ARequestThatBreaksOffBehindItsResponseIsOverAtOnce) {
  Played c = open();
  c.client(request("/a", "Transfer-Encoding: chunked\r\n", "POST"));
  c.server(response(413));
  c.client("none\r\n");
  EXPECT_EQ(spans(), Texts{"server POST /a 413 ~bytes_lost"});
  c.client(request("/b"));
  c.server(response(200));
  EXPECT_EQ(spans(), Texts{"server GET /b 200"});
}

}  // namespace
}  // namespace clew::connection
