// SPDX-License-Identifier: Apache-2.0
#include "protocols/testing/capture.h"

#include <gtest/gtest.h>

namespace clew::protocols::testing {
namespace {

TEST(Capture, ReadsPiecesAndExpectations) {
  const auto capture = parse_capture("x", "# remark\n> a\\r\\n\\x00\\\\\n< b\n? client 5\n! server\n= client head\n= exchange GET a=b\n");
  ASSERT_TRUE(capture) << capture.error().message;
  ASSERT_EQ(capture->pieces.size(), 4U);
  EXPECT_EQ(capture->pieces[0].bytes, std::string("a\r\n\0\\", 5));
  EXPECT_EQ(capture->pieces[1].sender, Sender::kServer);
  EXPECT_EQ(capture->pieces[2].kind, Piece::Kind::kLost);
  EXPECT_EQ(capture->pieces[2].lost, 5U);
  EXPECT_EQ(capture->pieces[3].kind, Piece::Kind::kClose);
  EXPECT_EQ(capture->client, std::vector<std::string>{"head"});
  EXPECT_EQ(capture->exchanges, std::vector<std::string>{"GET a=b"});
}

TEST(Capture, NamesTheLineThatIsWrong) {
  for (const char* text : {"> a\n> \\q\n", "> a\n> \\x0\n", "> a\n! nobody\n", "> a\n? client\n", "> a\n* b\n", "> a\n= client\n"}) {
    const auto capture = parse_capture("x", text);
    ASSERT_FALSE(capture) << text;
    EXPECT_EQ(capture.error().message.substr(0, 5), "x:2: ") << text;
  }
}

}  // namespace
}  // namespace clew::protocols::testing
