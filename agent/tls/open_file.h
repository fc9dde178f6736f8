// SPDX-License-Identifier: Apache-2.0
// A file held open, so that whoever looks at it by its path again finds the same one: it may be replaced meanwhile.
#pragma once

#include <string>
#include <utility>

namespace clew::tls {

class OpenFile {
 public:
  OpenFile() = default;
  /// A regular file; else is_open() is false.
  explicit OpenFile(const std::string& path);
  OpenFile(OpenFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)), key_(std::move(other.key_)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(key_, other.key_);
    return *this;
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile();

  bool is_open() const { return fd_ >= 0; }
  /// Device, inode and time of change: the same for the same contents.
  const std::string& key() const { return key_; }
  /// Leads this process, and the kernel on behalf of it, to the file, whatever became of its name.
  std::string path() const;

 private:
  int fd_ = -1;
  std::string key_;
};

}  // namespace clew::tls
