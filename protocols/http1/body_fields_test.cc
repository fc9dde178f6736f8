// SPDX-License-Identifier: Apache-2.0
#include "protocols/http1/body_fields.h"

#include <gtest/gtest.h>

namespace clew::protocols::http1 {
namespace {

TEST(ContentLength, EqualOnesAgree) {
  BodyFields body;
  EXPECT_EQ(take_content_length("5", body), "");
  EXPECT_EQ(take_content_length("5, 5", body), "");
  EXPECT_EQ(body.content_length, 5U);
  EXPECT_EQ(take_content_length("6", body), "conflicting_content_length");
}

TEST(ContentLength, DifferentOnesInAListConflict) {
  BodyFields body;
  EXPECT_EQ(take_content_length("5,6", body), "conflicting_content_length");
}

TEST(ContentLength, RefusesWhatIsNoNumber) {
  for (const char* value : {"", "-1", "+1", "1 1", "0x1", "1,", "99999999999999999999", "9223372036854775807"}) {
    BodyFields body;
    EXPECT_EQ(take_content_length(value, body), "bad_content_length") << value;
  }
}

TEST(TransferEncoding, TheLastCodingCounts) {
  const auto ends_chunked = [](std::initializer_list<const char*> values) {
    BodyFields body;
    for (const char* value : values) take_transfer_encoding(value, body);
    EXPECT_TRUE(body.has_transfer_encoding);
    return body.ends_chunked;
  };
  EXPECT_TRUE(ends_chunked({"chunked"}));
  EXPECT_TRUE(ends_chunked({"gzip, CHUNKED"}));
  EXPECT_TRUE(ends_chunked({"gzip", "chunked"}));
  EXPECT_TRUE(ends_chunked({"chunked;x=y"}));
  EXPECT_FALSE(ends_chunked({"chunked, gzip"}));
  EXPECT_FALSE(ends_chunked({"chunked", "gzip"}));
  EXPECT_FALSE(ends_chunked({"chunkedchunked"}));
}

}  // namespace
}  // namespace clew::protocols::http1
