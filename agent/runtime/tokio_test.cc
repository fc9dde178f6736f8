// SPDX-License-Identifier: Apache-2.0
// What is recognised in programs with tokio, and what is left alone.
#include "agent/runtime/tokio.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace clew::runtime {
namespace {

TEST(TokioSymbols, AreKnownInBothWaysOfMangling) {
  EXPECT_EQ(tokio_symbol("_ZN5tokio7runtime4task5waker12WAKER_VTABLE17h15461b6d8f7aba72E", false), TokioSymbol::kWaker);
  EXPECT_EQ(tokio_symbol("_RNvNtNtNtNtCs1_5tokio7runtime4task5waker12WAKER_VTABLE", false), TokioSymbol::kWaker);
  EXPECT_EQ(tokio_symbol("_ZN5tokio7runtime4task4core11TaskIdGuard5enter17he9644cca9f2ac8bfE", false), TokioSymbol::kEnter);
  EXPECT_EQ(tokio_symbol("_RNvMs_NtNtNtCs1_5tokio7runtime4task4coreNtB4_11TaskIdGuard5enter", false), TokioSymbol::kEnter);
  EXPECT_EQ(tokio_symbol("_ZN5tokio7runtime4task4list19OwnedTasks$LT$S$GT$10bind_inner17h242aE.llvm.46", false), TokioSymbol::kBind);
  EXPECT_EQ(tokio_symbol("_ZN5tokio7runtime8blocking4pool7Spawner10spawn_task17h18c46a008ad2bf3dE", false), TokioSymbol::kBlocking);
  EXPECT_EQ(tokio_symbol("_RNvMs5_NtNtNtCs1_5tokio7runtime8blocking4poolNtB5_7Spawner10spawn_task", false), TokioSymbol::kBlocking);
  EXPECT_EQ(tokio_symbol("_RNvMs2_NtNtNtNtCs1_5tokio7runtime9scheduler12multi_thread6workerNtNtB7_6handle6Handle34schedule_option_task_"
                         "without_yield",
                         false),
            TokioSymbol::kSchedule);
}

TEST(TokioSymbols, OthersAreNot) {
  EXPECT_EQ(tokio_symbol("_ZN5tokio7runtime4task4list19OwnedTasks$LT$S$GT$10bind_inner17h242aE.cold", false), TokioSymbol::kNone);
  EXPECT_EQ(tokio_symbol("_ZN5tokio7runtime8blocking7sharded11ShardedImpl10spawn_task17ha59aE", false), TokioSymbol::kNone);
  EXPECT_EQ(tokio_symbol("_RINvMNtNtNtCs1_5tokio7runtime8blocking7shardedNtB3_11ShardedImpl10spawn_taskNCNvMs5_NtB5_4poolNtB1u_7Spawner10"
                         "spawn_task0E",
                         false),
            TokioSymbol::kNone);
  EXPECT_EQ(tokio_symbol("WAKER_VTABLE", false), TokioSymbol::kNone);
  EXPECT_EQ(tokio_symbol("", false), TokioSymbol::kNone);
}

TEST(TokioSymbols, TheContextIsThreadLocal) {
  constexpr std::string_view kContext =
      "_ZN5tokio7runtime7context7CONTEXT29_$u7b$$u7b$constant$u7d$$u7d$28_$u7b$$u7b$closure$u7d$$u7d$23__RUST_STD_INTERNAL_VAL17h8faeE";
  EXPECT_EQ(tokio_symbol(kContext, true), TokioSymbol::kContext);
  EXPECT_EQ(tokio_symbol(kContext, false), TokioSymbol::kNone);
  EXPECT_EQ(tokio_symbol("_RNvNCNKNvNtNtCs1_5tokio7runtime7context7CONTEXT0023___RUST_STD_INTERNAL_VAL", true), TokioSymbol::kContext);
}

// mov 0x30(%rax),%rcx; mov %rbx,0x30(%rax), behind a look at the state of the thread-local value: tokio 1.54
const std::vector<uint8_t> kExchange = {0x53, 0x0f, 0xb6, 0x48, 0x48, 0x83, 0xf9, 0x01, 0x48,
                                        0x8b, 0x48, 0x30, 0x48, 0x89, 0x58, 0x30, 0xc3};
// mov 0x20(%rax),%rcx; mov 0x28(%rax),%rdx; movq $1,0x20(%rax); mov %rbx,0x28(%rax): 1.38
const std::vector<uint8_t> kTagged = {0x48, 0x8b, 0x48, 0x20, 0x48, 0x8b, 0x50, 0x28, 0x48, 0xc7, 0x40,
                                      0x20, 1,    0,    0,    0,    0x48, 0x89, 0x58, 0x28, 0xc3};

TEST(TokioTaskIdAt, IsTheWordThatIsExchanged) {
  EXPECT_EQ(tokio_task_id_at(kExchange), (TokioTaskId{.id = 0x30, .tag = std::nullopt}));
  EXPECT_EQ(tokio_task_id_at(kTagged), (TokioTaskId{.id = 0x28, .tag = 0x20}));
}

TEST(TokioTaskIdAt, IsNotGuessed) {
  std::vector<uint8_t> elsewhere = kExchange;
  elsewhere[15] = 0x38;  // stored behind
  EXPECT_FALSE(tokio_task_id_at(elsewhere));
  elsewhere = kExchange;
  elsewhere[14] = 0x5a;  // by another register
  EXPECT_FALSE(tokio_task_id_at(elsewhere));
  std::vector<uint8_t> twice = kExchange;
  twice.insert(twice.end(), {0x48, 0x8b, 0x48, 0x10, 0x48, 0x89, 0x58, 0x10});
  EXPECT_FALSE(tokio_task_id_at(twice));
  std::vector<uint8_t> zero = kTagged;
  zero[12] = 0;
  EXPECT_FALSE(tokio_task_id_at(zero));
  for (size_t length = 0; length < 16; ++length) EXPECT_FALSE(tokio_task_id_at(std::span(kExchange).first(length))) << length;
}

TEST(TokioProbeAt, IsAnInstructionThatTheKernelEmulates) {
  EXPECT_EQ(tokio_probe_at(std::array<uint8_t, 3>{0x55, 0x41, 0x57}), 0);
  EXPECT_EQ(tokio_probe_at(std::array<uint8_t, 5>{0x48, 0x85, 0xf6, 0x74, 0x32}), 3);
  EXPECT_EQ(tokio_probe_at(std::array<uint8_t, 5>{0x48, 0x85, 0xf6, 0x0f, 0x84}), 3);
  EXPECT_FALSE(tokio_probe_at(std::array<uint8_t, 5>{0x48, 0x83, 0xec, 0x28, 0xc3}));
  EXPECT_FALSE(tokio_probe_at(std::array<uint8_t, 5>{0x48, 0x85, 0xf6, 0x75, 0x32}));
  EXPECT_FALSE(tokio_probe_at({}));
}

TEST(TlsOffset, CountsBackFromTheThreadPointer) {
  EXPECT_EQ(tls_offset(0x30, 0x178, 8), static_cast<uint64_t>(-0x148));
  EXPECT_EQ(tls_offset(0, 0x21, 0x10), static_cast<uint64_t>(-0x30));
  EXPECT_EQ(tls_offset(0, 8, 0), static_cast<uint64_t>(-8));
}

}  // namespace
}  // namespace clew::runtime
