// SPDX-License-Identifier: Apache-2.0
// How much of the heap is in use. Only for tests.
#pragma once

#include <malloc.h>

#include <cstddef>
#include <string>

namespace clew::connection {

inline size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Not under a sanitizer, which has a heap of its own.
inline bool is_measurable() {
  static std::string some;  // a local one would be left out
  std::string().swap(some);
  const size_t before = heap_bytes();
  some = std::string(100'000, 'x');
  return heap_bytes() >= before + 100'000;
}

}  // namespace clew::connection
