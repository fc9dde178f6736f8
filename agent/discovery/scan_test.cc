// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/discovery/fake_proc.h"

namespace clew::discovery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kContainerA = "a1" + std::string(62, '0');
const std::string kContainerB = "a2" + std::string(62, '0');

class ScanTest : public testing::Test {
 protected:
  ScanTest() {
    proc_.add({.process_id = 1, .parent = 0, .exe = "/sbin/init"});
    proc_.add({.process_id = 2, .parent = 0, .comm = "kthreadd", .flags = 0x208040, .exe = "", .argv = {}});
    proc_.add({.process_id = 100, .exe = "/usr/sbin/nginx"});
    proc_.add({.process_id = 101, .parent = 100, .exe = "/usr/sbin/nginx"});
    proc_.add({.process_id = 200, .exe = "/app/a", .cgroup = "0::/docker/" + kContainerA + "\n"});
    proc_.add({.process_id = 201, .exe = "/app/b", .cgroup = "0::/docker/" + kContainerB + "\n"});
    proc_.add({.process_id = 300, .state = 'Z', .exe = "", .argv = {}});
    proc_.write("100/net/tcp", "header\n   0: 00000000:0050 00000000:0000 0A 0:0 0:0 0 0 0 11 1\n");
    proc_.link("100/fd/6", "socket:[11]");
    proc_.link("101/fd/6", "socket:[11]");
    proc_.write("meminfo", "");
  }
  base::Result<ScanResult> run(SelectionRules rules) {
    selection_ = Selection::compile(std::move(rules), {}).value();
    return scan(proc_.fs(), *selection_);
  }
  static std::vector<uint32_t> ids(const std::vector<ScanMatch>& matches) {
    std::vector<uint32_t> list;
    for (const ScanMatch& match : matches) list.push_back(match.process.process_id);
    return list;
  }
  std::string message(SelectionRules rules) {
    const auto result = run(std::move(rules));
    return result ? "no error" : result.error().message;
  }

  FakeProc proc_;
  std::optional<Selection> selection_;
};

TEST_F(ScanTest, FindsProcessesByProgram) {
  const auto result = run({.exe_globs = {"nginx", "/opt/**"}});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_THAT(ids(result->selected), ElementsAre(100, 101));
  EXPECT_THAT(result->unmatched, ElementsAre("--exe /opt/**"));
  EXPECT_EQ(result->examined, 7U);
}

TEST_F(ScanTest, FindsAllOwnersOfAListeningSocket) {
  const auto result = run({.ports = {{80, 80}, {9000, 9100}}});
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_THAT(ids(result->selected), ElementsAre(100, 101));
  EXPECT_THAT(result->selected[0].listening_ports, ElementsAre(80));
  EXPECT_THAT(result->unmatched, ElementsAre("--port 9000-9100"));
}

TEST_F(ScanTest, TellsWhatAnExclusionTookAway) {
  const auto result = run({.exe_globs = {"*"}, .not_exe_globs = {"init"}, .not_ports = {{80, 80}}});
  ASSERT_TRUE(result);
  EXPECT_THAT(ids(result->selected), ElementsAre(200, 201));
  EXPECT_THAT(ids(result->excluded), ElementsAre(1, 100, 101));
}

TEST_F(ScanTest, AUniquePrefixOfAContainerIsPinned) {
  const auto result = run({.containers = {"a1"}});
  ASSERT_TRUE(result);
  EXPECT_THAT(ids(result->selected), ElementsAre(200));
  ProcessInfo newcomer;
  newcomer.container.id = "a1" + std::string(62, 'f');
  EXPECT_FALSE(selection_->decide(newcomer, {}).selected());
}

TEST_F(ScanTest, AnAmbiguousPrefixIsAnError) { EXPECT_THAT(message({.containers = {"a"}}), HasSubstr("2 containers begin with that")); }

TEST_F(ScanTest, AContainerThatIsNotThereYetIsWaitedFor) {
  const auto result = run({.containers = {"b"}});
  ASSERT_TRUE(result);
  EXPECT_THAT(result->selected, IsEmpty());
  EXPECT_THAT(result->unmatched, ElementsAre("--container b"));
}

TEST_F(ScanTest, ProcessNumbersAloneNeedNoPass) {
  const auto result = run({.process_ids = {100}});
  ASSERT_TRUE(result);
  EXPECT_THAT(ids(result->selected), ElementsAre(100));
  EXPECT_EQ(result->examined, 1U);
}

TEST_F(ScanTest, ANumberThatIsNoProcessIsAnError) {
  EXPECT_THAT(message({.process_ids = {4242}}), HasSubstr("process 4242 does not exist"));
  EXPECT_THAT(message({.process_ids = {2}}), HasSubstr("kernel thread"));
  EXPECT_THAT(message({.process_ids = {300}}), HasSubstr("has ended"));
  EXPECT_THAT(message({.process_ids = {4242}, .exe_globs = {"nginx"}}), HasSubstr("4242"));
  proc_.add({.process_id = 105});
  proc_.write("105/status", "Name:\tx\nTgid:\t100\nPid:\t105\n");
  EXPECT_THAT(message({.process_ids = {105}}), HasSubstr("try --pid 100"));
}

TEST_F(ScanTest, AProcessThatVanishesMeanwhileIsCounted) {
  std::filesystem::create_directory(proc_.root() + "/777");
  const auto result = run({.exe_globs = {"nginx"}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->vanished, 1U);
}

TEST(Scan, FindsThisProcessOnTheRealMachine) {
  const std::string exe = std::filesystem::read_symlink("/proc/self/exe").string();
  Selection selection = Selection::compile({.exe_globs = {exe}}, {}).value();
  const auto result = scan(ProcFs::of_this_machine(), selection);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_TRUE(std::ranges::any_of(result->selected,
                                  [](const ScanMatch& match) { return match.process.process_id == static_cast<uint32_t>(::getpid()); }));
}

}  // namespace
}  // namespace clew::discovery
