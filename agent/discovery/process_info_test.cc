// SPDX-License-Identifier: Apache-2.0
// One process read from a tree of our own, and this very process read from the real /proc.
#include "agent/discovery/process_info.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <thread>

#include "agent/discovery/fake_proc.h"

namespace clew::discovery {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ReadProcess, GivesWhatTheFilesSay) {
  const FakeProc proc;
  proc.add({.process_id = 42,
            .parent = 7,
            .comm = "gunicorn",
            .start_ticks = 12345,
            .exe = "/usr/bin/python3.11",
            .argv = {"python3", "-m", "x"},
            .environment = {"PATH=/bin", "OTEL_SERVICE_NAME=shop", "SECRET=s"},
            .namespace_process_ids = "9"});
  const auto info = read_process(proc.fs(), 42);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->process_id, 42U);
  EXPECT_EQ(info->parent_process_id, 7U);
  EXPECT_EQ(info->namespace_process_id, 9U);
  EXPECT_EQ(info->start_ticks, 12345U);
  EXPECT_EQ(info->start_unix_ns, 1'700'000'123'450'000'000U);
  EXPECT_EQ(info->comm, "gunicorn");
  EXPECT_EQ(info->exe, "/usr/bin/python3.11");
  EXPECT_FALSE(info->exe_deleted);
  EXPECT_THAT(info->argv, ElementsAre("python3", "-m", "x"));
  EXPECT_EQ(info->user_id, 1000U);
  EXPECT_EQ(info->owner, "alice");
  EXPECT_THAT(info->environment, ElementsAre(std::pair<std::string, std::string>("OTEL_SERVICE_NAME", "shop")));
  EXPECT_EQ(info->variable("SECRET"), "");
  EXPECT_EQ(info->cgroup_v2, "/system.slice/app.service");
  EXPECT_EQ(info->network_namespace, 4026531840U);
}

TEST(ReadProcess, OneThatDoesNotExistIsAnErrorThatNamesIt) {
  const FakeProc proc;
  const auto info = read_process(proc.fs(), 4242);
  ASSERT_FALSE(info);
  EXPECT_THAT(info.error().message, HasSubstr("process 4242 does not exist"));
  EXPECT_EQ(read_start_ticks(proc.fs(), 4242), 0U);
}

TEST(ReadProcess, OneThatEndsWhileItIsReadIsAnError) {
  // A child that has been waited for: the directory opened before stays, its files answer ESRCH. Here the same with a bare directory.
  const FakeProc proc;
  proc.write("43/cmdline", "x");
  EXPECT_FALSE(read_process(proc.fs(), 43));
}

TEST(ReadProcess, CommMayHoldParenthesesAndBlanks) {
  const FakeProc proc;
  proc.add({.process_id = 42, .parent = 3, .comm = "a) R 1 (b c"});
  const auto info = read_process(proc.fs(), 42);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->comm, "a) R 1 (b c");
  EXPECT_EQ(info->parent_process_id, 3U);
}

TEST(ReadProcess, DamagedStatIsAnError) {
  const FakeProc proc;
  for (const char* text : {"", "42", "42 (x", "42 (x)", "42 (x) ", "42 (x) S", "42 (x) S 1 1 1 0 -1 4", "42 (x) S one 1 1"}) {
    proc.write("42/stat", text);
    EXPECT_FALSE(read_process(proc.fs(), 42)) << text;
  }
}

TEST(ReadProcess, DeletedExecutableKeepsItsPath) {
  const FakeProc proc;
  proc.add({.process_id = 42, .exe = "/opt/server (deleted)"});
  const auto info = read_process(proc.fs(), 42);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->exe, "/opt/server");
  EXPECT_TRUE(info->exe_deleted);
}

TEST(ReadProcess, AKernelThreadHasNoProgram) {
  const FakeProc proc;
  proc.add({.process_id = 2, .parent = 0, .comm = "kthreadd", .flags = 0x208040, .exe = "", .argv = {}, .user_id = 0});
  const auto info = read_process(proc.fs(), 2);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_TRUE(info->kernel_thread);
  EXPECT_EQ(info->owner, "root");
}

TEST(ReadProcess, ATitleLeavesNoEmptyArguments) {
  const FakeProc proc;
  proc.add({.process_id = 42});
  proc.write("42/cmdline", std::string_view("nginx: worker process\0\0\0\0\0", 26));
  EXPECT_THAT(read_process(proc.fs(), 42)->argv, ElementsAre("nginx: worker process"));
}

TEST(ReadProcess, LongCommandLinesAreCutAndSaidToBe) {
  const FakeProc proc;
  proc.add({.process_id = 42, .argv = {"java", std::string(kMaxArgvBytes, 'x'), "Main"}});
  const auto info = read_process(proc.fs(), 42);
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->argv_truncated);
  ASSERT_EQ(info->argv.size(), 2U);
  EXPECT_EQ(info->argv[1].size(), kMaxArgvBytes - 5);
}

TEST(ReadProcess, AVariableBehindTheBoundOfTheEnvironmentIsNotHalfRead) {
  const FakeProc proc;
  const std::string filler = "A=" + std::string(kMaxEnvironBytes - 25, 'x');
  proc.add({.process_id = 42, .environment = {filler, "OTEL_SERVICE_NAME=shopping"}});
  EXPECT_EQ(read_process(proc.fs(), 42)->variable("OTEL_SERVICE_NAME"), "");
  proc.replace({.process_id = 42, .environment = {"OTEL_SERVICE_NAME=shopping", filler, "X=1"}});
  EXPECT_EQ(read_process(proc.fs(), 42)->variable("OTEL_SERVICE_NAME"), "shopping");
}

TEST(ReadProcess, OfAVariableGivenTwiceTheFirstCounts) {
  const FakeProc proc;
  proc.add({.process_id = 42, .environment = {"OTEL_SERVICE_NAME=one", "OTEL_SERVICE_NAME=two"}});
  EXPECT_EQ(read_process(proc.fs(), 42)->variable("OTEL_SERVICE_NAME"), "one");
}

TEST(ReadProcess, CgroupsOfBothVersions) {
  const FakeProc proc;
  const std::string id(64, 'a');
  proc.add({.process_id = 42, .cgroup = "9:name=systemd:/a:b\n4:cpu,cpuacct:/docker/" + id + "\n0::/\n"});
  const auto info = read_process(proc.fs(), 42);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->cgroup_v2, "/");
  ASSERT_EQ(info->cgroups_v1.size(), 2U);
  EXPECT_EQ(info->cgroups_v1[0].controllers, "name=systemd");
  EXPECT_EQ(info->cgroups_v1[0].path, "/a:b");
  EXPECT_EQ(info->container.id, id);
}

TEST(ReadProcess, WhereTheCgroupSaysNothingTheMountsDo) {
  const FakeProc proc;
  const std::string id(64, 'b');
  proc.add({.process_id = 42, .cgroup = "0::/\n"});
  proc.write("42/mountinfo", "610 600 8:1 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n");
  EXPECT_EQ(read_process(proc.fs(), 42)->container.id, id);
}

TEST(ReadProcess, AUserWithoutANameIsItsNumber) {
  const FakeProc proc;
  proc.add({.process_id = 42, .user_id = 65534});
  EXPECT_EQ(read_process(proc.fs(), 42)->owner, "65534");
}

TEST(ReadProcess, APasswdFileThatIsAFifoOrLeadsOutDoesNotMatter) {
  const FakeProc proc;
  proc.add({.process_id = 42});
  const std::string passwd = proc.root() + "/42/root/etc/passwd";
  std::filesystem::remove(passwd);
  ASSERT_EQ(::mkfifo(passwd.c_str(), 0600), 0);
  EXPECT_EQ(read_process(proc.fs(), 42)->owner, "1000");
  std::filesystem::remove(passwd);
  proc.write("outside", "mallory:x:1000:1000::/:/bin/sh\n");
  std::filesystem::create_symlink(proc.root() + "/outside", passwd);
  EXPECT_EQ(read_process(proc.fs(), 42)->owner, "1000");
}

TEST(ReadProcess, AMainThreadThatLeftIsReadThroughAnother) {
  const FakeProc proc;
  proc.add({.process_id = 42, .state = 'Z', .threads = 3, .exe = "", .argv = {}});
  proc.write("42/task/42/stat", "");
  proc.write("42/task/44/cmdline", std::string_view("/srv/app\0", 9));
  proc.link("42/task/44/exe", "/srv/app");
  const auto info = read_process(proc.fs(), 42);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_FALSE(info->zombie);
  EXPECT_EQ(info->exe, "/srv/app");
}

TEST(ReadProcess, ReadsOnlyWhatIsAskedFor) {
  const FakeProc proc;
  proc.add({.process_id = 42, .environment = {"OTEL_SERVICE_NAME=shop"}});
  const auto info = read_process(proc.fs(), 42, kExe);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->exe, "/usr/bin/app");
  EXPECT_TRUE(info->argv.empty() && info->environment.empty() && info->cgroup_v2.empty() && info->owner.empty());
}

TEST(ReadProcess, ThisVeryProcess) {
  const auto info = read_process(ProcFs::of_this_machine(), static_cast<uint32_t>(::getpid()));
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_EQ(info->parent_process_id, static_cast<uint32_t>(::getppid()));
  EXPECT_EQ(info->user_id, ::geteuid());
  EXPECT_EQ(info->exe, std::filesystem::read_symlink("/proc/self/exe").string());
  EXPECT_FALSE(info->argv.empty());
  EXPECT_NE(info->network_namespace, 0U);
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_LE(info->start_unix_ns, static_cast<uint64_t>(now));
  EXPECT_GT(info->start_unix_ns + 600'000'000'000U, static_cast<uint64_t>(now)) << "started within the last ten minutes";
}

TEST(ReadProcess, ADirectoryHeldOpenNeverShowsALaterProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  auto directory = Directory::open(fmt::format("/proc/{}", child));
  ASSERT_TRUE(directory);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  std::string text;
  EXPECT_EQ(directory->read("stat", 100, text).error, ESRCH);
}

TEST(ReadProcess, AZombieIsToldFromALivingProcess) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  const auto info = read_process(ProcFs::of_this_machine(), static_cast<uint32_t>(child));
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_TRUE(info->zombie);
  EXPECT_TRUE(info->exe.empty());
}

}  // namespace
}  // namespace clew::discovery
