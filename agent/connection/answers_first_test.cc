// SPDX-License-Identifier: Apache-2.0
// Responses told of before their requests: the thread that has sent a request was stopped before it could say so, and another one received.
#include <fmt/format.h>

#include "agent/connection/connections_test.h"
#include "protocols/http2/frames_test.h"

namespace clew::connection {
namespace {

using namespace protocols::http2;  // NOLINT(google-build-using-namespace): its frames

const std::string kHead = "\x88";

// A call of the server that ends within a DATA frame, of which the source shows the header alone.
std::string answer(uint32_t stream, size_t body_bytes, uint8_t flags = 0) {
  return frame(FrameType::kHeaders, kEndHeaders, stream, kHead) +
         frame(FrameType::kData, flags, stream, std::string(body_bytes, 'x')).substr(0, kFrameHeaderLength);
}
std::string end_of(uint32_t stream) { return frame(FrameType::kData, kEndStream, stream); }

class AnswersFirst : public ConnectionsTest {
 protected:
  Played begin() {
    Played c = open(describe(1, Role::kClient));
    c.client(hello());
    c.server(kEmptySettings);
    return c;
  }
};

TEST_F(AnswersFirst, WithBodiesThatAreNotShownWaitForTheRequest) {
  Played c = begin();
  c.client(get_frame(1, "/one"));
  const std::string asked = get_frame(3, "/three") + get_frame(5, "/five");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server(answer(3, 3000), 3000);
  c.server(answer(1, 2000), 2000);
  c.server(answer(5, 15'000, kEndStream), 9'000);
  c.advance(Sender::kServer, 6'000);
  c.server(end_of(1) + end_of(3));
  EXPECT_EQ(spans(), Texts{});
  deliver(late);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/three 200 out=3000", "client GET http://h/five 200 out=15000",
                            "client GET http://h/one 200 out=2000"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, EvenWhereNothingOfTheConnectionWasToldOfBefore) {
  Played c = open(describe(1, Role::kClient));
  const std::string asked = hello() + get_frame(1, "/one") + get_frame(3, "/three");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server(kEmptySettings + answer(1, 40'000), 40'000);  // longer than it may be unless the client has said so
  c.server(answer(3, 40'000), 10'000);
  c.advance(Sender::kServer, 30'000);
  c.server(end_of(1) + end_of(3));
  deliver(late);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/one 200 out=40000", "client GET http://h/three 200 out=40000"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, WhatTheServerHasSaidBeforeItWasUnderstoodIsReadAsSoonAsItIs) {
  Played c = open(describe(1, Role::kClient));
  const std::string larger = frame(FrameType::kSettings, 0, 0, "\0\5\0\x40\0\0"s);
  c.server(larger.substr(0, 5));
  const capture::Bytes late = c.make(Sender::kServer, std::string_view(larger).substr(5));
  c.client(hello());
  deliver(late);
  c.client(frame(FrameType::kHeaders, kEndHeaders, 1, "\x83\x86" + field(kAuthority, "h") + field(kPath, "/one")) +
               frame(FrameType::kData, kEndStream, 1, std::string(40'000, 'x')).substr(0, kFrameHeaderLength),
           40'000);
  c.server(ok_frame(1));
  EXPECT_EQ(spans(), Texts{"client POST http://h/one 200 in=40000"});
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, WaitForEachOfSeveralRequests) {
  Played c = begin();
  const std::string first = get_frame(1, "/one");
  const std::string second = get_frame(3, "/three");
  const capture::Bytes late = c.make(Sender::kClient, first);
  const capture::Bytes later = c.make(Sender::kClient, second);
  c.server(answer(1, 300), 300);
  c.server(answer(3, 500), 500);
  c.server(end_of(3) + end_of(1));
  deliver(late);
  EXPECT_EQ(spans(), Texts{});
  deliver(later);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/three 200 out=500", "client GET http://h/one 200 out=300"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, OfHttp1WithBodiesThatAreNotShownWaitForTheirRequests) {
  Played c = open(describe(1, Role::kClient));
  const std::string asked = request("/one") + request("/two");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server(response(200, 3000), 3000);
  c.server(response(404, 70'000), 30'000);
  c.advance(Sender::kServer, 40'000);
  deliver(late);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/one 200 out=3000", "client GET http://h/two 404 out=70000 !404"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, AHoleAmongThemIsOne) {
  Played c = begin();
  const std::string asked = get_frame(1, "/one") + get_frame(3, "/three");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server(answer(1, 300), 300);
  c.server(end_of(1));
  c.lose(Sender::kServer, 40);
  c.server(answer(3, 300), 300);
  deliver(late);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/one 200 out=300", "client GET http://h/three ~bytes_lost"}));
  EXPECT_EQ(losses(), "stream.hole 1");
}

TEST_F(AnswersFirst, OfARequestThatIsNeverToldOfGoOnWithTheNextOne) {
  Played c = begin();
  c.lose(Sender::kClient, get_frame(1, "/one").size());
  c.server(answer(1, 300), 300);
  c.server(end_of(1));
  const std::string asked = get_frame(3, "/three");
  capture::Bytes next = c.make(Sender::kClient, asked);
  next.begins_message = true;
  deliver(next);
  c.server(answer(3, 300), 300);
  c.server(end_of(3));
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{"client GET http://h/three 200 out=300"});
  EXPECT_EQ(losses(), "stream.hole 1");
}

TEST_F(AnswersFirst, OfARequestFromBeforeTheSourceLookedAreNotKept) {
  Played c = join();
  const size_t before = connections().memory_bytes();
  for (int i = 0; i < 1000; ++i) c.server(response(200, 3000), 3000);
  EXPECT_LE(connections().memory_bytes(), before + 4096);
  c.client(request("/a"));
  c.server(response(404));
  EXPECT_EQ(spans(), Texts{"server GET /a 404"});
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, AreBounded) {
  Played c = begin();
  const std::string asked = get_frame(1, "/one");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  connections();
  const size_t before = connections().memory_bytes();
  c.server(answer(1, 1000), 1000);
  for (int i = 0; i < 10'000; ++i) c.server(answer(1, 1000).substr(kFrameHeaderLength + kHead.size()), 1000);
  EXPECT_LE(connections().memory_bytes(), before + 2 * stream::Stream::kBufferMax);
  deliver(late);
  c.end(Kind::kClosed);
  EXPECT_EQ(spans().size(), 1U);
  EXPECT_EQ(losses().substr(0, 19), "stream.buffer_full ");
}

TEST_F(AnswersFirst, WhoseBodyEndsWithTheConnectionAreWholeIfThatHasEnded) {
  Played c = open(describe(1, Role::kClient));
  c.client(request("/before"));
  c.server(response(200));
  const std::string asked = request("/one");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server("HTTP/1.1 200 X\r\n\r\n", 3000);
  c.advance(Sender::kServer, 500);
  c.end_of(Sender::kServer);
  deliver(late);
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), (Texts{"client GET http://h/before 200", "client GET http://h/one 200 out=3500"}));
  EXPECT_EQ(losses(), "");
}

TEST_F(AnswersFirst, OfARequestThatIsTheLastOneAreGivenToItThoughTheServerHasClosed) {
  Played c = open(describe(1, Role::kClient));
  const std::string asked = request("/one");
  const capture::Bytes late = c.make(Sender::kClient, asked);
  c.server(response(200, 2000), 2000);
  c.end_of(Sender::kServer);
  deliver(late);
  EXPECT_EQ(spans(), Texts{"client GET http://h/one 200 out=2000"});
  c.end(Kind::kClosed);
  EXPECT_EQ(spans(), Texts{});
  EXPECT_EQ(losses(), "");
}

}  // namespace
}  // namespace clew::connection
