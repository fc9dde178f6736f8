// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/start_line.h"

#include <gtest/gtest.h>

#include <string>

#include "protocols/http1/http1.h"

namespace clew::protocols::http1 {
namespace {

bool is_request(std::string_view line) {
  StartLine out;
  return parse_start_line(Sender::kClient, line, out);
}
bool is_status(std::string_view line) {
  StartLine out;
  return parse_start_line(Sender::kServer, line, out);
}

TEST(StartLine, TakesRequestLinesApart) {
  StartLine line;
  ASSERT_TRUE(parse_start_line(Sender::kClient, "GET /a?b HTTP/1.0", line));
  EXPECT_EQ(line.method, "GET");
  EXPECT_EQ(line.target, "/a?b");
  EXPECT_EQ(line.minor_version, 0);
}

TEST(StartLine, TakesStatusLinesApart) {
  StartLine line;
  ASSERT_TRUE(parse_start_line(Sender::kServer, "HTTP/1.1 404 Not Found", line));
  EXPECT_EQ(line.status, 404);
  EXPECT_EQ(line.minor_version, 1);
  EXPECT_TRUE(is_status("HTTP/1.1 200"));
  EXPECT_TRUE(is_status("HTTP/1.1 200 "));
  EXPECT_TRUE(is_status("HTTP/1.1 999 \xc3\xa4"));
}

TEST(StartLine, TakesAnyTokenAsMethod) {
  for (const char* line : {"M-SEARCH * HTTP/1.1", "get / HTTP/1.1", "!#$%&'*+-.^_`|~9a / HTTP/1.1", "A / HTTP/1.1"})
    EXPECT_TRUE(is_request(line)) << line;
  EXPECT_TRUE(is_request(std::string(kMethodLengthMax, 'A') + " / HTTP/1.1"));
  EXPECT_FALSE(is_request(std::string(kMethodLengthMax + 1, 'A') + " / HTTP/1.1"));
}

TEST(StartLine, RefusesWhatIsNoRequestLine) {
  for (const char* line : {"",
                           "GET",
                           "GET /",
                           "GET / HTTP/2.0",
                           "GET / HTTP/1.",
                           "GET / HTTP/1.x",
                           "GET / HTTP/1.1 ",
                           "GET  / HTTP/1.1",
                           " GET / HTTP/1.1",
                           "GET  HTTP/1.1",
                           "GET HTTP/1.1",
                           "GET /a b HTTP/1.1",
                           "GET /a\tb HTTP/1.1",
                           "GET /\x7f HTTP/1.1",
                           "G(T / HTTP/1.1",
                           "GET / RTSP/1.0",
                           "GET / http/1.1",
                           "GET /long/enough/for/a/word\x01 HTTP/1.1",
                           "PRI * HTTP/2.0",
                           "GET - HTTP/1.1"})
    EXPECT_FALSE(is_request(line)) << line;
}

TEST(StartLine, RefusesWhatIsNoStatusLine) {
  for (const char* line : {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 099 x", "HTTP/1.1  200", "HTTP/2 200",
                           "HTTP/2.0 200 OK", "RTSP/1.0 200 OK", "ICY 200 OK", "HTTP/1.1 200\tOK", "HTTP/1.1 2x0 OK"})
    EXPECT_FALSE(is_status(line)) << line;
}

TEST(StartLine, EveryBeginningOfAGoodLineMayBecomeOne) {
  for (const auto& [sender, text] :
       {std::pair{Sender::kClient, std::string("OPTIONS http://a:1/b?c HTTP/1.1\r")},
        std::pair{Sender::kServer, std::string("HTTP/1.1 200 OK\r")}, std::pair{Sender::kServer, std::string("HTTP/1.0 204\r")}})
    for (size_t n = 0; n <= text.size(); ++n) EXPECT_TRUE(may_become_start_line(sender, text.substr(0, n))) << text.substr(0, n);
}

TEST(StartLine, SaysEarlyThatNothingCanComeOfIt) {
  for (const char* text :
       {" ", "GET  ", "GET / X", "GET / HTTP/2", "GET / HTTP/1.x", "GET /\t", "SSH-2.0-OpenSSH_9.2p1 -", "\x16\x03", "GET /\r"})
    EXPECT_FALSE(may_become_start_line(Sender::kClient, text)) << text;
  for (const char* text : {"H1", "HTTP/2", "HTTP/1.1 0", "HTTP/1.1 2000", "HTTP/1.1x", "220 "})
    EXPECT_FALSE(may_become_start_line(Sender::kServer, text)) << text;
}

TEST(Classifier, IsSureOfAWholeStartLineAndNothingElse) {
  const Http1 http;
  EXPECT_EQ(http.classify(Sender::kClient, ""), Claim::kNeedMore);
  EXPECT_EQ(http.classify(Sender::kClient, "GET / HTT"), Claim::kNeedMore);
  EXPECT_EQ(http.classify(Sender::kClient, "GET / HTTP/1.1\r"), Claim::kNeedMore);
  EXPECT_EQ(http.classify(Sender::kClient, "GET / HTTP/1.1\r\n"), Claim::kStrong);
  EXPECT_EQ(http.classify(Sender::kClient, "\r\nGET / HTTP/1.1\n"), Claim::kStrong);
  EXPECT_EQ(http.classify(Sender::kClient, "HTTP/1.1 200 OK\r\n"), Claim::kNo);
  EXPECT_EQ(http.classify(Sender::kServer, "HTTP/1.1 200 OK\r\n"), Claim::kStrong);
  EXPECT_EQ(http.classify(Sender::kServer, "GET / HTTP/1.1\r\n"), Claim::kNo);
  EXPECT_EQ(http.classify(Sender::kClient, "GET /" + std::string(70000, 'a')), Claim::kNo);
}

}  // namespace
}  // namespace clew::protocols::http1
