// SPDX-License-Identifier: Apache-2.0
// What the captures in testdata/ cannot show: limits, and the dealings with the agent step by step.
#include "protocols/http1/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "protocols/http/head.h"

namespace clew::protocols::http1 {
namespace {

using Kind = Step::Kind;

Kind kind(Parser& parser, Sender sender, std::string_view bytes) { return parser.parse(sender, bytes).kind; }

/// A request without a body.
void ask(Parser& parser, std::string_view request) {
  const Step step = parser.parse(Sender::kClient, request);
  ASSERT_EQ(step.kind, Kind::kHead);
  ASSERT_TRUE(step.is_whole);
}

std::string head_of_length(size_t length) {
  std::string head = "GET / HTTP/1.1\r\nX: ";
  head.append(length - head.size() - 4, 'x');
  return head + "\r\n\r\n";
}

TEST(Http1Parser, HalfAHeadNeedsMoreAndConsumesNothing) {
  Http1Parser parser(true);
  const Step step = parser.parse(Sender::kClient, "GET / HTTP/1.1\r\nHost: a\r\n");
  EXPECT_EQ(step.kind, Kind::kNeedMore);
  EXPECT_EQ(step.consumed, 0U);
}

TEST(Http1Parser, AHeadMayHave64KiB) {
  Http1Parser fits(true), too_long(true), endless(true);
  EXPECT_EQ(fits.parse(Sender::kClient, head_of_length(kHeadLengthMax)).consumed, kHeadLengthMax);
  EXPECT_EQ(too_long.parse(Sender::kClient, head_of_length(kHeadLengthMax + 1)).reason, "head_too_long");
  EXPECT_EQ(endless.parse(Sender::kClient, "GET /" + std::string(kHeadLengthMax, 'a')).reason, "head_too_long");
}

TEST(Http1Parser, ALongHeadByteByByteEqualsOneInOnePiece) {
  const std::string head = head_of_length(kHeadLengthMax);
  Http1Parser parser(true);
  for (size_t n = 0; n < head.size(); ++n)
    ASSERT_EQ(kind(parser, Sender::kClient, std::string_view(head).substr(0, n)), Kind::kNeedMore) << n;
  EXPECT_EQ(kind(parser, Sender::kClient, head), Kind::kHead);
}

TEST(Http1Parser, ATrailerIsBounded) {
  Http1Parser parser(true);
  ASSERT_EQ(kind(parser, Sender::kClient, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), Kind::kHead);
  EXPECT_EQ(parser.parse(Sender::kClient, "0\r\nX: " + std::string(kHeadLengthMax, 'x') + "\r\n\r\n").reason, "trailer_too_long");
}

TEST(Http1Parser, AResponseWithoutRequestWaits) {
  Http1Parser parser(true);
  const std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  const Step step = parser.parse(Sender::kServer, response);
  EXPECT_EQ(step.kind, Kind::kAwaitPeer);
  EXPECT_EQ(step.consumed, 0U);
  ask(parser, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(kind(parser, Sender::kServer, response), Kind::kHead);
}

TEST(Http1Parser, ResyncPassesOverTheOrphanOnly) {
  Http1Parser parser(false);
  const std::string_view orphan = "HTTP/1.1 200 OK\r\nContent-Length: 38\r\n\r\n";
  ASSERT_EQ(kind(parser, Sender::kServer, orphan), Kind::kAwaitPeer);
  EXPECT_EQ(parser.resync(Sender::kServer, orphan), 0U);
  Step step = parser.parse(Sender::kServer, orphan);
  EXPECT_EQ(step.kind, Kind::kSkip);
  EXPECT_EQ(step.consumed, orphan.size());
  EXPECT_EQ(step.skip, 38U);
  ask(parser, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(kind(parser, Sender::kServer, "HTTP/1.1 200 OK\r\n\r\n"), Kind::kHead);
}

TEST(Http1Parser, AHoleInTheResponsesForgetsWhoWaits) {
  Http1Parser parser(true);
  ask(parser, "HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(parser.resync(Sender::kServer, ""), 0U);
  EXPECT_EQ(kind(parser, Sender::kServer, "HTTP/1.1 200 OK\r\n\r\n"), Kind::kAwaitPeer);
}

TEST(Http1Parser, ResyncFindsTheNextStartLine) {
  Http1Parser parser(true);
  EXPECT_EQ(parser.resync(Sender::kClient, "rest of something\r\nGET / HTTP/1.1\r\n"), 19U);
  EXPECT_EQ(parser.resync(Sender::kClient, "nothing\r\n(here)"), 15U);
  EXPECT_EQ(parser.resync(Sender::kClient, "GET / HTTP/1.1\r\n"), 0U);
  EXPECT_EQ(parser.resync(Sender::kClient, "x y\r\nGET / HT"), 5U);
}

TEST(Http1Parser, JoinedInTheMiddleItInventsNothing) {
  Http1Parser parser(false);
  const std::string_view bytes =
      "ET /half HTTP/1.1\r\nHost: a\r\n\r\n{\"log\": 1}\r\nGET /in/a/body HTTP/1.1\r\n\r\nPOST /real HTTP/1.1\r\nHost: a\r\n\r\n";
  std::string_view rest = bytes;
  Step step = parser.parse(Sender::kClient, rest);
  while (step.kind == Kind::kSkip) {
    rest.remove_prefix(step.consumed);
    step = parser.parse(Sender::kClient, rest);
  }
  ASSERT_EQ(step.kind, Kind::kHead);
  EXPECT_EQ(static_cast<const http::MessageHead&>(*step.head)[Field::kTarget], "/real");
}

TEST(Http1Parser, TransferEncodingWinsOverContentLength) {
  Http1Parser parser(true);
  ASSERT_EQ(kind(parser, Sender::kClient, "PUT / HTTP/1.1\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n"), Kind::kHead);
  const Step end = parser.parse(Sender::kClient, "0\r\n\r\n");
  EXPECT_EQ(end.kind, Kind::kEnd);
  EXPECT_EQ(end.consumed, 5U);
}

TEST(Http1Parser, ARequestThatCannotBeFramedIsToldAndThenRefused) {
  Http1Parser parser(true);
  ASSERT_EQ(kind(parser, Sender::kClient, "PUT / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"), Kind::kHead);
  EXPECT_EQ(parser.parse(Sender::kClient, "x").reason, "bad_transfer_encoding");
  EXPECT_EQ(kind(parser, Sender::kServer, "HTTP/1.1 501 No\r\n\r\n"), Kind::kHead);
}

TEST(Http1Parser, FinishCompletesOnlyABodyThatEndsWithTheConnection) {
  Http1Parser parser(true);
  EXPECT_FALSE(parser.finish(Sender::kClient));
  ask(parser, "GET / HTTP/1.0\r\n\r\n");
  ASSERT_EQ(kind(parser, Sender::kServer, "HTTP/1.0 200 OK\r\n\r\n"), Kind::kHead);
  EXPECT_EQ(parser.parse(Sender::kServer, {}).skip, Step::kSkipToClose);
  EXPECT_TRUE(parser.finish(Sender::kServer));
  EXPECT_FALSE(parser.finish(Sender::kServer));
}

TEST(Http1Parser, FinishInTheMiddleOfABodyCompletesNothing) {
  Http1Parser parser(true);
  const Step head = parser.parse(Sender::kClient, "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(head.skip, 5U);
  EXPECT_FALSE(head.is_whole);
  EXPECT_FALSE(parser.finish(Sender::kClient));
}

/// Both heads of one exchange.
std::pair<HeadPointer, HeadPointer> exchange(Http1Parser& parser, std::string_view request, std::string_view response) {
  const Step asked = parser.parse(Sender::kClient, request);
  const Step answered = parser.parse(Sender::kServer, response);
  EXPECT_TRUE(asked.is_whole && answered.is_whole);
  return {asked.head, answered.head};
}

TEST(Http1Parser, TheSameBytesGiveTheSameHeadAgain) {
  Http1Parser parser(true);
  const std::string_view request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string_view response = "HTTP/1.1 204 No Content\r\nDate: 1\r\n\r\n";
  const auto first = exchange(parser, request, response);
  EXPECT_EQ(exchange(parser, request, response), first);
  EXPECT_EQ(static_cast<const http::MessageHead&>(*first.first)[Field::kTarget], "/a");
  EXPECT_EQ(static_cast<const http::MessageHead&>(*first.second).status(), 204);
}

TEST(Http1Parser, OneOtherByteGivesAnotherHead) {
  Http1Parser parser(true);
  const auto first = exchange(parser, "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n");
  const auto second = exchange(parser, "GET /b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 304 No Content\r\n\r\n");
  EXPECT_NE(second.first, first.first);
  EXPECT_NE(second.second, first.second);
  EXPECT_EQ(static_cast<const http::MessageHead&>(*second.first)[Field::kTarget], "/b");
  EXPECT_EQ(static_cast<const http::MessageHead&>(*second.second).status(), 304);
}

TEST(Http1Parser, AHeadThatIsRepeatedFramesItsBodyAgain) {
  Http1Parser parser(true);
  const std::string_view head = "PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    const Step step = parser.parse(Sender::kClient, std::string(head) + "hello");
    ASSERT_EQ(step.kind, Kind::kHead) << i;
    EXPECT_EQ(step.consumed, head.size());
    EXPECT_EQ(step.skip, 5U);
    EXPECT_EQ(parser.parse(Sender::kClient, {}).body_bytes, 5U);
  }
}

TEST(Http1Parser, ATraceContextIsReadEachTime) {
  Http1Parser parser(true);
  const std::string_view request = "GET / HTTP/1.1\r\nb3: 0\r\n\r\n";
  for (int i = 0; i < 3; ++i) {
    const Step step = parser.parse(Sender::kClient, request);
    ASSERT_EQ(step.context_fields.size(), 1U) << i;
    EXPECT_EQ(step.context_fields[0].value, "0");
    EXPECT_TRUE(step.is_whole);
  }
}

TEST(Http1Parser, AHeadWithSecretsIsNotKept) {
  const std::string_view plain = "HTTP/1.1 204 No Content\r\n\r\n";
  for (const std::string_view field : {"Cookie: a=1", "AUTHORIZATION: Basic eA==", "Proxy-Authorization: x"}) {
    Http1Parser parser(true);
    const std::string request = std::string("GET / HTTP/1.1\r\n").append(field).append("\r\n\r\n");
    const size_t memory = parser.memory_bytes();
    const HeadPointer first = parser.parse(Sender::kClient, request).head;
    EXPECT_LT(parser.memory_bytes(), memory + request.size()) << field;
    EXPECT_NE(parser.parse(Sender::kClient, request).head, first) << field;
  }
  Http1Parser parser(true);
  const std::string_view response = "HTTP/1.1 204 No Content\r\nSet-Cookie: a=1\r\n\r\n";
  const std::string_view request = "GET / HTTP/1.1\r\n\r\n";
  const auto first = exchange(parser, request, response);
  EXPECT_NE(exchange(parser, request, response).second, first.second);
  const auto third = exchange(parser, request, plain);
  EXPECT_EQ(exchange(parser, request, plain), third);
}

TEST(Http1Parser, TheAnswerToAHeadRequestHasNoBodyThoughItsHeadIsKnown) {
  Http1Parser parser(true);
  const std::string_view response = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n";
  ask(parser, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(parser.parse(Sender::kServer, response).skip, 3U);
  ASSERT_EQ(kind(parser, Sender::kServer, {}), Kind::kEnd);
  ask(parser, "HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(parser.parse(Sender::kServer, response).is_whole);
  EXPECT_EQ(kind(parser, Sender::kServer, response), Kind::kAwaitPeer) << "nobody has asked";
}

TEST(Http1Parser, MemoryIsBoundedHoweverManyRequestsWait) {
  Http1Parser parser(true);
  for (int i = 0; i < 20000; ++i) ask(parser, i % 3 == 0 ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n");
  EXPECT_LT(parser.memory_bytes(), 8192U);
}

TEST(Http1Parser, ManyPipelinedRequestsKeepTheirOrder) {
  Http1Parser parser(true);
  for (int i = 0; i < 1000; ++i) ask(parser, i % 7 == 0 ? "HEAD / HTTP/1.1\r\n\r\n" : "GET / HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 1000; ++i) {
    const Step head = parser.parse(Sender::kServer, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n");
    ASSERT_EQ(head.kind, Kind::kHead) << i;
    const bool has_body = i % 7 != 0;
    ASSERT_EQ(head.skip, has_body ? 3U : 0U) << i;
    ASSERT_EQ(head.is_whole, !has_body) << i;
    if (has_body) {
      ASSERT_EQ(kind(parser, Sender::kServer, {}), Kind::kEnd) << i;
    }
  }
}

TEST(Http1Parser, AMessageBeginsBehindEmptyLinesHoweverTheyAreCut) {
  const std::string head = "GET / HTTP/1.1\r\n\r\n";
  Http1Parser apart(true), at_once(true);
  const Step lines = apart.parse(Sender::kClient, "\r\n\r\n");
  EXPECT_EQ(lines.consumed, 4U);
  EXPECT_EQ(apart.parse(Sender::kClient, head).consumed, head.size());
  const Step passed = at_once.parse(Sender::kClient, "\r\n\r\n" + head);
  EXPECT_EQ(passed.kind, Kind::kSkip);
  EXPECT_EQ(passed.consumed, 4U);
  EXPECT_EQ(at_once.parse(Sender::kClient, head).consumed, head.size());
}

}  // namespace
}  // namespace clew::protocols::http1
