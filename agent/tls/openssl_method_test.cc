// SPDX-License-Identifier: Apache-2.0
// Over the libraries that this machine has.
#include "agent/tls/openssl_method.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "agent/tls/instruction.h"
#include "agent/tls/symbols.h"

namespace clew::tls {
namespace {

const std::set<uint8_t> kCalleeSaved = {3, 5, 12, 13, 14, 15};

class OpensslMethods : public testing::TestWithParam<const char*> {};

TEST_P(OpensslMethods, ReadIsFoundBehindBothCallsWithRegistersThatCallsLeaveAlone) {
  if (access(GetParam(), R_OK) != 0) GTEST_SKIP() << "no " << GetParam();
  const auto file = discovery::ElfFile::open(GetParam());
  ASSERT_TRUE(file);
  const OpensslMethod method = find_openssl_method(*file);
  ASSERT_TRUE(method.write);
  EXPECT_TRUE(file->offset_of(*method.write));
  ASSERT_TRUE(method.read);
  const OpensslRead* const found = &*method.read;
  EXPECT_EQ(found->addresses.size(), 2u);  // it reads once more where a handshake came between
  std::set<uint8_t> registers = {found->session, found->buffer, found->moved_at};
  EXPECT_EQ(registers.size(), 3u);
  if (found->peeks) registers.insert(*found->peeks);
  for (const uint8_t number : registers) EXPECT_TRUE(kCalleeSaved.contains(number)) << int{number};
  for (const uint64_t address : found->addresses) {
    EXPECT_TRUE(file->offset_of(address));
    const auto instruction = decode(code_at(*file, address, 15), address);
    ASSERT_TRUE(instruction);
    EXPECT_TRUE(instruction->emulated);
  }
}

// `xor` of a register with itself in three bytes.
std::string clears(uint8_t number) {
  const auto both = static_cast<char>(0xc0 | (number & 7) << 3 | (number & 7));
  return number < 8 ? std::string{0x31, both, static_cast<char>(0x90)} : std::string{0x45, 0x31, both};
}

TEST_P(OpensslMethods, ReadIsNotFoundWhereARegisterIsWrittenOnTheWay) {
  if (access(GetParam(), R_OK) != 0) GTEST_SKIP() << "no " << GetParam();
  const auto file = discovery::ElfFile::open(GetParam());
  ASSERT_TRUE(file);
  const OpensslMethod method = find_openssl_method(*file);
  ASSERT_TRUE(method.read);
  const auto copy = std::filesystem::temp_directory_path() / ("clew_openssl_method_" + std::to_string(getpid()));
  for (const uint64_t address : method.read->addresses) {
    for (const uint8_t number : {uint8_t{0}, method.read->session, method.read->buffer, method.read->moved_at}) {
      // the three bytes before the place: a comparison of the result, or the beginning of a later instruction
      std::filesystem::copy_file(GetParam(), copy, std::filesystem::copy_options::overwrite_existing);
      std::fstream out(copy, std::ios::binary | std::ios::in | std::ios::out);
      out.seekp(static_cast<std::streamoff>(*file->offset_of(address) - 3));
      out << clears(number);
      out.close();
      const auto spoilt = discovery::ElfFile::open(copy);
      ASSERT_TRUE(spoilt);
      const OpensslMethod other = find_openssl_method(*spoilt);
      const bool is_kept =
          other.read && (number == 0 || number == other.read->session || number == other.read->buffer || number == other.read->moved_at);
      EXPECT_FALSE(is_kept) << std::hex << address << " register " << int{number};
    }
  }
  std::filesystem::remove(copy);
}

INSTANTIATE_TEST_SUITE_P(Files, OpensslMethods, testing::Values("/usr/lib/x86_64-linux-gnu/libssl.so.3", "/usr/bin/node"),
                         [](const auto& file) { return std::string(file.index == 0 ? "libssl" : "node"); });

TEST(OpensslMethod, IsNoneInOtherLibraries) {
  for (const char* path : {"/usr/lib/x86_64-linux-gnu/libgnutls.so.30", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/proc/self/exe"}) {
    const auto file = discovery::ElfFile::open(path);
    if (!file) continue;
    const OpensslMethod method = find_openssl_method(*file);
    EXPECT_FALSE(method.read) << path;
    EXPECT_FALSE(method.write) << path;
  }
}

}  // namespace
}  // namespace clew::tls
