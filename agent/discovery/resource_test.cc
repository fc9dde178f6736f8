// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/resource.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/discovery/fake_proc.h"

namespace clew::discovery {
namespace {

std::string text(const exporter::Resource& resource, std::string_view key) {
  const size_t index = resource.attributes.find(key);
  return index == resource.attributes.size() ? "(absent)" : std::string(resource.attributes[index].text);
}
int64_t number(const exporter::Resource& resource, std::string_view key) {
  const size_t index = resource.attributes.find(key);
  return index == resource.attributes.size() ? -1 : resource.attributes[index].integer;
}

Host host() {
  Host host;
  host.name = "node-1";
  host.id = "0123456789abcdef0123456789abcdef";
  host.boot_id = "11111111-2222-3333-4444-555555555555";
  host.arch = "amd64";
  host.distro_version = "0.1.0";
  return host;
}

ProcessInfo process() {
  ProcessInfo info;
  info.process_id = 42;
  info.parent_process_id = 7;
  info.start_ticks = 1000;
  info.start_unix_ns = 1'700'000'000'120'000'000;
  info.exe = "/usr/bin/python3.11";
  info.argv = {"python3", "/srv/app.py", "--password", "hunter2"};
  info.comm = "python3";
  info.owner = "alice";
  info.container = {.kind = Container::Kind::kDocker, .id = std::string(64, 'a'), .pod_uid = {}};
  return info;
}

exporter::Resource build(const ProcessInfo& info, const Host& on = host()) { return build_resource(on, info, service_name(info)); }

TEST(BuildResource, HoldsWhatIsKnown) {
  const exporter::Resource resource = build(process());
  EXPECT_EQ(text(resource, "service.name"), "app.py");
  EXPECT_EQ(number(resource, "process.pid"), 42);
  EXPECT_EQ(number(resource, "process.parent_pid"), 7);
  EXPECT_EQ(text(resource, "process.executable.name"), "python3.11");
  EXPECT_EQ(text(resource, "process.executable.path"), "/usr/bin/python3.11");
  EXPECT_EQ(text(resource, "process.command"), "python3");
  EXPECT_EQ(text(resource, "process.owner"), "alice");
  EXPECT_EQ(text(resource, "process.creation.time"), "2023-11-14T22:13:20.120Z");
  EXPECT_EQ(text(resource, "container.id"), std::string(64, 'a'));
  EXPECT_EQ(text(resource, "host.name"), "node-1");
  EXPECT_EQ(text(resource, "host.id"), "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(text(resource, "host.arch"), "amd64");
  EXPECT_EQ(text(resource, "os.type"), "linux");
  EXPECT_EQ(text(resource, "telemetry.distro.name"), "clew");
  EXPECT_EQ(text(resource, "telemetry.distro.version"), "0.1.0");
}

TEST(BuildResource, TheCommandLineStaysPrivate) {
  const exporter::Resource resource = build(process());
  for (size_t i = 0; i < resource.attributes.size(); ++i)
    EXPECT_THAT(std::string(resource.attributes[i].text), testing::Not(testing::HasSubstr("hunter2")));
}

TEST(BuildResource, EveryNameOccursOnceAndNoneIsEmpty) {
  ProcessInfo info = process();
  info.environment = {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=x,host.name=pod-7,service.instance.id=i-1,process.pid=1,a=b"}};
  Host on = host();
  on.defaults = {{"host.name", "other"}, {"a", "c"}, {"d", "e"}};
  const exporter::Resource resource = build(info, on);
  for (size_t i = 0; i < resource.attributes.size(); ++i) {
    EXPECT_EQ(resource.attributes.find(resource.attributes[i].key), i) << resource.attributes[i].key;
    EXPECT_FALSE(resource.attributes[i].key.empty());
  }
}

TEST(BuildResource, TheProcessKnowsBestButForWhatWeSee) {
  ProcessInfo info = process();
  info.environment = {{"OTEL_RESOURCE_ATTRIBUTES",
                       "service.namespace=shop,service.version=1.2,host.name=pod-7,service.instance.id=i-1,process.pid=1,a=b%2Cc"}};
  const exporter::Resource resource = build(info);
  EXPECT_EQ(text(resource, "service.namespace"), "shop");
  EXPECT_EQ(text(resource, "service.version"), "1.2");
  EXPECT_EQ(text(resource, "host.name"), "pod-7");
  EXPECT_EQ(text(resource, "service.instance.id"), "i-1");
  EXPECT_EQ(number(resource, "process.pid"), 42) << "inherited from the parent's environment, hence wrong there";
  EXPECT_EQ(text(resource, "a"), "b,c");
}

TEST(BuildResource, BrokenAttributesAreIgnoredAltogether) {
  ProcessInfo info = process();
  info.environment = {{"OTEL_RESOURCE_ATTRIBUTES", "a=b,c"}};
  EXPECT_EQ(text(build(info), "a"), "(absent)");
}

TEST(BuildResource, DefaultsOfClewFillGapsButNeverNameTheService) {
  Host on = host();
  on.defaults = {{"deployment.environment.name", "prod"}, {"service.name", "clew"}, {"service.namespace", "ops"}, {"os.type", "plan9"}};
  const exporter::Resource resource = build(process(), on);
  EXPECT_EQ(text(resource, "deployment.environment.name"), "prod");
  EXPECT_EQ(text(resource, "service.name"), "app.py");
  EXPECT_EQ(text(resource, "service.namespace"), "ops");
  EXPECT_EQ(text(resource, "os.type"), "linux");
}

TEST(BuildResource, OfAProcessThatIsGoneNumberAndCommRemain) {
  ProcessInfo info;
  info.process_id = 42;
  info.comm = "curl";
  const exporter::Resource resource = build(info);
  EXPECT_EQ(text(resource, "service.name"), "curl");
  EXPECT_EQ(text(resource, "process.executable.name"), "curl");
  EXPECT_EQ(number(resource, "process.pid"), 42);
  EXPECT_EQ(text(resource, "process.creation.time"), "(absent)");
  EXPECT_EQ(number(resource, "process.parent_pid"), -1);
}

TEST(BuildResource, BytesThatAreNoTextBecomeReplacementCharacters) {
  ProcessInfo info = process();
  info.exe = "/srv/caf\xe9/\xc3\xa9t\xc3\xa9\xf0\x80\x80\xed\xa0\x80";
  EXPECT_EQ(text(build(info), "process.executable.path"),
            "/srv/caf\xef\xbf\xbd/\xc3\xa9t\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ServiceInstanceId, IsEqualInEveryRunAndDiffersPerIncarnation) {
  ProcessInfo info = process();
  const std::string id = service_instance_id(host(), info);
  EXPECT_EQ(id, service_instance_id(host(), info));
  info.start_ticks = 1001;
  EXPECT_NE(service_instance_id(host(), info), id);
  info.start_ticks = 1000;
  info.process_id = 43;
  EXPECT_NE(service_instance_id(host(), info), id);
  Host rebooted = host();
  rebooted.boot_id = "another";
  EXPECT_NE(service_instance_id(rebooted, process()), id);
}

TEST(ReadHost, TakesTheMachineIdOnlyIfItIsOne) {
  const FakeProc proc;
  proc.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  proc.write("sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
  const Host good = read_host(proc.root() + "/etc", proc.fs(), "9.9");
  EXPECT_EQ(good.id, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(good.boot_id, "11111111-2222-3333-4444-555555555555");
  EXPECT_FALSE(good.name.empty());
  EXPECT_FALSE(good.arch.empty());
  EXPECT_NE(good.arch, "x86_64");
  proc.write("etc/machine-id", "uninitialized\n");
  EXPECT_EQ(read_host(proc.root() + "/etc", proc.fs(), "").id, "");
  EXPECT_EQ(read_host(proc.root() + "/nowhere", proc.fs(), "").id, "");
}

}  // namespace
}  // namespace clew::discovery
