// SPDX-License-Identifier: Apache-2.0
// Over the libraries that this machine has, and over files that lie.
#include "agent/tls/file_probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "bpf/events.h"

namespace clew::tls {
namespace {

using testing::Contains;
using testing::HasSubstr;

constexpr auto kOpenssl = "/usr/lib/x86_64-linux-gnu/libssl.so.3";
constexpr auto kGnutls = "/usr/lib/x86_64-linux-gnu/libgnutls.so.30";

size_t count(const FileProbes& found, std::string_view program) {
  return static_cast<size_t>(std::ranges::count(found.probes, program, [](const Probe& probe) { return std::string_view(probe.program); }));
}

TEST(FileProbes, OpensslIsProbedWhereItsFunctionsMeet) {
  if (access(kOpenssl, R_OK) != 0) GTEST_SKIP() << "no OpenSSL 3";
  const auto found = find_file_probes(kOpenssl);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(count(*found, "uprobe__tls_call"), count(*found, "uretprobe__tls_call"));
  EXPECT_EQ(count(*found, "uprobe__tls_free"), 1u);
  EXPECT_EQ(count(*found, "uprobe__tls_call"), 2u);   // write, handshake
  EXPECT_EQ(count(*found, "uprobe__tls_moved"), 2u);  // read, where its result is known
  for (const std::string& line : found->description) EXPECT_THAT(line, Not(HasSubstr("single-stepped"))) << line;
  bool writes = false;
  for (const Probe& probe : found->probes) writes |= (probe.cookie & CLEW_TLS_EGRESS) != 0;
  EXPECT_TRUE(writes);
}

TEST(FileProbes, GnutlsIsProbedOnceForEachCall) {
  if (access(kGnutls, R_OK) != 0) GTEST_SKIP() << "no GnuTLS";
  const auto found = find_file_probes(kGnutls);
  ASSERT_TRUE(found) << found.error().message;
  std::set<std::pair<uint64_t, bool>> places;
  for (const Probe& probe : found->probes) EXPECT_TRUE(places.emplace(probe.offset, probe.at_return).second) << probe.offset;
  EXPECT_EQ(count(*found, "uprobe__tls_call"), 3u);  // recv, recv_seq, send2
}

TEST(FileProbes, AProgramWithoutTlsHasNone) {
  const auto found = find_file_probes("/proc/self/exe");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(found->probes.empty());
}

TEST(FileProbes, AFileThatIsNoProgramSaysSo) {
  EXPECT_THAT(find_file_probes("/etc/passwd").error().message, HasSubstr("not an ELF file"));
  EXPECT_FALSE(find_file_probes("/nowhere"));
}

/// A copy of a library that a test may spoil.
class Spoilt : public testing::Test {
 protected:
  void SetUp() override {
    if (access(kOpenssl, R_OK) != 0) GTEST_SKIP() << "no OpenSSL 3";
    std::ifstream in(kOpenssl, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(in), {});
  }
  auto look() {
    const auto path = std::filesystem::temp_directory_path() / ("clew_tls_spoilt_" + std::to_string(getpid()));
    std::ofstream(path, std::ios::binary) << bytes_;
    auto found = find_file_probes(path);
    std::filesystem::remove(path);
    return found;
  }
  std::string bytes_;
};

TEST_F(Spoilt, CutOffAnywhereItEndsInAReasonOrInNothing) {
  const std::string whole = bytes_;
  for (const size_t size : {size_t{4}, size_t{63}, size_t{64}, size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    bytes_ = whole.substr(0, size);
    const auto found = look();
    if (found) {
      EXPECT_TRUE(found->probes.empty()) << size;
    } else {
      EXPECT_FALSE(found.error().message.empty());
    }
  }
}

TEST_F(Spoilt, NoiseNeverCrashes) {
  const std::string whole = bytes_;
  uint64_t state = 1;
  for (int round = 0; round < 60; ++round) {
    bytes_ = whole;
    for (int i = 0; i < 40; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      // the header and the tables at both ends
      const size_t at = round % 2 == 0 ? (state >> 33) % 8192 : whole.size() - 1 - (state >> 33) % 8192;
      bytes_[at] = static_cast<char>(state >> 24);
    }
    look();  // whatever it says
  }
}

TEST(FileCache, KnowsAFileByWhatItIsNotByItsName) {
  if (access(kOpenssl, R_OK) != 0) GTEST_SKIP() << "no OpenSSL 3";
  FileCache cache;
  const auto one = cache.look(kOpenssl);
  const auto other = cache.look("/lib/x86_64-linux-gnu/../x86_64-linux-gnu/libssl.so.3");
  EXPECT_EQ(one.file.key(), other.file.key());
  EXPECT_EQ(one.probes, other.probes);
  EXPECT_FALSE(cache.look("/nowhere").file.is_open());
}

TEST_F(Spoilt, ReplacedBeforeItIsProbedItIsStillTheOneThatWasLookedAt) {
  const auto path = std::filesystem::temp_directory_path() / ("clew_tls_replaced_" + std::to_string(getpid()));
  std::ofstream(path, std::ios::binary) << bytes_;
  FileCache cache;
  const auto entry = cache.look(path);
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << "another";
  EXPECT_EQ(std::filesystem::file_size(entry.file.path()), bytes_.size());
  EXPECT_NE(cache.look(path).file.key(), entry.file.key());
  std::filesystem::remove(path);
}

TEST_F(Spoilt, WrittenAndCutOffWhileItIsReadItNeverCrashes) {
  const auto path = std::filesystem::temp_directory_path() / ("clew_tls_changing_" + std::to_string(getpid()));
  std::ofstream(path, std::ios::binary) << bytes_;
  std::jthread writer([&](const std::stop_token& stop) {
    for (size_t size = bytes_.size(); !stop.stop_requested(); size = size < 4096 ? bytes_.size() : size / 2) {
      std::filesystem::resize_file(path, size);
      std::ofstream(path, std::ios::binary | std::ios::in) << bytes_.substr(0, size + size / 4);
    }
  });
  FileCache cache;
  for (int i = 0; i < 100; ++i) {
    if (const auto found = find_file_probes(path)) {
      for (const Probe& probe : found->probes) EXPECT_LT(probe.offset, bytes_.size());
    }
    cache.look(path);
  }
  writer.request_stop();
  writer.join();
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace clew::tls
