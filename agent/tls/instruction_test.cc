// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/instruction.h"

#include <gtest/gtest.h>

#include <vector>

namespace clew::tls {
namespace {

using Bytes = std::vector<uint8_t>;
using Flow = Instruction::Flow;

TEST(Instruction, KnowsWhatTheKernelEmulates) {
  const Bytes emulated[] = {
      {0x55}, {0x41, 0x55}, {0x90}, {0xe8, 1, 0, 0, 0}, {0xe9, 1, 0, 0, 0}, {0xeb, 1}, {0x74, 2}, {0x0f, 0x84, 2, 0, 0, 0}};
  for (const Bytes& code : emulated) EXPECT_TRUE(decode(code, 0x1000)->emulated) << int{code[0]};
  // endbr64, sub, mov, xor, test, ret, jmp *%rax, callw, push of memory, jrcxz
  const Bytes stepped[] = {{0xf3, 0x0f, 0x1e, 0xfa},
                           {0x48, 0x83, 0xec, 0x18},
                           {0x48, 0x89, 0xe1},
                           {0x31, 0xc0},
                           {0x85, 0xd2},
                           {0xc3},
                           {0xff, 0xe0},
                           {0x66, 0xe8, 1, 0},
                           {0xff, 0x30},
                           {0xe3, 0x02}};
  for (const Bytes& code : stepped) {
    const auto instruction = decode(code, 0x1000);
    EXPECT_TRUE(!instruction || !instruction->emulated) << int{code[0]};
  }
}

TEST(Instruction, TellsTargetsAndFlow) {
  const auto call = decode(Bytes{0xe8, 0x10, 0, 0, 0}, 0x1000);
  EXPECT_EQ(call->flow, Flow::kCall);
  EXPECT_EQ(call->target, 0x1015u);
  EXPECT_EQ(decode(Bytes{0x74, 0xfe}, 0x1000)->target, 0x1000u);
  EXPECT_EQ(decode(Bytes{0xff, 0xe0}, 0x1000)->target, std::nullopt);
  EXPECT_EQ(decode(Bytes{0xc3}, 0x1000)->flow, Flow::kEnd);
}

TEST(Instruction, TellsWhichArgumentsAreWritten) {
  EXPECT_EQ(decode(Bytes{0x31, 0xc9}, 0)->writes, kRcx);              // xor %ecx,%ecx
  EXPECT_EQ(decode(Bytes{0x48, 0x83, 0xec, 0x18}, 0)->writes, kRsp);  // sub $0x18,%rsp
  EXPECT_EQ(decode(Bytes{0x55}, 0)->writes, kRsp);
  EXPECT_EQ(decode(Bytes{0x85, 0xd2}, 0)->writes, 0);       // test %edx,%edx
  const auto widened = decode(Bytes{0x48, 0x63, 0xd2}, 0);  // movslq %edx,%rdx
  EXPECT_EQ(widened->writes, kRdx);
  EXPECT_TRUE(widened->extends_edx);
  EXPECT_TRUE(decode(Bytes{0x48, 0x89, 0xe1}, 0)->rcx_is_on_stack);              // mov %rsp,%rcx
  EXPECT_TRUE(decode(Bytes{0x48, 0x8d, 0x4c, 0x24, 0x08}, 0)->rcx_is_on_stack);  // lea 8(%rsp),%rcx
  EXPECT_FALSE(decode(Bytes{0x48, 0x8d, 0x4e, 0x08}, 0)->rcx_is_on_stack);       // lea 8(%rsi),%rcx
}

TEST(Instruction, WhatIsCutOffIsNone) {
  EXPECT_FALSE(decode(Bytes{}, 0));
  EXPECT_FALSE(decode(Bytes{0xe8, 0x10}, 0));
}

}  // namespace
}  // namespace clew::tls
