// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/process_table.h"

#include <gtest/gtest.h>

#include "agent/discovery/fake_proc.h"

namespace clew::discovery {
namespace {

constexpr uint64_t kBoot = 1'700'000'000'000'000'000;
constexpr uint64_t kSecond = 1'000'000'000;

std::string text(const std::shared_ptr<const exporter::Resource>& resource, std::string_view key) {
  const size_t index = resource->attributes.find(key);
  return index == resource->attributes.size() ? "(absent)" : std::string(resource->attributes[index].text);
}

class ProcessTableTest : public testing::Test {
 protected:
  ProcessTable make(ProcessTable::Options options = {}) const { return {proc_.fs(), Host(), options, counters_}; }
  uint64_t outcome(const char* name) const { return counters_.get("clew_processes_total", fmt::format("outcome=\"{}\"", name)).value(); }
  static uint64_t at(uint64_t seconds) { return kBoot + seconds * kSecond; }

  FakeProc proc_;
  mutable base::Counters counters_;
};

TEST_F(ProcessTableTest, ReadsAProcessOnceAndSharesItsResource) {
  proc_.add({.process_id = 42, .exe = "/usr/sbin/nginx"});
  ProcessTable table = make();
  const auto resource = table.resource_of(42, "x", at(20));
  EXPECT_EQ(text(resource, "service.name"), "nginx");
  proc_.remove(42);
  EXPECT_EQ(table.resource_of(42, "x", at(21)), resource);
  EXPECT_EQ(outcome("read"), 1U);
}

TEST_F(ProcessTableTest, OneThatIsGoneAlreadyGetsItsNumberAndComm) {
  ProcessTable table = make();
  const auto resource = table.resource_of(42, "curl", at(20));
  ASSERT_TRUE(resource);
  EXPECT_EQ(text(resource, "service.name"), "curl");
  EXPECT_EQ(outcome("gone"), 1U);
}

TEST_F(ProcessTableTest, AForkedChildThatIsGoneRanItsParentsProgram) {
  proc_.add({.process_id = 42, .exe = "/usr/bin/python3.11", .argv = {"python3", "/srv/app.py"}});
  ProcessTable table = make();
  table.on_fork(42, 43, at(20));
  table.on_exit(43, at(21));
  const auto child = table.resource_of(43, "python3", at(20));
  EXPECT_EQ(text(child, "service.name"), "app.py");
  EXPECT_EQ(child->attributes[child->attributes.find("process.pid")].integer, 43);
  EXPECT_EQ(child->attributes[child->attributes.find("process.parent_pid")].integer, 42);
  EXPECT_EQ(text(child, "process.creation.time"), "2023-11-14T22:13:40.000Z");
  EXPECT_NE(text(child, "service.instance.id"), text(table.resource_of(42, "", at(21)), "service.instance.id"));
}

TEST_F(ProcessTableTest, AForkedChildThatIsAboutToEndRanItsParentsProgram) {
  proc_.add({.process_id = 42, .exe = "/usr/bin/python3.11", .argv = {"python3", "/srv/app.py"}});
  proc_.add({.process_id = 43, .parent = 42, .comm = "python3", .start_ticks = 1999, .exe = "", .argv = {}});
  ProcessTable table = make();
  table.on_fork(42, 43, at(20));
  const auto child = table.resource_of(43, "", at(20));
  EXPECT_EQ(text(child, "service.name"), "app.py");
  EXPECT_EQ(text(child, "process.executable.path"), "/usr/bin/python3.11");
  EXPECT_EQ(text(child, "process.creation.time"), "2023-11-14T22:13:39.990Z");
}

TEST_F(ProcessTableTest, AChildOfAChildThatIsGoneRanItsGrandparentsProgram) {
  proc_.add({.process_id = 42, .exe = "/usr/bin/python3.11", .argv = {"python3", "/srv/app.py"}});
  ProcessTable table = make();
  table.on_fork(42, 43, at(20));
  table.on_fork(43, 44, at(21));
  table.on_exit(43, at(22));
  table.on_exit(44, at(22));
  EXPECT_EQ(text(table.resource_of(44, "python3", at(21)), "service.name"), "app.py");
}

TEST_F(ProcessTableTest, AForkedChildRanWhatItsParentRanThen) {
  proc_.add({.process_id = 42, .exe = "/bin/first"});
  ProcessTable table = make();
  table.resource_of(42, "", at(19));
  table.on_fork(42, 43, at(20));
  proc_.replace({.process_id = 42, .exe = "/bin/second"});
  table.on_exec(42, at(21));
  table.resource_of(42, "", at(21));
  table.on_exit(43, at(22));
  EXPECT_EQ(text(table.resource_of(43, "x", at(20)), "service.name"), "first");
}

TEST_F(ProcessTableTest, AfterExecTheParentsProgramIsNotItsOwn) {
  proc_.add({.process_id = 42, .exe = "/usr/bin/bash"});
  ProcessTable table = make();
  table.on_fork(42, 43, at(20));
  table.on_exec(43, at(20) + 1);
  EXPECT_EQ(text(table.resource_of(43, "curl", at(21)), "service.name"), "curl");
}

TEST_F(ProcessTableTest, ExecChangesTheNameButNotTheInstance) {
  proc_.add({.process_id = 42, .exe = "/bin/dash"});
  ProcessTable table = make();
  const auto before = table.resource_of(42, "sh", at(20));
  proc_.replace({.process_id = 42, .exe = "/app/server"});
  table.on_exec(42, at(21));
  const auto after = table.resource_of(42, "server", at(22));
  EXPECT_EQ(text(before, "service.name"), "dash");
  EXPECT_EQ(text(after, "service.name"), "server");
  EXPECT_EQ(text(before, "service.instance.id"), text(after, "service.instance.id"));
  EXPECT_EQ(table.resource_of(42, "sh", at(20) + 5), before) << "an event that comes late still belongs to the program of its time";
}

TEST_F(ProcessTableTest, TheDeadAreKeptForLateEventsThenForgotten) {
  proc_.add({.process_id = 42});
  ProcessTable table = make();
  const auto resource = table.resource_of(42, "app", at(20));
  proc_.remove(42);
  table.on_exit(42, at(21));
  EXPECT_EQ(table.resource_of(42, "app", at(21)), resource);
  EXPECT_EQ(table.resource_of(42, "app", at(25)), resource);
  table.expire(at(31));
  EXPECT_EQ(table.size(), 1U);
  table.expire(at(31) + 1);
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(ProcessTableTest, AReusedNumberIsToldByItsStartTimeEvenIfItsForkWasMissed) {
  proc_.add({.process_id = 42, .start_ticks = 1000, .exe = "/app/old"});
  ProcessTable table = make();
  const auto old = table.resource_of(42, "old", at(20));
  table.on_exit(42, at(21));
  proc_.replace({.process_id = 42, .start_ticks = 2200, .exe = "/app/new"});
  const auto fresh = table.resource_of(42, "new", at(23));
  EXPECT_EQ(text(fresh, "service.name"), "new");
  EXPECT_NE(text(fresh, "service.instance.id"), text(old, "service.instance.id"));
  EXPECT_EQ(table.resource_of(42, "old", at(20)), old);
  table.expire(at(60));
  EXPECT_EQ(table.resource_of(42, "new", at(60)), fresh) << "the end of the old one must not take the new one away";
}

TEST_F(ProcessTableTest, AReusedNumberWithItsForkSeen) {
  proc_.add({.process_id = 42, .start_ticks = 1000, .exe = "/app/old"});
  ProcessTable table = make();
  const auto old = table.resource_of(42, "old", at(20));
  table.on_exit(42, at(21));
  table.on_fork(1, 42, at(22));
  proc_.replace({.process_id = 42, .start_ticks = 2200, .exe = "/app/new"});
  EXPECT_EQ(text(table.resource_of(42, "new", at(22)), "service.name"), "new");
  EXPECT_EQ(table.resource_of(42, "old", at(21)), old);
}

TEST_F(ProcessTableTest, ALateEventOfTheDeadIsNotGivenToTheNextOfThatNumber) {
  proc_.add({.process_id = 42, .start_ticks = 2200, .exe = "/app/new"});
  ProcessTable table = make();
  table.on_listen(42, 80, at(20));
  table.on_exit(42, at(21));
  EXPECT_EQ(text(table.resource_of(42, "old", at(20)), "service.name"), "old");
}

TEST_F(ProcessTableTest, IsBoundedAndCountsWhatItForgets) {
  ProcessTable table = make({.capacity = 100});
  for (uint32_t id = 1; id <= 1000; ++id) {
    table.on_fork(1, id, at(20));
    table.on_exit(id, at(20));
    table.resource_of(id, "x", at(20));
  }
  EXPECT_EQ(table.size(), 100U);
  EXPECT_EQ(outcome("evicted"), 900U);
}

TEST_F(ProcessTableTest, TheMostRecentlyUsedStays) {
  proc_.add({.process_id = 1, .exe = "/app/kept"});
  ProcessTable table = make({.capacity = 3});
  const auto kept = table.resource_of(1, "", at(20));
  for (uint32_t id = 100; id < 120; ++id) {
    table.resource_of(id, "x", at(20));
    EXPECT_EQ(table.resource_of(1, "", at(20)), kept);
  }
}

TEST_F(ProcessTableTest, DecidesByProgramAndByPort) {
  proc_.add({.process_id = 42, .exe = "/usr/sbin/nginx"});
  ProcessTable table = make({.max_ports_per_process = 2});
  const auto by_port = Selection::compile({.ports = {{8080, 8080}}}, {}).value();
  EXPECT_TRUE(table.decide(Selection::compile({.exe_globs = {"nginx"}}, {}).value(), 42).selected());
  EXPECT_FALSE(table.decide(by_port, 42).selected());
  table.on_listen(42, 8080, at(20));
  table.on_listen(42, 8080, at(20));
  table.on_listen(42, 8081, at(20));
  table.on_listen(42, 8082, at(20));
  EXPECT_TRUE(table.decide(by_port, 42).selected());
  EXPECT_EQ(outcome("port_list_full"), 1U);
  EXPECT_FALSE(table.decide(by_port, 4242).selected());
}

TEST_F(ProcessTableTest, BrokenResourceAttributesAreCounted) {
  proc_.add({.process_id = 42, .environment = {"OTEL_RESOURCE_ATTRIBUTES=a=b,c"}});
  ProcessTable table = make();
  table.resource_of(42, "", at(20));
  EXPECT_EQ(outcome("bad_resource_attributes"), 1U);
}

}  // namespace
}  // namespace clew::discovery
