// SPDX-License-Identifier: Apache-2.0
// A made-up virtual machine in made-up memory: what is not as it should be gives no layout.
#include "agent/runtime/jvm.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "bpf/events.h"

namespace clew::runtime {
namespace {

constexpr uint64_t kSymbols = 0x1000, kTable = 0x10000, kTexts = 0x20000, kListPointer = 0x30000, kList = 0x31000, kPointers = 0x32000;
constexpr uint64_t kJava = 0x100000, kOs = 0x200000, kThread = 0x300000, kVector = 0x400000, kBlock = 0x500000, kEach = 0x1000;
constexpr uint64_t kStride = 48, kThreadCount = 3, kModule = 5, kVariable = 0x20;

class JvmTest : public testing::Test {
 protected:
  void SetUp() override {
    for (size_t i = 0; const uint64_t value : {kTable, kStride, uint64_t{0}, uint64_t{8}, uint64_t{32}, uint64_t{40}}) {
      symbols_[i] = kSymbols + 8 * i;
      words_[symbols_[i++]] = value;
    }
    field("JavaThread", "_threadObj", 1120);
    field("JavaThread", "_cont_entry", 1560);
    field("JavaThread", "_monitor_owner_id", 1312);
    field("Thread", "_osthread", 1016);
    field("OSThread", "_thread_id", 24);
    field("OSThread", "_pthread_id", 16);
    field("ThreadsList", "_length", 8);
    field("ThreadsList", "_threads", 16);
    field("ThreadsSMRSupport", "_java_thread_list", 0, kListPointer);
    words_[kTable + entries_ * kStride] = 0;

    words_[kListPointer] = kList;
    words_[kList + 8] = kThreadCount;
    words_[kList + 16] = kPointers;
    for (uint64_t i = 0; i < kThreadCount; ++i) {
      const uint64_t at = i * kEach;
      words_[kPointers + 8 * i] = kJava + at;
      words_[kJava + at + 1016] = kOs + at;
      words_[kOs + at + 16] = kThread + at;
      words_[kThread + at] = words_[kThread + at + 16] = kThread + at;
      words_[kThread + at + 8] = kVector + at;
      words_[kVector + at + 16] = ~uint64_t{0};  // not allocated in this thread
      words_[kVector + at + 16 * kModule] = kBlock + at;
      words_[kBlock + at + kVariable] = kJava + at;
    }
  }

  void field(std::string_view type, std::string_view name, uint64_t offset, uint64_t address = 0) {
    const uint64_t entry = kTable + entries_++ * kStride;
    words_[entry] = text(type);
    words_[entry + 8] = text(name);
    words_[entry + 32] = offset;
    words_[entry + 40] = address;
  }
  uint64_t text(std::string_view of) {
    const uint64_t address = kTexts + 0x40 * texts_.size();
    texts_[address] = of;
    return address;
  }
  Layout read() const {
    const ReadMemory memory = [this](uint64_t address, void* to, size_t bytes) {
      if (const auto found = texts_.find(address); found != texts_.end()) {
        std::memset(to, 0, bytes);
        std::memcpy(to, found->second.data(), std::min(bytes, found->second.size()));
        return true;
      }
      const auto found = words_.find(address);
      if (found == words_.end() || bytes > 8) return false;
      std::memcpy(to, &found->second, bytes);
      return true;
    };
    return read_jvm(memory, symbols_);
  }

  std::array<uint64_t, kVmStructsSymbols.size()> symbols_{};
  std::map<uint64_t, uint64_t> words_;
  std::map<uint64_t, std::string> texts_;
  uint64_t entries_ = 0;
};

TEST_F(JvmTest, TheThreadsShowWhereTheirJavaThreadIs) {
  const Layout layout = read();
  ASSERT_EQ(layout.runtime, static_cast<uint32_t>(CLEW_RUNTIME_JVM)) << layout.description;
  EXPECT_EQ(layout.values, (std::array<uint64_t, 8>{16 * kModule, kVariable, 1016, 24, 1560, 1312}));
}

TEST_F(JvmTest, AnOlderOneNamesNoOwners) {
  for (auto& [address, text] : texts_)
    if (text == "_monitor_owner_id") text = "_other";
  const Layout layout = read();
  EXPECT_EQ(layout.runtime, 0U);
  EXPECT_FALSE(layout.not_yet);
  EXPECT_NE(layout.description.find("_monitor_owner_id"), std::string::npos) << layout.description;
}

TEST_F(JvmTest, OneThatHasNotStartedIsWorthAnotherLook) {
  words_[kListPointer] = 0;
  EXPECT_EQ(read().runtime, 0U);
  EXPECT_TRUE(read().not_yet);
}

TEST_F(JvmTest, AllThreadsMustAgree) {
  words_[kBlock + kEach + kVariable] = kJava;
  EXPECT_EQ(read().runtime, 0U);
}

TEST_F(JvmTest, WhatIsNotAThreadOfGlibcsDoesNotCount) {
  for (uint64_t i = 0; i + 1 < kThreadCount; ++i) words_[kThread + i * kEach + 16] = 0;
  EXPECT_EQ(read().runtime, 0U);
}

TEST_F(JvmTest, ATableWithoutEndOrSenseEnds) {
  for (const uint64_t stride : {uint64_t{0}, ~uint64_t{0}}) {
    words_[symbols_[1]] = stride;
    EXPECT_EQ(read().runtime, 0U);
  }
  words_.clear();
  EXPECT_EQ(read().runtime, 0U);
}

}  // namespace
}  // namespace clew::runtime
