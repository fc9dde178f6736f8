// SPDX-License-Identifier: Apache-2.0
// A made-up interpreter in made-up memory: what is not as it should be gives no layout.
#include "agent/runtime/cpython.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "bpf/events.h"

namespace clew::runtime {
namespace {

constexpr uint64_t kRuntime = 0x10000, kInterpreter = 0x20000, kState = 0x30000, kThread = 0x40000, kContext = 0x50000, kType = 0x60000;

class CpythonTest : public testing::Test {
 protected:
  void SetUp() override {  // 3.11, one thread, thread-specific value 2
    words_ = {{kRuntime + 40, kInterpreter}, {kInterpreter + 16, kState}, {kState + 8, 0},
              {kState + 16, kInterpreter},   {kState + 152, kThread},     {kState + 224, kContext},
              {kContext + 8, kType},         {kThread, kThread},          {kThread + 16, kThread}};
    for (uint64_t key = 0; key < 32; ++key) words_[kThread + 0x318 + 16 * key] = key == 2 ? kState : 0;
  }
  Layout read(uint32_t version = 0x030b02f0) const {
    const ReadMemory memory = [this](uint64_t address, void* to, size_t bytes) {
      const auto found = words_.find(address);
      if (found == words_.end() || bytes != 8) return false;
      std::memcpy(to, &found->second, 8);
      return true;
    };
    return read_cpython(memory, {.version = version, .runtime = kRuntime, .context_type = kType});
  }
  std::map<uint64_t, uint64_t> words_;
};

TEST_F(CpythonTest, TheThreadStateIsFoundByItsThreadSpecificValue) {
  const Layout layout = read();
  ASSERT_EQ(layout.runtime, static_cast<uint32_t>(CLEW_RUNTIME_CPYTHON)) << layout.description;
  EXPECT_EQ(layout.values[1], 0x310U + 2 * 16 + 8);
  EXPECT_EQ(layout.values[2], 152U);
  EXPECT_EQ(layout.values[3], 224U);
  EXPECT_EQ(layout.values[4], kType);
}

TEST_F(CpythonTest, AThreadWithoutAContextWillDo) {
  words_[kState + 224] = 0;
  EXPECT_NE(read().runtime, 0U);
}

TEST_F(CpythonTest, TheDebugOffsetsNameTheRestSince313) {
  uint64_t cookie = 0;
  std::memcpy(&cookie, "xdebugpy", 8);
  words_.erase(kRuntime + 40);
  words_.insert({{kRuntime, cookie},
                 {kRuntime + 40, 700},
                 {kRuntime + 72, 7000},
                 {kRuntime + 192, 152},
                 {kRuntime + 700, kInterpreter},
                 {kInterpreter + 7000, kState},
                 {kState + 208, kContext}});
  const Layout layout = read(0x030d00f0);
  EXPECT_NE(layout.runtime, 0U) << layout.description;
  EXPECT_EQ(layout.values[3], 208U);
  words_[kRuntime] = 0;
  EXPECT_EQ(read(0x030d00f0).runtime, 0U);
}

TEST_F(CpythonTest, AnUnknownVersionHasNoLayout) {
  for (const uint32_t version : {0U, 0x03070000U, 0x030f0000U, 0x04000000U, 0x020b0000U}) {
    const Layout layout = read(version);
    EXPECT_EQ(layout.runtime, 0U);
    EXPECT_FALSE(layout.not_yet);
    EXPECT_NE(layout.description.find("not known"), std::string::npos) << layout.description;
  }
}

TEST_F(CpythonTest, AnInterpreterThatHasNotStartedIsWorthAnotherLook) {
  words_[kRuntime + 40] = 0;
  const Layout layout = read();
  EXPECT_EQ(layout.runtime, 0U);
  EXPECT_TRUE(layout.not_yet);
}

TEST_F(CpythonTest, EveryStepIsChecked) {
  const auto original = words_;
  for (const uint64_t address : {kInterpreter + 16, kState + 16, kState + 152, kContext + 8, kThread, kThread + 16, kThread + 0x318 + 32}) {
    words_ = original;
    words_[address] = 0x77777;
    EXPECT_EQ(read().runtime, 0U) << std::hex << address;
    words_.erase(address);
    EXPECT_EQ(read().runtime, 0U) << std::hex << address;
  }
}

TEST_F(CpythonTest, AnEndlessListOfThreadsEnds) {
  words_[kState + 8] = kState;
  words_[kState + 152] = 0;
  EXPECT_EQ(read().runtime, 0U);
}

TEST(PythonVersion, IsReadFromTheNameOfTheProgramOrLibrary) {
  EXPECT_EQ(python_version_in("/usr/bin/python3.11"), 0x030b0000U);
  EXPECT_EQ(python_version_in("/opt/lib/libpython3.9.so.1.0"), 0x03090000U);
  EXPECT_EQ(python_version_in("/usr/bin/python3"), 0U);
  EXPECT_EQ(python_version_in("/opt/python3.11/bin/app"), 0U);
  EXPECT_EQ(python_version_in(""), 0U);
}

TEST(ProcessImage, ModulesAreFilesWhoseFirstByteIsMapped) {
  const auto modules = modules_in(
      "55d0c4e00000-55d0c4e01000 r--p 00000000 08:01 42                         /usr/bin/python3.11\n"
      "55d0c4e01000-55d0c4e02000 r-xp 00001000 08:01 42                         /usr/bin/python3.11\n"
      "00400000-0041f000 r--p 00000000 fe:00 7      /bin/python3.9\n"
      "7f00-8f00 r--p 00000000 08:01 43   /lib/libpython3.11.so.1.0 (deleted)\n"
      "7ffd0000-7ffd1000 rw-p 00000000 00:00 0                          [stack]\nnonsense\n/\n",
      "/proc/7");
  ASSERT_EQ(modules.size(), 3U);
  EXPECT_EQ(modules[0].path, "/usr/bin/python3.11");
  EXPECT_EQ(modules[0].start, 0x55d0c4e00000U);
  EXPECT_EQ(modules[0].file, "/proc/7/map_files/55d0c4e00000-55d0c4e01000");
  EXPECT_EQ(modules[1].file, "/proc/7/map_files/400000-41f000") << "no zeros in front there";
  EXPECT_EQ(modules[2].path, "/lib/libpython3.11.so.1.0");
}

}  // namespace
}  // namespace clew::runtime
