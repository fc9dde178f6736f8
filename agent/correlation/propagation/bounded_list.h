// SPDX-License-Identifier: Apache-2.0
// A list in place, for results whose number is bounded by how they are made.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace clew::correlation::propagation {

template <class T, size_t N>
class BoundedList {
 public:
  /// More than N is a broken invariant.
  constexpr void add(const T& item) {
    if (size_ == N) std::abort();
    items_[size_++] = item;
  }
  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }

 private:
  std::array<T, N> items_{};
  uint8_t size_ = 0;
};

}  // namespace clew::correlation::propagation
