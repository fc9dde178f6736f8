// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/url.h"

#include <gtest/gtest.h>

namespace clew::protocols::http {
namespace {

std::string redacted(std::string_view query, bool only_secrets) {
  std::string out;
  append_redacted_query(query, only_secrets, out);
  return out;
}

TEST(Authority, KnowsNamesAddressesAndPorts) {
  EXPECT_EQ(parse_authority("a.example:8080").host, "a.example");
  EXPECT_EQ(parse_authority("a.example:8080").port, 8080);
  EXPECT_EQ(parse_authority("[2001:db8::1]:443").host, "2001:db8::1");
  EXPECT_EQ(parse_authority("[::1]").port, 0);
  EXPECT_EQ(parse_authority("user:pass@a:1").host, "a");
  EXPECT_EQ(parse_authority("a:").host, "a");
}

TEST(Authority, RefusesWhatIsNone) {
  for (const char* text : {"", ":80", "a b", "a/b", "a:b", "a:70000", "[::1", "[::1]x", "\"a\"", "a,b"})
    EXPECT_EQ(parse_authority(text).host, "") << text;
}

TEST(Target, EachFormHasItsParts) {
  EXPECT_EQ(parse_target("/a/b?c=d#e", false).path, "/a/b");
  EXPECT_EQ(parse_target("/a/b?c=d#e", false).query, "c=d");
  EXPECT_EQ(parse_target("/r?to=http://b/", false).authority, "");
  EXPECT_EQ(parse_target("*", false).path, "*");
  EXPECT_EQ(parse_target("a:443", true).authority, "a:443");
  EXPECT_EQ(parse_target("/chat?token=secret", true).authority, "");
  EXPECT_EQ(parse_target("/chat?token=secret", true).path, "/chat");
  EXPECT_EQ(parse_target("/chat?token=secret", true).query, "token=secret");
  const Target absolute = parse_target("https://u:p@a:1/b?c", false);
  EXPECT_EQ(absolute.scheme, "https");
  EXPECT_EQ(absolute.userinfo, "u:p");
  EXPECT_EQ(absolute.authority, "a:1");
  EXPECT_EQ(absolute.path, "/b");
  EXPECT_EQ(parse_target("http://a?x=y", false).path, "/");
  EXPECT_EQ(parse_target("http://a?x=y", false).query, "x=y");
}

TEST(Query, LosesAllValuesByDefault) {
  EXPECT_EQ(redacted("a=1&b=2=3&flag&=x&c=", false), "a=REDACTED&b=REDACTED&REDACTED&=REDACTED&c=REDACTED");
}

TEST(Query, AWordAloneMayBeTheSecret) {
  EXPECT_EQ(redacted("3f9a51", false), "REDACTED");
  EXPECT_EQ(redacted("token", false), "REDACTED");
  EXPECT_EQ(redacted("&a=1&&", false), "&a=REDACTED&&") << "nothing hides where nothing is";
  EXPECT_EQ(redacted("wsdl&token&sig=x", true), "wsdl&token&sig=REDACTED");
}

TEST(Query, LosesSecretsEvenWhenCaptured) {
  EXPECT_EQ(redacted("a=1&sig=x&X-Amz-Signature=y&token=z&SIG=1", true), "a=1&sig=REDACTED&X-Amz-Signature=REDACTED&token=REDACTED&SIG=1");
  EXPECT_EQ(redacted("pass%77ord=x&%74oken=y", true), "pass%77ord=REDACTED&%74oken=REDACTED");
}

}  // namespace
}  // namespace clew::protocols::http
