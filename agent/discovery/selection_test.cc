// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace clew::discovery {
namespace {

using testing::HasSubstr;
using Outcome = Verdict::Outcome;

ProcessInfo nginx() {
  ProcessInfo process;
  process.process_id = 42;
  process.exe = "/usr/sbin/nginx";
  process.cgroup_v2 = "/system.slice/nginx.service";
  process.container.id = "abc1" + std::string(60, '0');
  return process;
}

Verdict decide(SelectionRules rules, const ProcessInfo& process = nginx(), const std::vector<uint16_t>& ports = {80, 8080}) {
  return Selection::compile(std::move(rules), {}).value().decide(process, ports);
}

TEST(Selection, EachRuleSelectsAndIsNamed) {
  EXPECT_EQ(decide({.process_ids = {7, 42}}).reason, "--pid 42");
  EXPECT_EQ(decide({.exe_globs = {"apache2", "ng*"}}).reason, "--exe ng*");
  EXPECT_EQ(decide({.ports = {{8000, 9000}}}).reason, "--port 8000-9000");
  EXPECT_EQ(decide({.cgroups = {"/sys/fs/cgroup/system.slice"}}).reason, "--cgroup /sys/fs/cgroup/system.slice");
  EXPECT_EQ(decide({.containers = {"abc1"}}).reason, "--container abc1");
  EXPECT_EQ(decide({.containers = {"docker://abc1"}}).outcome, Outcome::kSelected);
  EXPECT_EQ(decide({.command_root = 42}).reason, "-- COMMAND");
  for (const SelectionRules& rules : {SelectionRules{.exe_globs = {"nginx"}}, SelectionRules{.process_ids = {42}}})
    EXPECT_TRUE(decide(rules).selected());
}

TEST(Selection, NothingIsSelectedByDefault) {
  EXPECT_EQ(decide({}).outcome, Outcome::kNoMatch);
  EXPECT_EQ(decide({.not_exe_globs = {"nginx"}}).outcome, Outcome::kNoMatch);
  EXPECT_EQ(decide({.process_ids = {41}, .exe_globs = {"apache2"}, .ports = {{81, 81}}, .cgroups = {"x"}, .containers = {"abd"}}).reason,
            "no rule matches");
}

TEST(Selection, ExclusionsWinAndSayWhatTheyOverrule) {
  const Verdict by_exe = decide({.process_ids = {42}, .not_exe_globs = {"/usr/sbin/*"}});
  EXPECT_EQ(by_exe.outcome, Outcome::kExcluded);
  EXPECT_THAT(by_exe.reason, testing::AllOf(HasSubstr("--not-exe /usr/sbin/*"), HasSubstr("--pid 42")));
  const Verdict by_port = decide({.exe_globs = {"nginx"}, .not_ports = {{8080, 8090}}});
  EXPECT_EQ(by_port.outcome, Outcome::kExcluded);
  EXPECT_THAT(by_port.reason, testing::AllOf(HasSubstr("--not-port 8080-8090"), HasSubstr("listens on 8080")));
}

TEST(Selection, ClewNeverTracesItself) { EXPECT_EQ(decide({.exe_globs = {"*"}, .never_process_ids = {42}}).outcome, Outcome::kExcluded); }

TEST(Selection, AKernelThreadIsNeverSelected) {
  ProcessInfo thread = nginx();
  thread.kernel_thread = true;
  EXPECT_EQ(decide({.process_ids = {42}, .cgroups = {"/"}}, thread).outcome, Outcome::kNoMatch);
}

TEST(Selection, APinnedContainerIsThatOneAlone) {
  Selection selection = Selection::compile({.containers = {"abc"}}, {}).value();
  ProcessInfo other = nginx();
  other.container.id = "abc2" + std::string(60, '0');
  EXPECT_TRUE(selection.decide(other, {}).selected());
  selection.pin_container("abc", nginx().container.id);
  EXPECT_FALSE(selection.decide(other, {}).selected());
  EXPECT_TRUE(selection.decide(nginx(), {}).selected());
}

TEST(Selection, AnAmbiguousPrefixListsTheCandidates) {
  const std::vector<std::string> ids = {std::string(64, 'a'), "ab" + std::string(62, '0'), "b" + std::string(63, '1')};
  EXPECT_EQ(Selection::unique_container("b", ids).value(), ids[2]);
  EXPECT_EQ(Selection::unique_container("aa", ids).value(), ids[0]);
  EXPECT_EQ(Selection::unique_container("c", ids).value(), "");
  const auto ambiguous = Selection::unique_container("a", ids);
  ASSERT_FALSE(ambiguous);
  EXPECT_THAT(ambiguous.error().message, testing::AllOf(HasSubstr("--container a"), HasSubstr("aaaaaaaaaaaa"), HasSubstr("ab0000000000")));
}

TEST(Selection, WrongRulesAreErrorsThatNameTheOption) {
  const auto message = [](SelectionRules rules) {
    const auto selection = Selection::compile(std::move(rules), {});
    return selection ? "accepted" : selection.error().message;
  };
  EXPECT_THAT(message({.process_ids = {0}}), HasSubstr("--pid 0"));
  EXPECT_THAT(message({.exe_globs = {"a["}}), HasSubstr("--exe a["));
  EXPECT_THAT(message({.not_exe_globs = {""}}), HasSubstr("--not-exe"));
  EXPECT_THAT(message({.ports = {{90, 80}}}), HasSubstr("--port 90-80"));
  EXPECT_THAT(message({.not_ports = {{0, 80}}}), HasSubstr("--not-port 0-80"));
  EXPECT_THAT(message({.cgroups = {"../x"}}), HasSubstr("--cgroup ../x"));
  EXPECT_THAT(message({.containers = {"my-redis"}}), HasSubstr("--container my-redis"));
  EXPECT_THAT(message({.containers = {std::string(65, 'a')}}), HasSubstr("--container"));
}

TEST(Selection, AsksOnlyForWhatItsRulesNeed) {
  const auto compiled = [](SelectionRules rules) { return Selection::compile(std::move(rules), {}).value(); };
  EXPECT_EQ(compiled({.process_ids = {1}}).needed_fields(), kStatOnly);
  EXPECT_FALSE(compiled({.process_ids = {1}, .command_root = 2}).needs_scan());
  EXPECT_EQ(compiled({.exe_globs = {"x"}}).needed_fields(), kExe);
  EXPECT_TRUE(compiled({.exe_globs = {"x"}}).needs_scan());
  EXPECT_EQ(compiled({.containers = {"a"}, .not_exe_globs = {"x"}}).needed_fields(), kCgroup | kExe);
  EXPECT_TRUE(compiled({.not_ports = {{1, 2}}}).uses_ports());
}

TEST(Selection, NamesTheExecutablesThatNeedNoSecondLook) {
  const auto plain = [](SelectionRules rules) { return Selection::compile(std::move(rules), {})->plain_executables(); };
  EXPECT_EQ(plain({.exe_globs = {"nginx", "/usr/bin/python3.11", "node*", "/opt/**/java", "a[bc]"}}),
            (std::vector<std::string>{"nginx", "/usr/bin/python3.11"}));
  EXPECT_TRUE(plain({.exe_globs = {"nginx"}, .not_exe_globs = {"/opt/**"}}).empty());
}

}  // namespace
}  // namespace clew::discovery
