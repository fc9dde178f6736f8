// SPDX-License-Identifier: Apache-2.0
// Programs that are at hand: this test itself, those that the machine happens to have, and damaged copies.
#include "agent/discovery/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "agent/discovery/fake_proc.h"

namespace clew::discovery {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::StartsWith;
using Runtime = Executable::Runtime;

std::string contents_of(const std::string& path, size_t limit) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes(limit, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(limit));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

TEST(InspectExecutable, ThisTest) {
  const auto result = inspect_executable("/proc/self/exe");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->runtime, Runtime::kNative);
  EXPECT_TRUE(result->dynamic);
  EXPECT_FALSE(result->stripped);
  EXPECT_THAT(result->needed, Contains(StartsWith("libelf.so")));
  EXPECT_THAT(result->static_tls, IsEmpty());
}

TEST(InspectExecutable, WhatIsNoProgramIsSaidPlainly) {
  const FakeProc files;
  const auto message = [](const std::string& path) {
    const auto result = inspect_executable(path);
    return result ? "accepted" : result.error().message;
  };
  files.write("script", "#!/bin/sh\n");
  files.write("text", "hello");
  files.write("empty", "");
  files.write("half",
              "\x7f"
              "ELF");
  EXPECT_THAT(message(files.root() + "/script"), HasSubstr("is a script"));
  EXPECT_THAT(message(files.root() + "/text"), HasSubstr("not an ELF file"));
  EXPECT_THAT(message(files.root() + "/empty"), HasSubstr("not an ELF file"));
  EXPECT_THAT(message(files.root() + "/half"), HasSubstr("damaged"));
  EXPECT_THAT(message(files.root() + "/none"), HasSubstr("No such file"));
  EXPECT_THAT(message(files.root()), HasSubstr("not a regular file"));
  const std::string fifo = files.root() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(message(fifo), HasSubstr("not a regular file"));
  files.write("cut", contents_of("/proc/self/exe", 100'000));
  EXPECT_THAT(message(files.root() + "/cut"), HasSubstr("section table lies outside the file"));
}

TEST(InspectExecutable, DamageIsSurvived) {
  const FakeProc files;
  const std::string whole = contents_of("/bin/true", size_t{1} << 20);
  ASSERT_GT(whole.size(), 1000U);
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    std::string damaged = whole;
    const bool tables = round % 2 == 0;  // the header, then anywhere
    for (int i = 0; i < 8; ++i) damaged[4 + random() % (tables ? 60 : damaged.size() - 4)] = static_cast<char>(random());
    if (round % 5 == 0) damaged.resize(random() % damaged.size());
    files.write("damaged", damaged);
    const auto result = inspect_executable(files.root() + "/damaged");
    if (!result) {
      EXPECT_FALSE(result.error().message.empty());
    }
  }
}

struct Known {
  const char* path;
  Runtime runtime;
  const char* version;
};
class InspectInstalled : public testing::TestWithParam<Known> {};
TEST_P(InspectInstalled, IsRecognised) {
  if (!std::filesystem::exists(GetParam().path)) GTEST_SKIP() << GetParam().path << " is not installed";
  const auto result = inspect_executable(std::filesystem::canonical(GetParam().path).string());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(name_of(result->runtime), name_of(GetParam().runtime));
  EXPECT_THAT(result->version, MatchesRegex(GetParam().version));
  RecordProperty("version", result->version);
}
INSTANTIATE_TEST_SUITE_P(Programs, InspectInstalled,
                         testing::Values(Known{"/usr/bin/python3", Runtime::kCpython, "3\\.[0-9]+(\\.[0-9]+)?"},
                                         Known{"/usr/bin/node", Runtime::kNode, ".*"}, Known{"/usr/bin/java", Runtime::kJvm, ".*"},
                                         Known{"/usr/local/go/bin/go", Runtime::kGo, "go1\\.[0-9.]+.*"},
                                         Known{"/usr/bin/perl", Runtime::kPerl, ".*"}, Known{"/usr/bin/ruby", Runtime::kRuby, ".*"},
                                         Known{"/usr/sbin/nginx", Runtime::kNative, ""}, Known{"/usr/sbin/haproxy", Runtime::kHaproxy, ""},
                                         Known{"/bin/true", Runtime::kNative, ""}));

TEST(InspectExecutable, TlsThatIsLinkedIn) {
  if (std::filesystem::exists("/usr/local/go/bin/go")) {
    EXPECT_THAT(inspect_executable("/usr/local/go/bin/go")->static_tls, Contains("go crypto/tls"));
  }
  if (std::filesystem::exists("/usr/sbin/nginx")) {
    EXPECT_THAT(inspect_executable("/usr/sbin/nginx")->static_tls, IsEmpty()) << "nginx needs libssl.so, it does not hold it";
  }
}

TEST(ParseMaps, EachLibraryThatMattersOnce) {
  const auto libraries = parse_maps(
      "55d0-55d1 r--p 00000000 fe:00 100    /usr/sbin/nginx\n"
      "7f00-7f01 r--p 00000000 fe:00 4711                       /usr/lib/x86_64-linux-gnu/libssl.so.3\n"
      "7f01-7f02 r-xp 00001000 fe:00 4711                       /usr/lib/x86_64-linux-gnu/libssl.so.3\n"
      "7f03-7f04 r-xp 00000000 fe:00 4712                       /opt/lib/libssl.so.3 (deleted)\n"
      "7f05-7f06 r-xp 00000000 fe:00 4713                       /app/my libs/libssl-3a880ada.so.1.1\n"
      "7f07-7f08 r-xp 00000000 fe:00 4714                       /usr/lib/libssl3.so\n"
      "7f09-7f0a r-xp 00000000 fe:00 4715                       /usr/lib/libcrypto.so.3\n"
      "7f0b-7f0c rw-p 00000000 00:00 0                          [heap]\n"
      "garbage /libssl.so\n"
      "/libssl.so\n");
  ASSERT_EQ(libraries.size(), 4U);
  EXPECT_EQ(libraries[0].kind, "openssl");
  EXPECT_EQ(libraries[0].inode, 4711U);
  EXPECT_FALSE(libraries[0].deleted);
  EXPECT_EQ(libraries[1].path, "/opt/lib/libssl.so.3");
  EXPECT_TRUE(libraries[1].deleted);
  EXPECT_EQ(libraries[2].path, "/app/my libs/libssl-3a880ada.so.1.1");
  EXPECT_EQ(libraries[3].kind, "nss");
}

TEST(MappedLibraries, OfNoProcessIsAnError) { EXPECT_FALSE(mapped_libraries(FakeProc().fs(), 42)); }

}  // namespace
}  // namespace clew::discovery
