// SPDX-License-Identifier: Apache-2.0
#include "exporter/output.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace clew::exporter {
namespace {

// What a pipe or socket takes without blocking once poll() calls it writable: PIPE_BUF.
constexpr size_t kChunk = 4096;
constexpr int kPollMs = 50;  // how late the end of patience may be noticed

bool is_regular(int fd) {
  struct stat info{};
  return fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

}  // namespace

int open_to_write(const std::string& path, int flags, mode_t mode, const std::function<void()>& waits) {
  struct stat info{};
  if (stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode)) {
    const int fd = ::open(path.c_str(), flags | O_WRONLY | O_NONBLOCK, mode);
    if (fd >= 0) {  // not closed and opened anew: its reader would see an end
      fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
      return fd;
    }
    if (errno == ENXIO && waits) waits();
  }
  return ::open(path.c_str(), flags | O_WRONLY, mode);
}

base::Result<Output> Output::open(const std::string& path, const std::function<void()>& waits) {
  if (path == "-") return Output(STDOUT_FILENO, "stdout", false);
  const int fd = open_to_write(path, O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644, waits);
  if (fd < 0) return base::fail(fmt::format("cannot open {}: {}", path, std::generic_category().message(errno)));
  return Output(fd, path, true);
}

Output Output::borrow(int fd, std::string name) { return Output(fd, std::move(name), false); }

Output::Output(int fd, std::string name, bool owned) : fd_(fd), name_(std::move(name)), owned_(owned), regular_(is_regular(fd)) {}

Output::Output(Output&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      name_(std::move(other.name_)),
      owned_(other.owned_),
      regular_(other.regular_),
      mid_line_(other.mid_line_) {}

Output::~Output() {
  if (owned_ && fd_ >= 0) ::close(fd_);
}

int Output::write(std::string_view text, const Patience& patience) {
  if (mid_line_) {
    std::string_view end = "\n";
    if (const int error = write_some(end, patience); error != 0) return error;
    mid_line_ = false;
  }
  std::string_view rest = text;
  while (!rest.empty()) {
    if (const int error = write_some(rest, patience); error != 0) {
      undo(text.size() - rest.size());
      return error;
    }
  }
  return 0;
}

int Output::write_some(std::string_view& text, const Patience& patience) const {
  if (!regular_) {
    pollfd writable{.fd = fd_, .events = POLLOUT, .revents = 0};
    while (poll(&writable, 1, kPollMs) <= 0)
      if (patience.over()) return ETIMEDOUT;
  }
  const ssize_t written = ::write(fd_, text.data(), regular_ ? text.size() : std::min(text.size(), kChunk));
  if (written < 0) return errno == EINTR || errno == EAGAIN ? 0 : errno;
  text.remove_prefix(static_cast<size_t>(written));
  return 0;
}

void Output::undo(size_t written) {
  if (written == 0) return;
  mid_line_ = true;
  if (!regular_) return;
  // Only if nobody else has written behind us.
  const off_t end = lseek(fd_, 0, SEEK_CUR);
  struct stat info{};
  if (end < 0 || fstat(fd_, &info) != 0 || info.st_size != end) return;
  const off_t start = end - static_cast<off_t>(written);
  mid_line_ = ftruncate(fd_, start) != 0 || lseek(fd_, start, SEEK_SET) < 0;
}

}  // namespace clew::exporter
