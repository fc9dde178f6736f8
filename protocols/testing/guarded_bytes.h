// SPDX-License-Identifier: Apache-2.0
// Bytes that end right in front of a page that must not be touched: a parser that reads one byte too many dies on the spot.
#pragma once

#include <cstddef>
#include <string_view>

namespace clew::protocols::testing {

class GuardedBytes {
 public:
  /// Room for `capacity` bytes.
  explicit GuardedBytes(size_t capacity);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  /// A copy of `bytes`, valid until the next call. Longer ones than the capacity are given back as they are.
  std::string_view place(std::string_view bytes);

 private:
  size_t capacity_;
  size_t mapped_;
  char* memory_;
};

}  // namespace clew::protocols::testing
