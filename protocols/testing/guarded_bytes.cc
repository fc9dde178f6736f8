// SPDX-License-Identifier: Apache-2.0
// mmap and one PROT_NONE page.
#include "protocols/testing/guarded_bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace clew::protocols::testing {

GuardedBytes::GuardedBytes(size_t capacity) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  capacity_ = (capacity + page - 1) / page * page;
  mapped_ = capacity_ + page;
  void* const memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  memory_ = static_cast<char*>(memory);
  if (mprotect(memory_ + capacity_, page, PROT_NONE) != 0) std::abort();
}

GuardedBytes::~GuardedBytes() { munmap(memory_, mapped_); }

std::string_view GuardedBytes::place(std::string_view bytes) {
  if (bytes.size() > capacity_) return bytes;
  char* const begin = memory_ + capacity_ - bytes.size();
  if (!bytes.empty()) std::memcpy(begin, bytes.data(), bytes.size());
  return {begin, bytes.size()};
}

}  // namespace clew::protocols::testing
