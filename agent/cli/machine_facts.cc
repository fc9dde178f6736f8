// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/machine_facts.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <sstream>

#include "agent/cli/doctor.h"

namespace clew::cli {
namespace {

std::optional<std::string> read_text(const char* path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return file.bad() ? std::nullopt : std::optional(text.str());
}

std::optional<int> read_number(const char* path) {
  const std::optional<std::string> text = read_text(path);
  int value = 0;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

/// mountinfo writes space, tab, newline and backslash as \ooo.
std::string unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    const bool octal = text[i] == '\\' && i + 3 < text.size() &&
                       std::from_chars(text.data() + i + 1, text.data() + i + 4, value, 8).ptr == text.data() + i + 4 && value < 256;
    plain.push_back(octal ? static_cast<char>(value) : text[i]);
    if (octal) i += 3;
  }
  return plain;
}

std::optional<uint64_t> memlock_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

}  // namespace

std::optional<std::string> parse_lockdown(const std::string& text) {
  const size_t open = text.find('[');
  const size_t close = text.find(']', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  return text.substr(open + 1, close - open - 1);
}

std::string parse_cgroup2_mount(const std::string& mountinfo) {
  // 36 35 98:0 /root /mount/point options optional… - type source super-options (proc_pid_mountinfo(5))
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string field;
    for (int i = 0; i < 5; ++i) fields >> field;
    return unescape(field);
  }
  return {};
}

uint64_t parse_effective_capabilities(const std::string& status) {
  constexpr std::string_view kName = "CapEff:\t";
  const size_t begin = status.find(kName);
  if (begin == std::string::npos) return 0;
  uint64_t capabilities = 0;
  std::from_chars(status.data() + begin + kName.size(), status.data() + status.size(), capabilities, 16);
  return capabilities;
}

MachineFacts gather_machine_facts(std::vector<uint32_t> other_clews) {
  MachineFacts facts;
  facts.user_id = geteuid();
  facts.capabilities = parse_effective_capabilities(read_text("/proc/self/status").value_or(""));
  utsname name{};
  if (uname(&name) == 0) {
    facts.kernel_release = name.release;
    facts.machine = name.machine;
  }
  if (const auto text = read_text("/sys/kernel/security/lockdown")) facts.lockdown = parse_lockdown(*text);
  const std::vector<std::string_view> names(kTracepoints.begin(), kTracepoints.end());
  for (std::string_view found : tracepoints_of_kernel(names, facts.btf_readable)) facts.tracepoints.emplace_back(found);
  facts.trials = try_kernel();
  facts.cgroup2_mount = parse_cgroup2_mount(read_text("/proc/self/mountinfo").value_or(""));
  struct stat status{};
  if (stat("/proc/self/ns/pid", &status) == 0) facts.pid_namespace_inode = status.st_ino;
  facts.memlock_limit_bytes = memlock_limit();
  facts.jit = read_number("/proc/sys/net/core/bpf_jit_enable");
  facts.unprivileged_bpf_disabled = read_number("/proc/sys/kernel/unprivileged_bpf_disabled");
  facts.other_clews = std::move(other_clews);
  return facts;
}

}  // namespace clew::cli
