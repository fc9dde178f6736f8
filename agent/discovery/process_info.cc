// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/process_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

namespace clew::discovery {
namespace {

constexpr size_t kMaxStatBytes = 4096;
constexpr size_t kMaxStatusBytes = 16384;
constexpr size_t kMaxCgroupBytes = 65536;
constexpr size_t kMaxMountinfoBytes = size_t{256} << 10;
constexpr size_t kMaxPasswdBytes = size_t{256} << 10;
constexpr uint64_t kKernelThreadFlag = 0x00200000;  // PF_KTHREAD in include/linux/sched.h
constexpr std::string_view kDeleted = " (deleted)";

/// Cuts the text before `delimiter` off the front of `rest`; the delimiter goes too.
std::string_view next(std::string_view& rest, char delimiter) {
  const size_t at = rest.find(delimiter);
  const std::string_view piece = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return piece;
}

template <class Number>
bool parse_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

base::Error no_such_process(uint32_t process_id, int error) {
  if (error == ENOENT || error == ESRCH || error == 0) return {fmt::format("process {} does not exist (any more)", process_id)};
  return {fmt::format("cannot read process {}: {}", process_id, std::generic_category().message(error))};
}

struct Stat {
  char state = '?';
  uint32_t threads = 0;
};

/// proc_pid_stat(5). comm may itself hold blanks and parentheses; it ends at the last one.
bool parse_stat(std::string_view text, ProcessInfo& info, Stat& stat) {
  const size_t open = text.find('(');
  const size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open || close + 2 > text.size()) return false;
  info.comm = text.substr(open + 1, close - open - 1);
  std::string_view rest = text.substr(close + 2);
  const std::string_view state = next(rest, ' ');
  if (state.size() != 1) return false;
  stat.state = state[0];
  if (!parse_number(next(rest, ' '), info.parent_process_id)) return false;
  for (int i = 5; i < 9; ++i) next(rest, ' ');
  uint64_t flags = 0;
  if (!parse_number(next(rest, ' '), flags)) return false;
  for (int i = 10; i < 20; ++i) next(rest, ' ');
  if (!parse_number(next(rest, ' '), stat.threads)) return false;
  next(rest, ' ');
  if (!parse_number(next(rest, ' '), info.start_ticks)) return false;
  info.kernel_thread = (flags & kKernelThreadFlag) != 0;
  info.zombie = stat.state == 'Z' || stat.state == 'X';
  return true;
}

uint64_t unix_ns(const ProcFs& proc, uint64_t ticks) {
  const uint64_t hz = proc.ticks_per_second;
  return proc.boot_time_unix_ns + ticks / hz * 1'000'000'000 + ticks % hz * 1'000'000'000 / hz;
}

void parse_status(std::string_view text, ProcessInfo& info) {
  while (!text.empty()) {
    std::string_view line = next(text, '\n');
    const std::string_view key = next(line, ':');
    if (key == "Uid") {
      line.remove_prefix(std::min(line.size(), line.find_first_not_of('\t')));
      next(line, '\t');  // real; the second is the effective one, under whose rights the process acts
      parse_number(next(line, '\t'), info.user_id);
    } else if (key == "NSpid") {
      parse_number(line.substr(line.find_last_of('\t') + 1), info.namespace_process_id);  // the last is the innermost namespace
    }
  }
}

/// The name of `user_id` in the text of a passwd file, or empty.
std::string_view user_name(std::string_view passwd, uint32_t user_id) {
  while (!passwd.empty()) {
    std::string_view line = next(passwd, '\n');
    const std::string_view name = next(line, ':');
    next(line, ':');
    uint32_t number = 0;
    if (parse_number(next(line, ':'), number) && number == user_id && !name.empty()) return name;
  }
  return {};
}

void read_owner(const Directory& directory, std::string& buffer, ProcessInfo& info) {
  directory.read("status", kMaxStatusBytes, buffer);
  info.namespace_process_id = info.process_id;
  info.user_id = UINT32_MAX;
  parse_status(buffer, info);
  if (info.user_id == UINT32_MAX) {
    info.user_id = 0;
    return;
  }
  if (info.user_id == 0) {
    info.owner = "root";
    return;
  }
  // Not getpwuid(): it may ask the network, and the names of a container's users stand in the container.
  directory.read_below("root", "/etc/passwd", kMaxPasswdBytes, buffer);
  info.owner = user_name(buffer, info.user_id);
  if (info.owner.empty()) info.owner = fmt::format("{}", info.user_id);
}

void read_argv(const Directory& directory, std::string& buffer, ProcessInfo& info) {
  info.argv_truncated = directory.read("cmdline", kMaxArgvBytes, buffer).truncated;
  std::string_view rest = buffer;
  // A title shorter than the arguments it replaced leaves NULs behind it.
  while (rest.ends_with('\0')) rest.remove_suffix(1);
  while (!rest.empty()) info.argv.emplace_back(next(rest, '\0'));
}

void read_environment(const Directory& directory, std::string& buffer, ProcessInfo& info) {
  const bool truncated = directory.read("environ", kMaxEnvironBytes, buffer).truncated;
  std::string_view rest = buffer;
  if (truncated) rest = rest.substr(0, rest.rfind('\0') + 1);  // half a value is worse than none
  while (!rest.empty()) {
    std::string_view value = next(rest, '\0');
    if (value.find('=') == std::string_view::npos) continue;
    const std::string_view name = next(value, '=');
    if (std::ranges::find(kKeptVariables, name) == std::ranges::end(kKeptVariables)) continue;
    // Of a variable given twice getenv() sees the first.
    if (!info.variable(name).empty()) continue;
    info.environment.emplace_back(name, value);
  }
}

void read_cgroups(const Directory& directory, std::string& buffer, ProcessInfo& info) {
  directory.read("cgroup", kMaxCgroupBytes, buffer);
  std::string_view rest = buffer;
  while (!rest.empty()) {
    std::string_view path = next(rest, '\n');
    const std::string_view hierarchy = next(path, ':');
    const std::string_view controllers = next(path, ':');
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    if (path.empty()) continue;
    if (hierarchy == "0" && controllers.empty()) {
      info.cgroup_v2 = path;
    } else {
      info.cgroups_v1.push_back({std::string(controllers), std::string(path)});
    }
  }

  info.container = container_of_cgroup(info.cgroup_v2);
  bool says_nothing = info.cgroup_v2.empty() || info.cgroup_v2 == "/";
  for (const CgroupV1& cgroup : info.cgroups_v1) {
    if (!info.container.id.empty()) break;
    Container container = container_of_cgroup(cgroup.path);
    if (!container.id.empty() || info.container.pod_uid.empty()) info.container = std::move(container);
    says_nothing = says_nothing && cgroup.path == "/";
  }
  if (!info.container.id.empty() || !says_nothing || info.kernel_thread) return;
  directory.read("mountinfo", kMaxMountinfoBytes, buffer);
  info.container = container_of_mounts(buffer);
}

void read_exe(const Directory& directory, ProcessInfo& info) {
  int error = 0;
  info.exe = directory.link("exe", error);
  if (!info.exe.ends_with(kDeleted)) return;
  info.exe.resize(info.exe.size() - kDeleted.size());
  info.exe_deleted = true;
}

/// A main thread that called pthread_exit() is a zombie without files while the process works on: look at it through another thread.
base::Result<Directory> living_thread(const Directory& process, uint32_t process_id) {
  CLEW_TRY(const Directory tasks, process.open_below("task"));
  for (const uint32_t thread : numbered_entries(tasks, 2)) {
    if (thread != process_id) return tasks.open_below(fmt::format("{}", thread).c_str());
  }
  return base::fail("no other thread");
}

}  // namespace

std::string_view ProcessInfo::variable(std::string_view name) const {
  const auto found = std::ranges::find(environment, name, [](const auto& pair) -> std::string_view { return pair.first; });
  return found == environment.end() ? std::string_view() : std::string_view(found->second);
}

base::Result<ProcessInfo> read_process(const ProcFs& proc, uint32_t process_id, uint32_t fields) {
  auto opened = Directory::open(fmt::format("{}/{}", proc.root, process_id));
  if (!opened) return std::unexpected(no_such_process(process_id, ENOENT));
  Directory directory = std::move(*opened);

  ProcessInfo info;
  info.process_id = process_id;
  Stat stat;
  std::string buffer;
  const Directory::Read read = directory.read("stat", kMaxStatBytes, buffer);
  if (read.error != 0) return std::unexpected(no_such_process(process_id, read.error));
  if (!parse_stat(buffer, info, stat)) return base::fail(fmt::format("cannot understand {}/{}/stat", proc.root, process_id));
  info.start_unix_ns = unix_ns(proc, info.start_ticks);

  if (info.zombie && stat.threads > 1) {
    if (auto thread = living_thread(directory, process_id)) {
      directory = std::move(*thread);
      info.zombie = false;
    }
  }
  if ((fields & kOwner) != 0) read_owner(directory, buffer, info);
  if ((fields & kCgroup) != 0) read_cgroups(directory, buffer, info);
  if ((fields & kNamespaces) != 0) {
    int error = 0;
    info.network_namespace = inode_of_link(directory.link("ns/net", error), "net:");
  }
  if (info.kernel_thread || info.zombie) return info;
  if ((fields & kExe) != 0) read_exe(directory, info);
  if ((fields & kArgv) != 0) read_argv(directory, buffer, info);
  if ((fields & kEnvironment) != 0) read_environment(directory, buffer, info);

  // What was left empty because the process ended meanwhile must not pass for a process without a program.
  if ((fields & kExe) != 0 && info.exe.empty() && directory.read("stat", kMaxStatBytes, buffer).error != 0)
    return std::unexpected(no_such_process(process_id, ESRCH));
  return info;
}

uint64_t read_start_ticks(const ProcFs& proc, uint32_t process_id) {
  const auto info = read_process(proc, process_id, kStatOnly);
  return info ? info->start_ticks : 0;
}

}  // namespace clew::discovery
