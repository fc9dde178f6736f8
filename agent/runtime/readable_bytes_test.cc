// SPDX-License-Identifier: Apache-2.0
// FIONREAD in machine code, and in the programs of this machine.
#include "agent/runtime/readable_bytes.h"

#include <elf.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace clew::runtime {
namespace {

using namespace std::string_literals;

TEST(ReadableBytes, AMoveOfTheConstantIsFound) {
  EXPECT_TRUE(loads_fionread("\x90\xbe\x1b\x54\0\0\xe8"s));                // mov $0x541b, %esi
  EXPECT_TRUE(loads_fionread("\x41\xb8\x1b\x54\0\0"s));                    // mov $0x541b, %r8d
  EXPECT_TRUE(loads_fionread("\x48\xc7\xc6\x1b\x54\0\0"s));                // mov $0x541b, %rsi
  EXPECT_TRUE(loads_fionread("\xc7\x44\x24\x10\x1b\x54\0\0"s));            // movl $0x541b, 0x10(%rsp)
  EXPECT_TRUE(loads_fionread("\x1b\x54\0\0 and then \xbf\x1b\x54\0\0"s));  // the second is one
}

TEST(ReadableBytes, OtherConstantsAndPlainBytesAreNone) {
  EXPECT_FALSE(loads_fionread(""));
  EXPECT_FALSE(loads_fionread("\xbe\x21\x54\0\0"s));      // FIONBIO
  EXPECT_FALSE(loads_fionread("\x1b\x54\0\0"s));          // nothing before it
  EXPECT_FALSE(loads_fionread("aaaaaaaa\x1b\x54\0\0"s));  // no such instruction
}

TEST(ReadableBytes, ThisProgramAsks) {
  int readable = 0;
  ioctl(STDIN_FILENO, FIONREAD, &readable);  // so it does
  ReadableBytes bytes;
  EXPECT_TRUE(bytes.may_be_asked(discovery::ProcFs::of_this_machine(), static_cast<uint32_t>(getpid())).asks);
  EXPECT_TRUE(bytes.may_be_asked(discovery::ProcFs::of_this_machine(), 0).asks) << "what cannot be read may ask";
}

// A program's file and its libraries, mapped as those of a process that a directory stands for.
class MappedFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(root_);
    std::filesystem::create_directories(root_ + "/7/map_files");
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void map(const std::string& path, const std::string& file) {
    std::ofstream(root_ + "/7/maps", std::ios::app) << fmt::format("{0:x}000-{0:x}fff r-xp 00000000 08:01 77   {1}\n", ++maps_, path);
    std::filesystem::create_symlink(file, fmt::format("{0}/7/map_files/{1:x}000-{1:x}fff", root_, maps_));
  }
  // One segment, of data or code.
  std::string library(const std::string& name, const std::string& bytes, uint32_t flags) {
    Elf64_Ehdr header{};
    Elf64_Phdr segment{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_machine = EM_X86_64;
    header.e_phentsize = sizeof segment;
    header.e_phnum = 1;
    header.e_phoff = sizeof header;
    segment.p_type = PT_LOAD;
    segment.p_flags = flags;
    segment.p_offset = sizeof header + sizeof segment;
    segment.p_filesz = bytes.size();
    std::string file = root_ + "/" + name;
    std::ofstream(file) << std::string_view(reinterpret_cast<const char*>(&header), sizeof header)
                        << std::string_view(reinterpret_cast<const char*>(&segment), sizeof segment) << bytes;
    return file;
  }
  bool asks() { return (latest_ = bytes_.may_be_asked({.root = root_}, 7, latest_))->asks; }

 private:
  std::string root_ = testing::TempDir() + "/clew-mapped-files";
  int maps_ = 0;
  ReadableBytes bytes_;
  std::optional<ReadableBytes::Answer> latest_;
};

TEST_F(MappedFiles, WhatIsLoadedLaterIsLookedAt) {
  map("/usr/bin/program", library("program", "nothing of that kind", PF_R | PF_X));
  EXPECT_FALSE(asks());
  EXPECT_FALSE(asks()) << "as long as nothing else is mapped";
  map("/usr/lib/libother.so", library("libother.so", "\xbe\x1b\x54\0\0"s, PF_R));
  EXPECT_FALSE(asks()) << "data are no instructions";
  map("/usr/lib/libasks.so", library("libasks.so", "\xbe\x1b\x54\0\0"s, PF_R | PF_X));
  EXPECT_TRUE(asks());
}

TEST_F(MappedFiles, DataAreNotAsked) {
  map("/usr/bin/program", library("program", "nothing of that kind", PF_R | PF_X));
  map("/usr/lib/locale/C.utf8/LC_CTYPE", "/etc/services");
  EXPECT_FALSE(asks());
  map("/usr/lib/libgone.so", "/no/such/file");
  EXPECT_TRUE(asks()) << "what cannot be read may ask";
}

TEST_F(MappedFiles, AModuleThatOffersTheNumberToScriptsAsks) {
  map("/usr/bin/python3.11", library("python3.11", "nothing of that kind", PF_R | PF_X));
  map("/usr/lib/python3.11/lib-dynload/fcntl.cpython-311-x86_64-linux-gnu.so", library("fcntl", "F_SETFL\0F_GETFL\0"s, PF_R));
  EXPECT_FALSE(asks());
  map("/usr/lib/python3.11/lib-dynload/termios.cpython-311-x86_64-linux-gnu.so", library("termios", "TIOCINQ\0FIONREAD\0FIONBIO\0"s, PF_R));
  EXPECT_TRUE(asks());
}

TEST_F(MappedFiles, SoDoesOneThatCallsAnyFunction) {
  map("/usr/bin/python3.11", library("python3.11", "nothing of that kind", PF_R | PF_X));
  map("/usr/lib/python3.11/lib-dynload/_ctypes.cpython-311-x86_64-linux-gnu.so", library("_ctypes", "nothing", PF_R));
  EXPECT_TRUE(asks());
}

TEST(ReadableBytes, OfAProgramThatBeginsItsFilesTell) {
  const auto self = std::string("/proc/self/exe");
  ReadableBytes bytes;
  EXPECT_TRUE(bytes.will_be_asked(self, {"/proc/self/exe"})) << "it asks";
  EXPECT_TRUE(bytes.will_be_asked("/bin/true", {})) << "what it needs is not known";
  EXPECT_TRUE(bytes.will_be_asked("/bin/true", {"/no/such/library"}));
  EXPECT_TRUE(bytes.will_be_asked("/bin/true", {self})) << "a library of its does";
  EXPECT_FALSE(bytes.will_be_asked("/bin/true", {"/bin/true"})) << "nothing asks, and nothing loads what might";
}

}  // namespace
}  // namespace clew::runtime
