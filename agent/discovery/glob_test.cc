// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/glob.h"

#include <gtest/gtest.h>

#include <chrono>

namespace clew::discovery {
namespace {

bool matches(const std::string& pattern, std::string_view path) { return Glob::compile(pattern).value().matches(path); }

TEST(Glob, WithoutASlashTheBaseNameIsCompared) {
  EXPECT_TRUE(matches("nginx", "/usr/sbin/nginx"));
  EXPECT_FALSE(matches("nginx", "/opt/nginx/bin/run"));
  EXPECT_TRUE(matches("python3*", "/usr/bin/python3.11"));
  EXPECT_TRUE(matches("*", "/x"));
  EXPECT_FALSE(matches("nginx", "/usr/sbin/nginx2"));
  EXPECT_FALSE(matches("nginx", ""));
}

TEST(Glob, WithASlashTheWholePathIsCompared) {
  EXPECT_TRUE(matches("/usr/sbin/nginx", "/usr/sbin/nginx"));
  EXPECT_FALSE(matches("/usr/sbin/nginx", "/opt/usr/sbin/nginx"));
  EXPECT_FALSE(matches("sbin/nginx", "/usr/sbin/nginx"));
}

TEST(Glob, OneStarStaysInItsSegment) {
  EXPECT_TRUE(matches("/usr/*/nginx", "/usr/sbin/nginx"));
  EXPECT_FALSE(matches("/usr/*/nginx", "/usr/local/sbin/nginx"));
  EXPECT_FALSE(matches("/usr/*", "/usr/bin/x"));
  EXPECT_TRUE(matches("/usr/bin/*", "/usr/bin/x"));
}

TEST(Glob, TwoStarsCrossSegments) {
  EXPECT_TRUE(matches("/usr/**", "/usr/local/sbin/nginx"));
  EXPECT_TRUE(matches("/usr/**/nginx", "/usr/local/sbin/nginx"));
  EXPECT_TRUE(matches("/usr/**/nginx", "/usr/nginx"));
  EXPECT_FALSE(matches("/usr/**/nginx", "/usr/snginx"));
  EXPECT_TRUE(matches("**/nginx", "/usr/sbin/nginx"));
  EXPECT_TRUE(matches("**/bin/*", "/opt/x/bin/y"));
  EXPECT_FALSE(matches("**/bin/*", "/opt/x/bin/y/z"));
  EXPECT_TRUE(matches("/a/**/b/**/c", "/a/b/x/b/c"));
  EXPECT_TRUE(matches("/a/**/*.so*", "/a/b/c/libx.so.1"));
}

TEST(Glob, QuestionMarkIsOneCharacterButNoSlash) {
  EXPECT_TRUE(matches("python3.1?", "/usr/bin/python3.11"));
  EXPECT_FALSE(matches("python3.1?", "/usr/bin/python3.1"));
  EXPECT_FALSE(matches("/usr?bin", "/usr/bin"));
}

TEST(Glob, Sets) {
  EXPECT_TRUE(matches("app[0-9]", "/app7"));
  EXPECT_FALSE(matches("app[0-9]", "/appx"));
  EXPECT_TRUE(matches("app[!0-9]", "/appx"));
  EXPECT_TRUE(matches("app[^0-9]", "/appx"));
  EXPECT_TRUE(matches("app[]x]", "/app]"));
  EXPECT_TRUE(matches("app[a-]", "/app-"));
  EXPECT_FALSE(matches("/a[!x]b", "/a/b"));
  EXPECT_FALSE(matches("/a[.-0]b", "/a/b")) << "a set never matches the slash, though it lies in the range";
}

TEST(Glob, BackslashQuotes) {
  EXPECT_TRUE(matches("a\\*", "/a*"));
  EXPECT_FALSE(matches("a\\*", "/ab"));
  EXPECT_TRUE(matches("a\\[1]", "/a[1]"));
}

TEST(Glob, BadPatternsAreErrors) {
  EXPECT_FALSE(Glob::compile(""));
  EXPECT_FALSE(Glob::compile("a[b"));
  EXPECT_FALSE(Glob::compile("a[]"));
  EXPECT_FALSE(Glob::compile(std::string(5000, 'a')));
}

TEST(Glob, ManyStarsDoNotTakeLong) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  std::string deep = "/";
  for (int i = 0; i < 12; ++i) deep += "**/a/";
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(matches(pattern + "b", "/" + std::string(4000, 'a')));
  std::string path;
  for (int i = 0; i < 100; ++i) path += "/a";
  EXPECT_FALSE(matches(deep + "b", path));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace clew::discovery
