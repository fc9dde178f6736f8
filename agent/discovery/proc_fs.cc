// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/proc_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <system_error>

namespace clew::discovery {
namespace {

constexpr size_t kFirstRead = 4096;  // most files of /proc are smaller: one read, and one more that says so

int64_t nanoseconds(const timespec& t) { return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec; }

std::string describe(int error) { return std::generic_category().message(error); }

/// Reads at most `limit` bytes of `fd` and closes it.
Directory::Read drain(int fd, size_t limit, std::string& into) {
  Directory::Read result;
  size_t length = 0;
  into.resize(std::min(limit, kFirstRead));
  while (true) {
    const ssize_t got = ::read(fd, into.data() + length, into.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) result.error = errno;
    if (got <= 0) break;
    length += static_cast<size_t>(got);
    if (length < into.size()) continue;
    if (length == limit) {
      char more = 0;
      result.truncated = ::read(fd, &more, 1) == 1;
      break;
    }
    into.resize(std::min(limit, into.size() * 4));
  }
  ::close(fd);
  into.resize(length);
  return result;
}

}  // namespace

ProcFs ProcFs::of_this_machine() {
  timespec real{};
  timespec boot{};
  ::clock_gettime(CLOCK_REALTIME, &real);
  ::clock_gettime(CLOCK_BOOTTIME, &boot);
  ProcFs proc;
  proc.boot_time_unix_ns = static_cast<uint64_t>(nanoseconds(real) - nanoseconds(boot));
  proc.ticks_per_second = static_cast<uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  return proc;
}

base::Result<Directory> Directory::open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return base::fail(fmt::format("cannot open {}: {}", path, describe(errno)));
  return Directory(fd);
}

Directory& Directory::operator=(Directory&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Directory::~Directory() {
  if (fd_ >= 0) ::close(fd_);
}

Directory::Read Directory::read(const char* name, size_t limit, std::string& into) const {
  into.clear();
  const int fd = ::openat(fd_, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {.error = errno};
  return drain(fd, limit, into);
}

std::string Directory::link(const char* name, int& error) const {
  std::array<char, 4096> target;
  const ssize_t length = ::readlinkat(fd_, name, target.data(), target.size());
  error = length < 0 ? errno : 0;
  return length < 0 ? std::string() : std::string(target.data(), static_cast<size_t>(length));
}

Directory::Read Directory::read_below(const char* root, const char* path, size_t limit, std::string& into) const {
  into.clear();
  const int root_fd = ::openat(fd_, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0) return {.error = errno};
  // The tree below belongs to whoever is traced: its links must not lead us out of it, its fifos must not stop us.
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const int fd = static_cast<int>(::syscall(SYS_openat2, root_fd, path, &how, sizeof how));
  const int error = errno;
  ::close(root_fd);
  if (fd < 0) return {.error = error};
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return {.error = EINVAL};
  }
  return drain(fd, limit, into);
}

base::Result<Directory> Directory::open_below(const char* name) const {
  const int fd = ::openat(fd_, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return base::fail(fmt::format("cannot open {}: {}", name, describe(errno)));
  return Directory(fd);
}

std::vector<uint32_t> numbered_entries(const Directory& directory, size_t limit) {
  std::vector<uint32_t> numbers;
  const int fd = ::openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return numbers;
  DIR* stream = ::fdopendir(fd);
  if (stream == nullptr) {
    ::close(fd);
    return numbers;
  }
  // readdir() of one stream is used by one thread only.
  while (const dirent* entry = ::readdir(stream)) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    uint32_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size()) continue;
    if (numbers.size() == limit) break;
    numbers.push_back(number);
  }
  ::closedir(stream);
  return numbers;
}

uint64_t inode_of_link(std::string_view link, std::string_view prefix) {
  if (!link.starts_with(prefix) || !link.ends_with(']')) return 0;
  link.remove_prefix(prefix.size());
  if (!link.starts_with('[')) return 0;
  uint64_t inode = 0;
  const auto [end, error] = std::from_chars(link.data() + 1, link.data() + link.size() - 1, inode);
  return error == std::errc() && end == link.data() + link.size() - 1 ? inode : 0;
}

}  // namespace clew::discovery
