// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/open_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace clew::tls {

// O_PATH: neither a fifo nor a device hears of it.
OpenFile::OpenFile(const std::string& path) : fd_(::open(path.c_str(), O_PATH | O_CLOEXEC)) {
  struct stat status{};
  if (fd_ >= 0 && ::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
    key_ = fmt::format("{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  } else if (fd_ >= 0) {
    ::close(std::exchange(fd_, -1));
  }
}

OpenFile::~OpenFile() {
  if (fd_ >= 0) ::close(fd_);
}

std::string OpenFile::path() const { return fmt::format("/proc/self/fd/{}", fd_); }

}  // namespace clew::tls
