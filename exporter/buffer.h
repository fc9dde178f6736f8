// SPDX-License-Identifier: Apache-2.0
// A growing text into which many small pieces are written without a check for each.
#pragma once

#include <cstring>
#include <memory>
#include <string_view>

namespace clew::exporter {

class Buffer {
 public:
  /// Where to write; at least `bytes` may be written before the next call. Say with set_end() how far it went.
  char* reserve(size_t bytes) {
    if (capacity_ - size_ < bytes) grow(bytes);
    return data_.get() + size_;
  }
  void set_end(const char* end) { size_ = static_cast<size_t>(end - data_.get()); }
  void append(std::string_view text) {
    std::memcpy(reserve(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  /// Removes the last byte.
  void drop_last() { --size_; }
  void clear() { size_ = 0; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  void grow(size_t bytes) {
    size_t capacity = capacity_ == 0 ? 4096 : capacity_ * 2;
    while (capacity < size_ + bytes) capacity *= 2;
    auto data = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace clew::exporter
