// SPDX-License-Identifier: Apache-2.0
// Arrays laid out as Node lays them out, in a process of our own making; and what only looks like them.
#include "agent/runtime/node.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <string>

#include "agent/discovery/fake_proc.h"

namespace clew::runtime {
namespace {

constexpr uint64_t kIsolate = 0x20010;
constexpr uint64_t kWorkerIsolate = 0x7f0000001000;
constexpr uint64_t kHeap = 0x100000;
constexpr uint64_t kStack = 0x300000;

// Three arrays in a row, and that of the immediates some words behind.
std::vector<uint64_t> hooks(uint64_t isolate, uint64_t ids, size_t stride = 7, uint64_t stack_length = 32) {
  std::vector<uint64_t> words(3 * stride + 40, 0x5555);
  const auto put = [&](size_t at, uint64_t length, uint64_t data) {
    words[at] = isolate;
    words[at + 1] = length;
    words[at + 2] = 0;
    words[at + 3] = data;
  };
  put(0, stack_length, 0x30000);
  put(stride, 9, 0x31000);
  put(2 * stride, 4, ids);
  put(3 * stride + 20, 3, ids + 0x100);
  put(3 * stride + 34, 2, ids + 0x203);
  return words;
}

TEST(AsyncHooksIn, FindsThemWithTheStrideOfEachVersion) {
  for (const size_t stride : {6, 7}) {
    std::vector<uint64_t> words(100);
    const auto there = hooks(kIsolate, 0x32000, stride);
    words.insert(words.end(), there.begin(), there.end());
    const auto found = async_hooks_in(words);
    ASSERT_EQ(found.size(), 1U) << stride;
    EXPECT_EQ(found[0], (AsyncHooks{.isolate = kIsolate, .kinds = 0x31000, .immediates = 0x32100, .ticks = 0x32203, .ids = 0x32000}));
  }
}

TEST(AsyncHooksIn, ThreeArraysOfDifferentIsolatesAreNone) {
  for (const size_t at : {0U, 7U, 14U}) {
    auto words = hooks(kIsolate, 0x32000);
    words[at] = kWorkerIsolate;
    EXPECT_TRUE(async_hooks_in(words).empty()) << at;
  }
}

TEST(AsyncHooksIn, LengthsThatNodeDoesNotHaveAreNone) {
  EXPECT_TRUE(async_hooks_in(hooks(kIsolate, 0x32000, 7, 4)).empty());
  auto words = hooks(kIsolate, 0x32000);
  words[8] = 3;
  EXPECT_TRUE(async_hooks_in(words).empty());
}

TEST(AsyncHooksIn, DataThatNoPointerNamesAreNone) {
  for (const uint64_t data : {uint64_t{0}, uint64_t{0x32001}, ~uint64_t{0}}) EXPECT_TRUE(async_hooks_in(hooks(kIsolate, data)).empty());
}

TEST(AsyncHooksIn, EveryCutIsReadWithinItsBounds) {
  const auto words = hooks(kIsolate, 0x32000);
  for (size_t n = 0; n < words.size(); ++n) {
    const std::vector<uint64_t> cut(words.begin(), words.begin() + static_cast<ptrdiff_t>(n));
    EXPECT_EQ(async_hooks_in(cut).size(), n >= 45 ? 1U : 0U) << n;
  }
}

TEST(AreAsyncIds, AreIntegersBelowTheCounter) {
  const auto are = [](std::array<double, 4> ids) { return are_async_ids(ids); };
  EXPECT_TRUE(are({0, 0, 14, -1}));
  EXPECT_TRUE(are({13, 12, 14, 12}));
  EXPECT_FALSE(are({15, 0, 14, -1}));
  EXPECT_FALSE(are({0, 15, 14, -1}));
  EXPECT_FALSE(are({0.5, 0, 14, -1}));
  EXPECT_FALSE(are({0, 0, 0, -1}));
  EXPECT_FALSE(are({0, 0, 14, -2}));
  EXPECT_FALSE(are({0, 0, 1e300, -1}));
  EXPECT_FALSE(are({0, 0, __builtin_nan(""), -1}));
}

// /proc/PID/mem is a file whose offsets are addresses.
class FindAsyncHooks : public testing::Test {
 protected:
  void SetUp() override {
    proc_.write("7/maps",
                "00100000-00110000 rw-p 00000000 00:00 0    [heap]\n00200000-00210000 rw-p 00000000 00:00 0 \n"
                "00220000-00230000 r--p 00000000 00:00 0 \n00300000-00302000 rw-p 00000000 00:00 0    [stack]\n");
    proc_.write("7/mem", "");
    put(0x301ff8, std::array<uint64_t, 1>{0});
  }
  template <typename Words>
  void put(uint64_t address, const Words& words) {
    std::fstream file(proc_.root() + "/7/mem", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(address));
    file.write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(words.size() * sizeof(words[0])));
  }
  void put_ids(uint64_t address, double counter) { put(address, std::array<double, 4>{0, 0, counter, -1}); }
  std::optional<AsyncHooks> find() {
    const auto found = find_async_hooks(proc_.fs(), 7);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : std::nullopt;
  }

  discovery::FakeProc proc_;
};

TEST_F(FindAsyncHooks, TakesThoseWhoseIsolateRunsTheMainThread) {
  put(kHeap + 0x1000, hooks(kWorkerIsolate, 0x105000));
  put_ids(0x105000, 9);
  put(kHeap + 0x2000, hooks(kIsolate, 0x106000));
  put_ids(0x106000, 12);
  put(kStack + 0x100, std::array<uint64_t, 1>{kWorkerIsolate});  // left by a frame that is gone
  put(kStack + 0x1f00, std::array<uint64_t, 1>{kIsolate});
  const auto found = find();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->ids, 0x106000U);
}

TEST_F(FindAsyncHooks, AWorkersAloneAreNotTaken) {
  put(kHeap + 0x1000, hooks(kWorkerIsolate, 0x105000));
  put_ids(0x105000, 9);
  EXPECT_FALSE(find());
}

TEST_F(FindAsyncHooks, LooksOutsideTheHeapWhereThereAreNone) {
  put(0x208000, hooks(kIsolate, 0x106000));
  put_ids(0x106000, 12);
  put(kStack + 0x1f00, std::array<uint64_t, 1>{kIsolate});
  EXPECT_TRUE(find());
}

TEST_F(FindAsyncHooks, IdsThatAreNoneAreNotTaken) {
  put(kHeap + 0x2000, hooks(kIsolate, 0x106000));
  put_ids(0x106000, 12.5);
  put(kStack + 0x1f00, std::array<uint64_t, 1>{kIsolate});
  EXPECT_FALSE(find());
}

// The frames of a thread that waits in epoll_pwait below uv__io_poll, below uv_run.
class FindPollFrame : public FindAsyncHooks {
 protected:
  static constexpr uint64_t kCode = 0x500000;
  static constexpr uint64_t kPoll = kCode + 0x1000;  // uv__io_poll
  static constexpr uint64_t kRun = kCode + 0x4000;   // in uv_run
  static constexpr uint64_t kLoop = 0x108000;
  static constexpr uint64_t kStackPointer = 0x310000;
  static constexpr uint64_t kSlot = kStackPointer + 0x40 + 12'400;

  void SetUp() override {
    proc_.write("7/maps", "00100000-00110000 rw-p 00000000 00:00 0    [heap]\n00500000-00510000 r-xp 00000000 00:00 0 /usr/bin/node\n");
    proc_.write("7/mem", "");
    proc_.write("7/syscall", fmt::format("281 0xe 0x1 0x400 0x7530 0x0 0x8 {:#x} 0x7f41b2846f36", kStackPointer));
    put(kStackPointer + 0x20000, std::array<uint64_t, 1>{0});
    call(kPoll + 0x200, 0x700000);
    call(kRun + 0x30, kPoll);
    word(kStackPointer + 0x40, kPoll + 0x200);
    word(kStackPointer + 0x400, kRun + 0x30);  // left in the room for events: too close
    word(kSlot, kRun + 0x30);
    word(kSlot + 0x20, kLoop);
    loop(14);
  }
  void word(uint64_t address, uint64_t value) { put(address, std::array<uint64_t, 1>{value}); }
  void call(uint64_t behind, uint64_t function) {
    std::array<uint8_t, 5> code{0xe8};
    const auto distance = static_cast<int32_t>(function - behind);
    std::memcpy(code.data() + 1, &distance, sizeof distance);
    put(behind - code.size(), code);
  }
  void loop(uint64_t descriptor) {
    std::array<uint64_t, 80> words{};
    words[8] = descriptor;
    for (const size_t queue : {2, 9, 11}) words[queue] = words[queue + 1] = kLoop + queue * 8;
    put(kLoop, words);
  }
  std::optional<PollFrame> find_frame() {
    const auto found = find_poll_frame(proc_.fs(), 7);
    return found ? *found : std::nullopt;
  }
};

TEST_F(FindPollFrame, IsTheCallOfWhatWaits) {
  const auto found = find_frame();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->slot, kSlot);
  EXPECT_EQ(found->function, kPoll);
  EXPECT_EQ(found->loop, kLoop);
}

TEST_F(FindPollFrame, AThreadThatDoesNotWaitShowsNone) {
  proc_.write("7/syscall", "running");
  EXPECT_FALSE(find_frame());
  proc_.write("7/syscall", fmt::format("0 0xe 0x1 0x400 0x7530 0x0 0x8 {:#x} 0x7f41b2846f36", kStackPointer));
  EXPECT_FALSE(find_frame());
}

TEST_F(FindPollFrame, ACallOfAnotherFunctionIsNone) {
  call(kRun + 0x30, kPoll + 0x300);  // begins behind the return address
  EXPECT_FALSE(find_frame());
}

TEST_F(FindPollFrame, ALoopThatWaitsByAnotherDescriptorIsNone) {
  loop(15);
  EXPECT_FALSE(find_frame());
}

}  // namespace
}  // namespace clew::runtime
