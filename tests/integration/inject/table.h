// SPDX-License-Identifier: Apache-2.0
// How the server learns what a connection is going to do without a byte on the connection: the client binds, writes its plan here under the
// port, and only then connects. One file, mapped by both. Unix sockets carry the same in the name to which the client binds.
#pragma once
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "plan.h"

namespace torture {

inline constexpr size_t kAddresses = 16;  // 127.0.0.1 … 127.0.0.14; the last slot is ::1

struct Entry {
  uint64_t seed = 0, ordinal = 0;
  Pins pins{};
  uint16_t in_use = 0;
};

class Table {
 public:
  // Throws nothing: valid() tells.
  explicit Table(const char* path) {
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && ftruncate(fd, kBytes) == 0) {
      void* at = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (at != MAP_FAILED) entries_ = static_cast<Entry*>(at);
    }
    if (fd >= 0) close(fd);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  bool valid() const { return entries_ != nullptr; }
  void set(size_t address, uint16_t port, const Entry& entry) {
    entries_[at(address, port)] = entry;
    std::atomic_thread_fence(std::memory_order_release);
  }
  Entry get(size_t address, uint16_t port) const {
    std::atomic_thread_fence(std::memory_order_acquire);
    return entries_[at(address, port)];
  }

 private:
  static constexpr size_t kBytes = sizeof(Entry) * kAddresses * 65536;
  static size_t at(size_t address, uint16_t port) { return (address % kAddresses) * 65536 + port; }
  Entry* entries_ = nullptr;
};

}  // namespace torture
