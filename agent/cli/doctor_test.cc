// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

namespace clew::cli {
namespace {

using testing::HasSubstr;

MachineFacts healthy() {
  MachineFacts facts;
  facts.capabilities = ~0ULL;
  facts.kernel_release = "6.12.111+deb13-amd64";
  facts.machine = "x86_64";
  facts.lockdown = "none";
  facts.btf_readable = true;
  facts.tracepoints.assign(kTracepoints.begin(), kTracepoints.end());
  for (Trial& trial : facts.trials) trial = {true, 0, {}};
  facts.cgroup2_mount = "/sys/fs/cgroup";
  facts.pid_namespace_inode = 0xEFFFFFFC;
  facts.jit = 1;
  facts.unprivileged_bpf_disabled = 2;
  return facts;
}

void refuse(MachineFacts& facts, TrialKind kind, std::string reason) {
  facts.trials[static_cast<size_t>(kind)] = {false, EINVAL, std::move(reason)};
}

const Finding& finding(const Diagnosis& diagnosis, std::string_view check) {
  static const Finding kNone;
  for (const Finding& candidate : diagnosis.findings)
    if (candidate.check == check) return candidate;
  ADD_FAILURE() << "no check " << check;
  return kNone;
}

TEST(Doctor, AHealthyMachineHasNothingToMend) {
  const Diagnosis diagnosis = diagnose(healthy());
  EXPECT_TRUE(diagnosis.can_trace);
  EXPECT_EQ(diagnosis.exit_code(), ExitCode::kDone);
  EXPECT_EQ(diagnosis.backend, Backend::kSocketTracepoints);
  for (const Finding& each : diagnosis.findings) {
    EXPECT_EQ(each.level, Level::kFine) << each.check << ": " << each.what;
    EXPECT_TRUE(each.cost.empty() && each.mend.empty()) << each.check;
  }
}

TEST(Doctor, EveryLackSaysWhatItCosts) {
  const Diagnosis diagnosis = diagnose(MachineFacts{});
  for (const Finding& each : diagnosis.findings) {
    EXPECT_FALSE(each.what.empty()) << each.check;
    EXPECT_TRUE(each.level == Level::kFine || !each.cost.empty()) << each.check;
    EXPECT_TRUE(each.level != Level::kMissing || !each.mend.empty()) << each.check;
  }
}

TEST(Doctor, WithoutSocketTracepointsTheFallbackIsChosenAndItsPriceNamed) {
  MachineFacts facts = healthy();
  facts.kernel_release = "6.1.0-21-amd64";
  std::erase(facts.tracepoints, "sock_send_length");
  refuse(facts, TrialKind::kSocketTracepoint, "tracepoint sock_send_length is not in this kernel");
  const Diagnosis diagnosis = diagnose(facts);
  EXPECT_EQ(diagnosis.backend, Backend::kSyscallExit);
  EXPECT_TRUE(diagnosis.can_trace);
  EXPECT_EQ(finding(diagnosis, "backend").level, Level::kRestricted);
  EXPECT_THAT(finding(diagnosis, "backend").cost, HasSubstr("80 ns"));
}

TEST(Doctor, OneSocketTracepointIsNotEnough) {
  MachineFacts facts = healthy();
  std::erase(facts.tracepoints, "sock_recv_length");
  EXPECT_EQ(diagnose(facts).backend, Backend::kSyscallExit);
}

TEST(Doctor, WithoutAnyBackendThereIsNoTracing) {
  MachineFacts facts = healthy();
  refuse(facts, TrialKind::kSocketTracepoint, "refused one");
  refuse(facts, TrialKind::kSyscallExit, "refused two");
  const Diagnosis diagnosis = diagnose(facts);
  EXPECT_FALSE(diagnosis.can_trace);
  EXPECT_EQ(diagnosis.exit_code(), ExitCode::kKernel);
  EXPECT_THAT(finding(diagnosis, "backend").what, testing::AllOf(HasSubstr("refused one"), HasSubstr("refused two")));
}

TEST(Doctor, AnOrdinaryUserIsToldWhatIsMissingAndStillSeesTheRest) {
  MachineFacts facts = healthy();
  facts.user_id = 1000;
  facts.capabilities = 0;
  for (Trial& trial : facts.trials) trial = {false, EPERM, "Operation not permitted"};
  const Diagnosis diagnosis = diagnose(facts);
  EXPECT_FALSE(diagnosis.can_trace);
  EXPECT_EQ(finding(diagnosis, "privileges").what, "user 1000 lacks CAP_BPF, CAP_PERFMON");
  EXPECT_THAT(finding(diagnosis, "privileges").mend, HasSubstr("sudo"));
  EXPECT_EQ(finding(diagnosis, "backend").what, "by the kernel's types: socket tracepoints");
  EXPECT_EQ(finding(diagnosis, "btf").level, Level::kFine);
  EXPECT_THAT(finding(diagnosis, "ring_buffer").what, HasSubstr("not tried"));
}

TEST(Doctor, CapabilitiesAreAsGoodAsRoot) {
  MachineFacts facts = healthy();
  facts.user_id = 1000;
  facts.capabilities = (1ULL << CAP_BPF) | (1ULL << CAP_PERFMON);
  const Diagnosis diagnosis = diagnose(facts);
  EXPECT_TRUE(diagnosis.can_trace);
  EXPECT_EQ(finding(diagnosis, "ptrace").level, Level::kRestricted);
}

TEST(Doctor, WhatLaterVersionsNeedNeverForbidsTracing) {
  MachineFacts facts = healthy();
  for (TrialKind kind : {TrialKind::kSkMsg, TrialKind::kSockOps, TrialKind::kUprobe, TrialKind::kFunctionEntry, TrialKind::kOpenSockets})
    refuse(facts, kind, "refused");
  EXPECT_TRUE(diagnose(facts).can_trace);
}

TEST(Doctor, EachNeededThingIsNeeded) {
  for (TrialKind kind : {TrialKind::kRingBuffer, TrialKind::kSocketStorage, TrialKind::kProcessTracepoint}) {
    MachineFacts facts = healthy();
    refuse(facts, kind, "refused");
    EXPECT_FALSE(diagnose(facts).can_trace);
  }
  MachineFacts no_btf = healthy();
  no_btf.btf_readable = false;
  EXPECT_FALSE(diagnose(no_btf).can_trace);
  MachineFacts no_fork = healthy();
  std::erase(no_fork.tracepoints, "sched_process_fork");
  EXPECT_FALSE(diagnose(no_fork).can_trace);
}

TEST(Doctor, AContainersOwnProcessIdsAreNoticed) {
  MachineFacts facts = healthy();
  facts.pid_namespace_inode = 4026532000;
  EXPECT_EQ(finding(diagnose(facts), "pid_namespace").level, Level::kRestricted);
  EXPECT_THAT(finding(diagnose(facts), "pid_namespace").mend, HasSubstr("hostPID"));
}

TEST(DoctorOutput, PlainTextHasNoByteOutsideAscii) {
  const Diagnosis diagnosis = diagnose(MachineFacts{});
  for (char c : diagnosis_text(diagnosis, false)) EXPECT_GE(c, 0);
  EXPECT_THAT(diagnosis_text(diagnosis, true), HasSubstr("✗ privileges"));
  EXPECT_THAT(diagnosis_text(diagnosis, false), HasSubstr("no privileges"));
  EXPECT_THAT(diagnosis_text(diagnosis, true), HasSubstr("clew cannot trace here"));
}

TEST(DoctorOutput, JsonSaysTheSame) {
  const Diagnosis diagnosis = diagnose(healthy());
  const auto document = nlohmann::json::parse(diagnosis_json(diagnosis));
  EXPECT_EQ(document["can_trace"], true);
  EXPECT_EQ(document["backend"], "socket tracepoints");
  ASSERT_EQ(document["checks"].size(), diagnosis.findings.size());
  for (const auto& check : document["checks"]) EXPECT_EQ(check["status"], "ok");
}

TEST(DoctorOutput, TheLocaleDecidesTheMarks) {
  const auto with = [](const char* variable, const char* value) {
    return speaks_utf8([=](const char* name) { return std::string_view(name) == variable ? value : nullptr; });
  };
  EXPECT_TRUE(with("LANG", "C.UTF-8"));
  EXPECT_TRUE(with("LC_ALL", "de_DE.utf8"));
  EXPECT_FALSE(with("LANG", "C"));
  EXPECT_FALSE(speaks_utf8(nullptr));
  EXPECT_FALSE(speaks_utf8([](const char* name) { return std::string_view(name) == "LC_ALL" ? "C" : "C.UTF-8"; }));
}

TEST(MachineFacts, LockdownIsTheWordInBrackets) {
  EXPECT_EQ(parse_lockdown("none [integrity] confidentiality\n"), "integrity");
  EXPECT_EQ(parse_lockdown("gibberish"), std::nullopt);
  EXPECT_EQ(parse_lockdown("]["), std::nullopt);
}

TEST(MachineFacts, CgroupTwoIsFoundAmongTheMounts) {
  EXPECT_EQ(parse_cgroup2_mount("24 1 0:22 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                                "25 1 0:23 / /mnt/a\\040b rw,nosuid shared:4 - cgroup2 none rw\n"),
            "/mnt/a b");
  EXPECT_EQ(parse_cgroup2_mount("24 1 0:22 / / rw - ext4 /dev/vda rw\n"), "");
}

TEST(MachineFacts, CapabilitiesAreHexadecimal) {
  EXPECT_EQ(parse_effective_capabilities("CapPrm:\t0000000000000001\nCapEff:\t000001fffeffffff\n"), 0x1fffeffffffULL);
  EXPECT_EQ(parse_effective_capabilities(""), 0U);
}

TEST(MachineFacts, GatheringWorksHereWhateverThePrivileges) {
  const MachineFacts facts = gather_machine_facts({42});
  EXPECT_EQ(facts.user_id, geteuid());
  EXPECT_GT(facts.kernel_release.size(), 2U);
  EXPECT_NE(facts.pid_namespace_inode, 0U);
  EXPECT_EQ(facts.other_clews.size(), 1U);
  for (const Trial& trial : facts.trials) EXPECT_EQ(trial.works, trial.reason.empty());
}

}  // namespace
}  // namespace clew::cli
