// SPDX-License-Identifier: Apache-2.0
// Bounded reading of small files and links below one /proc; every other file of this folder goes through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace clew::discovery {

/// Where processes are read, and what turns ticks into Unix time. Plain values, so that a test can point at a tree of its own.
struct ProcFs {
  std::string root = "/proc";
  uint64_t boot_time_unix_ns = 0;   // CLOCK_REALTIME - CLOCK_BOOTTIME
  uint64_t ticks_per_second = 100;  // sysconf(_SC_CLK_TCK)

  /// For the machine that we run on.
  static ProcFs of_this_machine();
};

/// A directory held open. For /proc/<pid> it stays bound to that incarnation of the process: once it has ended, reads fail with
/// ESRCH even if the number has been given to another process since.
class Directory {
 public:
  static base::Result<Directory> open(const std::string& path);
  Directory(Directory&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Directory& operator=(Directory&& other) noexcept;
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory();

  struct Read {
    int error = 0;           // errno; what was read before the error is kept
    bool truncated = false;  // there was more than `limit`
  };
  /// Replaces `into` with the file's first `limit` bytes.
  Read read(const char* name, size_t limit, std::string& into) const;
  /// The target of a symbolic link, or empty with errno in `error`.
  std::string link(const char* name, int& error) const;
  /// A regular file, with every link on the way resolved inside the directory that the link `root` names (a container's root).
  Read read_below(const char* root, const char* path, size_t limit, std::string& into) const;
  base::Result<Directory> open_below(const char* name) const;

  int fd() const { return fd_; }

 private:
  explicit Directory(int fd) : fd_(fd) {}
  int fd_;
};

/// The entries of a directory that are numbers (process ids, thread ids, file descriptors), at most `limit`, in no order.
std::vector<uint32_t> numbered_entries(const Directory& directory, size_t limit);

/// The number in "net:[4026531840]" or "socket:[12345]" if the link begins with `prefix` ("net:"), else 0.
uint64_t inode_of_link(std::string_view link, std::string_view prefix);

}  // namespace clew::discovery
