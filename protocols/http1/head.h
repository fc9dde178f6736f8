// SPDX-License-Identifier: Apache-2.0
// What is kept of a message's head: the start line, and the header fields that describe() asks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocols/message.h"

namespace clew::protocols::http1 {

/// Text that is kept. To keep one more header field, add it here and to kOwnFields in head_scan.cc. What proxies add comes last.
enum class Field : uint8_t { kMethod, kTarget, kHost, kUserAgent, kForwarded, kXForwardedFor, kXForwardedHost, kXForwardedProto };
inline constexpr size_t kFieldCount = 8;
using Fields = std::array<std::string_view, kFieldCount>;

/// Object and text lie in one allocation: a head is made for every message, and two per exchange.
class MessageHead final : public Head {
 public:
  static HeadPointer make(const Fields& fields, uint16_t status, uint8_t minor_version);

  /// Empty: the head did not have it. Of a field that came several times it is the first.
  std::string_view operator[](Field field) const {
    const auto index = static_cast<size_t>(field);
    const uint32_t begin = index == 0 ? 0 : ends_[index - 1];
    return {text() + begin, ends_[index] - begin};
  }
  /// Has it one of the fields that proxies add?
  bool is_forwarded() const { return ends_.back() != ends_[static_cast<size_t>(Field::kForwarded) - 1]; }
  /// 0 in a request.
  uint16_t status() const { return status_; }
  /// The x of HTTP/1.x.
  uint8_t minor_version() const { return minor_version_; }

  MessageHead(const MessageHead&) = delete;
  MessageHead& operator=(const MessageHead&) = delete;
  ~MessageHead() override = default;
  static void operator delete(void* memory) { ::operator delete(memory); }

 private:
  MessageHead() = default;
  struct TextBytes {
    size_t count;
  };
  static void* operator new(size_t size, TextBytes text) { return ::operator new(size + text.count); }
  static void operator delete(void* memory, TextBytes /*text*/) { ::operator delete(memory); }
  char* text() { return reinterpret_cast<char*>(this + 1); }
  const char* text() const { return reinterpret_cast<const char*>(this + 1); }

  std::array<uint32_t, kFieldCount> ends_{};  // in the text; a field begins where the one before it ends
  uint16_t status_ = 0;
  uint8_t minor_version_ = 0;
};

}  // namespace clew::protocols::http1
