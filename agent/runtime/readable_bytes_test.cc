// SPDX-License-Identifier: Apache-2.0
// FIONREAD in machine code, and in the programs of this machine.
#include "agent/runtime/readable_bytes.h"

#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

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
  EXPECT_TRUE(bytes.may_be_asked(discovery::ProcFs::of_this_machine(), static_cast<uint32_t>(getpid())));
  EXPECT_TRUE(bytes.may_be_asked(discovery::ProcFs::of_this_machine(), 0)) << "what cannot be read may ask";
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
