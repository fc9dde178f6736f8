// SPDX-License-Identifier: Apache-2.0
// A /proc of our own making, for the tests of this folder: a directory tree with the files and links that the code reads.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/discovery/proc_fs.h"

namespace clew::discovery {

struct FakeProcess {
  uint32_t process_id = 1;
  uint32_t parent = 1;
  std::string comm = "app";
  char state = 'S';
  uint64_t flags = 0x400000;
  uint32_t threads = 1;
  uint64_t start_ticks = 1000;
  std::string exe = "/usr/bin/app";
  std::vector<std::string> argv = {"/usr/bin/app"};
  std::vector<std::string> environment = {};
  std::string cgroup = "0::/system.slice/app.service\n";
  uint32_t user_id = 1000;
  std::string namespace_process_ids = "1";
  uint64_t network_namespace = 4026531840;
};

class FakeProc {
 public:
  FakeProc() {
    std::string name = (std::filesystem::temp_directory_path() / "clew-proc-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~FakeProc() { std::filesystem::remove_all(root_); }
  FakeProc(const FakeProc&) = delete;
  FakeProc& operator=(const FakeProc&) = delete;

  ProcFs fs() const { return {.root = root_, .boot_time_unix_ns = 1'700'000'000'000'000'000, .ticks_per_second = 100}; }
  const std::string& root() const { return root_; }

  void add(const FakeProcess& process) const {
    const std::string directory = fmt::format("{}", process.process_id);
    write(directory + "/stat", stat_of(process));
    write(directory + "/status", fmt::format("Name:\t{0}\nPid:\t{1}\nUid:\t{2}\t{2}\t{2}\t{2}\nNSpid:\t{1}\t{3}\n", process.comm,
                                             process.process_id, process.user_id, process.namespace_process_ids));
    write(directory + "/cmdline", joined(process.argv));
    write(directory + "/environ", joined(process.environment));
    write(directory + "/cgroup", process.cgroup);
    if (!process.exe.empty()) link(directory + "/exe", process.exe);
    link(directory + "/ns/net", fmt::format("net:[{}]", process.network_namespace));
    write(directory + "/root/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000::/home/alice:/bin/sh\n");
  }
  void remove(uint32_t process_id) const { std::filesystem::remove_all(fmt::format("{}/{}", root_, process_id)); }
  void replace(const FakeProcess& process) const {
    remove(process.process_id);
    add(process);
  }

  void write(const std::string& path, std::string_view text) const {
    const std::filesystem::path full = std::filesystem::path(root_) / path;
    std::filesystem::create_directories(full.parent_path());
    std::ofstream(full, std::ios::binary) << text;
  }
  void link(const std::string& path, const std::string& target) const {
    const std::filesystem::path full = std::filesystem::path(root_) / path;
    std::filesystem::create_directories(full.parent_path());
    std::filesystem::create_symlink(target, full);
  }

  static std::string stat_of(const FakeProcess& process) {
    return fmt::format("{} ({}) {} {} 1 1 0 -1 {} 100 0 0 0 5 6 0 0 20 0 {} 0 {} 1000000 200 18446744073709551615 1 1 0\n",
                       process.process_id, process.comm, process.state, process.parent, process.flags, process.threads,
                       process.start_ticks);
  }

 private:
  static std::string joined(const std::vector<std::string>& strings) {
    std::string text;
    for (const std::string& string : strings) text.append(string).push_back('\0');
    return text;
  }
  std::string root_;
};

}  // namespace clew::discovery
