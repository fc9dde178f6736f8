// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/resource.h"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "agent/discovery/uuid.h"

namespace clew::discovery {
namespace {

constexpr size_t kUuidLength = 36;

/// The length of the UTF-8 sequence at the front of `text`, or 0 if it is none (overlong and surrogates included).
size_t sequence_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
  if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
  return length;
}

/// Paths and names are bytes, OTLP strings are UTF-8, and a collector refuses a whole batch for one bad string.
std::string valid_utf8(std::string_view text) {
  std::string valid;
  valid.reserve(text.size());
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    valid.append(length == 0 ? "\xef\xbf\xbd" : text.substr(0, length));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return valid;
}

std::string iso_8601(uint64_t unix_ns) {
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time(std::chrono::milliseconds(unix_ns / 1'000'000));
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

/// The names of the semantic conventions for uname's.
std::string arch_of(std::string_view machine) {
  struct Name {
    std::string_view machine;
    std::string_view arch;
  };
  static constexpr std::array kNames = {Name{"x86_64", "amd64"}, Name{"aarch64", "arm64"}, Name{"armv7l", "arm32"}, Name{"armv6l", "arm32"},
                                        Name{"i686", "x86"},     Name{"i386", "x86"},      Name{"ppc64le", "ppc64"}};
  const auto* found = std::ranges::find(kNames, machine, &Name::machine);
  return std::string(found == kNames.end() ? machine : found->arch);
}

std::string first_line(const std::string& directory, const char* name) {
  std::string text;
  if (const auto opened = Directory::open(directory)) opened->read(name, 4096, text);
  text.resize(std::min(text.size(), text.find('\n')));
  return text;
}

/// Adds what is not there yet: whoever comes first wins.
class Builder {
 public:
  explicit Builder(base::Attributes& attributes) : attributes_(attributes) {}
  void text(base::Key key, std::string_view value) {
    if (!value.empty() && !has(key.text)) attributes_.add(key, valid_utf8(value));
  }
  void number(base::Key key, uint32_t value) {
    if (!has(key.text)) attributes_.add(key, value);
  }
  void named(std::string_view key, std::string_view value) {
    if (!has(key)) attributes_.add_named(valid_utf8(key), valid_utf8(value));
  }

 private:
  bool has(std::string_view key) const { return attributes_.find(key) != attributes_.size(); }
  base::Attributes& attributes_;
};

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

Host read_host(const std::string& etc, const ProcFs& proc, std::string distro_version) {
  Host host;
  host.distro_version = std::move(distro_version);
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) host.name = name.data();
  utsname system{};
  if (::uname(&system) == 0) host.arch = arch_of(system.machine);
  // systemd writes "uninitialized" before the first boot has given the machine its number.
  host.id = first_line(etc, "machine-id");
  if (host.id.size() != 32 || host.id.find_first_not_of("0123456789abcdef") != std::string::npos) host.id.clear();
  host.boot_id = first_line(proc.root + "/sys/kernel/random", "boot_id");
  return host;
}

std::string service_instance_id(const Host& host, const ProcessInfo& process) {
  return uuid_v5(kServiceInstanceNamespace, fmt::format("{}/{}/{}/{}", host.id, host.boot_id, process.process_id, process.start_ticks));
}

exporter::Resource build_resource(const Host& host, const ProcessInfo& process, const ServiceName& service) {
  exporter::Resource resource;
  resource.attributes.reserve(24, 1024);
  Builder add(resource.attributes);
  const auto own = parse_resource_attributes(process.variable("OTEL_RESOURCE_ATTRIBUTES")).value_or(AttributeList());

  add.text("service.name", service.name);
  const std::string_view instance = find_attribute(own, "service.instance.id");
  add.text("service.instance.id", instance.empty() ? service_instance_id(host, process) : std::string(instance));

  add.number("process.pid", process.process_id);
  if (process.parent_process_id != 0) add.number("process.parent_pid", process.parent_process_id);
  add.text("process.executable.name", base_name(process.exe.empty() ? process.comm : process.exe));
  add.text("process.executable.path", process.exe);
  if (!process.argv.empty()) add.text("process.command", process.argv[0]);
  add.text("process.owner", process.owner);
  if (process.start_unix_ns != 0) add.text("process.creation.time", iso_8601(process.start_unix_ns));
  add.text("telemetry.distro.name", "clew");
  add.text("telemetry.distro.version", host.distro_version);

  for (const auto& [key, value] : own) add.named(key, value);

  add.text("container.id", process.container.id);
  // A static pod's uid in the cgroup is a hash that the API does not know.
  if (process.container.pod_uid.size() == kUuidLength) add.text("k8s.pod.uid", process.container.pod_uid);
  add.text("host.name", host.name);
  add.text("host.id", host.id);
  add.text("host.arch", host.arch);
  add.text("os.type", "linux");

  for (const auto& [key, value] : host.defaults) {
    if (key != "service.name" && key != "service.instance.id") add.named(key, value);
  }
  return resource;
}

}  // namespace clew::discovery
