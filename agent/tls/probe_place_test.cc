// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/probe_place.h"

#include <gtest/gtest.h>

#include <vector>

namespace clew::tls {
namespace {

using Bytes = std::vector<uint8_t>;
constexpr uint8_t kArguments = kRdi | kRsi | kRdx | kRcx;
constexpr uint64_t kAddress = 0x35430;

// Debian's libssl 3.0, SSL_read: its own stack, a check of the size, and the function that does it.
const Bytes kSslRead = {0x48, 0x83, 0xec, 0x18, 0x64, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00, 0x48, 0x89, 0x44, 0x24, 0x08, 0x31,
                        0xc0, 0x85, 0xd2, 0x78, 0x2f, 0x48, 0x89, 0xe1, 0x48, 0x63, 0xd2, 0xe8, 0x3d, 0xfe, 0xff, 0xff, 0x85, 0xc0, 0xc3};
// SSL_read_ex: sub $8,%rsp; call; ret
const Bytes kSslReadEx = {0x48, 0x83, 0xec, 0x08, 0xe8, 0xc7, 0xfd, 0xff, 0xff, 0xc3};

TEST(ProbePlace, IsTheFirstEmulatedInstructionWithItsArguments) {
  const Place place = find_place(kSslRead, kAddress, kArguments);
  EXPECT_TRUE(place.emulated);
  EXPECT_EQ(place.offset, 0x16u);  // js
}

TEST(ProbePlace, IsTheEntryWhereTheReturnAddressWouldBeElsewhere) {
  const Place place = find_place(kSslRead, kAddress, kArguments | kRsp);
  EXPECT_FALSE(place.emulated);
  EXPECT_EQ(place.offset, 0u);
}

TEST(ProbePlace, StopsWhereAnArgumentIsWritten) {
  const Bytes code = {0x31, 0xff, 0x55, 0xc3};  // xor %edi,%edi; push %rbp; ret
  EXPECT_FALSE(find_place(code, kAddress, kRdi).emulated);
  EXPECT_TRUE(find_place(code, kAddress, kRsi).emulated);
}

TEST(ProbePlace, IsNotWhereALoopComesBackTo) {
  // mov %rdi,%rax; push %rbp; … jmp to the push: it would be passed more than once in a call
  const Bytes code = {0x48, 0x89, 0xf8, 0x55, 0x48, 0x89, 0xe5, 0xeb, 0xfa, 0xc3};
  EXPECT_EQ(find_place(code, kAddress, kArguments).offset, 0u);
  EXPECT_FALSE(find_place(code, kAddress, kArguments).emulated);
}

TEST(ProbePlace, SkipsWhatControlFlowProtectionAdds) {
  const Bytes code = {0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x57, 0xc3};  // endbr64; push %r15
  const Place place = find_place(code, kAddress, kArguments | kRsp);
  EXPECT_TRUE(place.emulated);
  EXPECT_EQ(place.offset, 4u);
}

TEST(ProbePlace, OfNothingIsTheEntry) {
  EXPECT_EQ(find_place({}, kAddress, kArguments).offset, 0u);
  EXPECT_FALSE(find_place({}, kAddress, kArguments).emulated);
}

TEST(Forwarding, IsFoundWithAPointerOfItsOwnAndOfItsCaller) {
  const auto plain = find_forwarding(kSslRead, kAddress);
  ASSERT_TRUE(plain);
  EXPECT_TRUE(plain->own_pointer);
  EXPECT_EQ(plain->target, 0x35290u);
  const auto extended = find_forwarding(kSslReadEx, 0x354c0);
  ASSERT_TRUE(extended);
  EXPECT_FALSE(extended->own_pointer);
  EXPECT_EQ(extended->target, 0x35290u);
}

TEST(Forwarding, IsNoneWhereAnArgumentIsChanged) {
  const Bytes code = {0x48, 0x89, 0xfe, 0xe8, 0, 0, 0, 0};  // mov %rdi,%rsi; call
  EXPECT_FALSE(find_forwarding(code, kAddress));
  const Bytes indirect = {0xff, 0xe0};
  EXPECT_FALSE(find_forwarding(indirect, kAddress));
}

}  // namespace
}  // namespace clew::tls
