// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/needed_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agent/tls/process_probes.h"

namespace clew::tls {
namespace {

using testing::Contains;
using testing::EndsWith;

TEST(NeededFiles, OfThisTestAreThoseThatItRunsWith) {
  const auto files = needed_files(discovery::ProcFs::of_this_machine(), static_cast<uint32_t>(getpid()));
  EXPECT_THAT(files, Contains(EndsWith("/libc.so.6")));
  EXPECT_LE(files.size(), kNeededFilesMax);
}

TEST(AllNeededFiles, AreThoseAndEveryOtherOfTheirNames) {
  const auto proc = discovery::ProcFs::of_this_machine();
  const auto all = all_needed_files(proc, static_cast<uint32_t>(getpid()));
  if (std::getenv("LD_LIBRARY_PATH") != nullptr || std::getenv("LD_PRELOAD") != nullptr) {
    EXPECT_TRUE(all.empty()) << "the linker was told of others";
    return;
  }
  for (const std::string& file : needed_files(proc, static_cast<uint32_t>(getpid()))) EXPECT_THAT(all, Contains(file));
  EXPECT_TRUE(all_needed_files(proc, 0x7fffffff).empty());
  EXPECT_TRUE(all_needed_files(proc, static_cast<uint32_t>(getpid()), "no-such-program-at-all").empty());
}

TEST(NeededFiles, OfNobodyAreNone) { EXPECT_TRUE(needed_files(discovery::ProcFs::of_this_machine(), 0x7fffffff).empty()); }

TEST(ProgramFile, OfAScriptIsItsInterpreter) {
  const auto script = std::filesystem::temp_directory_path() / ("clew_script_" + std::to_string(getpid()));
  std::ofstream(script) << "#!/usr/bin/env sh\n";
  EXPECT_EQ(program_file(script), std::filesystem::canonical("/bin/sh"));
  std::ofstream(script) << "#!" << script.string() << "\n";  // itself: an end all the same
  EXPECT_EQ(program_file(script), std::filesystem::canonical(script));
  std::filesystem::remove(script);
  EXPECT_EQ(program_file("no-such-program-at-all"), "");
  EXPECT_EQ(program_file("sh"), std::filesystem::canonical("/bin/sh"));
}

// Go's programs and Node.js have their TLS in themselves, and some of them speak it within milliseconds.
TEST(ComingFiles, BeginWithTheProgramItself) {
  constexpr auto kProgram = "/usr/lib/x86_64-linux-gnu/libssl.so.3";  // a file with functions of TLS: nothing here executes it
  if (access(kProgram, R_OK) != 0) GTEST_SKIP() << "no OpenSSL 3";
  FileCache cache;
  const auto files = coming_files(discovery::ProcFs::of_this_machine(), static_cast<uint32_t>(getpid()), kProgram, cache);
  ASSERT_FALSE(files.empty());
  EXPECT_EQ(files[0].path, std::filesystem::canonical(kProgram));
}

TEST(MovesBytesItself, IsKnownByTheProgramsName) {
  EXPECT_TRUE(moves_bytes_itself("/usr/bin/python3.11"));
  EXPECT_FALSE(moves_bytes_itself("/usr/sbin/nginx"));
  EXPECT_FALSE(moves_bytes_itself(""));
}

}  // namespace
}  // namespace clew::tls
