// SPDX-License-Identifier: Apache-2.0
// What is kept of a message's head, of any version of HTTP: the header fields that describe() asks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocols/http/rpc.h"
#include "protocols/message.h"

namespace clew::protocols::http {

/// Text that is kept. To keep one more header field, add it here, to kOwnFields in http1/head_scan.cc and to http2/fields.cc. What
/// proxies add comes last.
enum class Field : uint8_t {
  kMethod,
  kTarget,
  kHost,
  kScheme,  // HTTP/2 only
  kUserAgent,
  kTimeout,  // of a call: grpc-timeout, connect-timeout-ms
  kForwarded,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedProto
};
inline constexpr size_t kFieldCount = 10;
using Fields = std::array<std::string_view, kFieldCount>;

/// 0…9: HTTP/1.x.
inline constexpr uint8_t kHttp2 = 20;

/// A head in its parts, as a parser finds it.
struct HeadParts {
  Fields fields{};
  uint16_t status = 0;  // of a response
  uint8_t version = 1;
  Rpc rpc = Rpc::kNone;
  int8_t rpc_status = kNoRpcStatus;  // of a response or its trailers
  bool is_partial = false;           // fields were sent in a form that only those know who have seen the connection's beginning
  bool operator==(const HeadParts&) const = default;
};

/// Object and text lie in one allocation: a head is made for every message, and two per exchange.
class MessageHead final : public Head {
 public:
  /// Of a head's text; both parsers stay below it. What is beyond is left out.
  static constexpr size_t kTextMax = UINT16_MAX;

  static HeadPointer make(const HeadParts& parts);

  /// Empty: the head did not have it. Of a field that came several times it is the first.
  std::string_view operator[](Field field) const {
    const auto index = static_cast<size_t>(field);
    const uint16_t begin = index == 0 ? 0 : ends_[index - 1];
    return {text() + begin, static_cast<size_t>(ends_[index] - begin)};
  }
  /// Has it one of the fields that proxies add?
  bool is_forwarded() const { return ends_.back() != ends_[static_cast<size_t>(Field::kForwarded) - 1]; }
  /// 0 in a request.
  uint16_t status() const { return status_; }
  uint8_t version() const { return version_; }
  Rpc rpc() const { return rpc_; }
  int8_t rpc_status() const { return rpc_status_; }
  bool is_partial() const { return is_partial_; }
  size_t memory_bytes() const override { return sizeof *this + ends_.back(); }
  /// As views into this object.
  HeadParts parts() const;

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

  std::array<uint16_t, kFieldCount> ends_{};  // in the text; a field begins where the one before it ends
  uint16_t status_ = 0;
  uint8_t version_ = 1;
  Rpc rpc_ = Rpc::kNone;
  int8_t rpc_status_ = kNoRpcStatus;
  bool is_partial_ = false;
};

/// Both kinds of HTTP make heads of this kind only.
inline const MessageHead* as_message(const Head* head) { return static_cast<const MessageHead*>(head); }

}  // namespace clew::protocols::http
