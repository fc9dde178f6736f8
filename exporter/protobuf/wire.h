// SPDX-License-Identifier: Apache-2.0
// Protocol Buffers' wire format: just what OTLP needs, written in one pass and read without copies.
// Source: protobuf.dev/programming-guides/encoding.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/utf8.h"

namespace clew::exporter::protobuf {

static_assert(std::endian::native == std::endian::little, "fixed-width fields are copied as they are");

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

/// Appends fields to a text. Fields are written also when they hold the default; the caller leaves those out.
class Encoder {
 public:
  explicit Encoder(std::string& out) : out_(out) {}

  void varint(uint32_t field, uint64_t value) {
    tag(field, WireType::kVarint);
    raw_varint(value);
  }
  void fixed64(uint32_t field, uint64_t value) { fixed(field, WireType::kFixed64, value); }
  void fixed32(uint32_t field, uint32_t value) { fixed(field, WireType::kFixed32, value); }
  void number(uint32_t field, double value) { fixed(field, WireType::kFixed64, value); }
  void bytes(uint32_t field, std::string_view value) {
    tag(field, WireType::kLength);
    raw_varint(value.size());
    out_.append(value);
  }
  /// A string must be UTF-8: what is not becomes U+FFFD.
  void text(uint32_t field, std::string_view value) {
    if (is_utf8(value)) return bytes(field, value);
    message(field, 1, [&] { append_utf8(value, out_); });
  }
  /// A message whose fields `body` writes. Its length is expected to take `length_bytes`; if it does not, the body is moved.
  template <class Body>
  void message(uint32_t field, size_t length_bytes, Body body) {
    tag(field, WireType::kLength);
    const size_t length_at = out_.size();
    out_.append(length_bytes, '\0');
    body();
    close(length_at, length_bytes);
  }

 private:
  void tag(uint32_t field, WireType type) { raw_varint(field << 3U | static_cast<uint32_t>(type)); }
  void raw_varint(uint64_t value) {
    char buffer[10];
    out_.append(buffer, put_varint(buffer, value));
  }
  static size_t put_varint(char* at, uint64_t value) {
    size_t count = 0;
    for (; value >= 0x80; value >>= 7U) at[count++] = static_cast<char>(value | 0x80U);
    at[count++] = static_cast<char>(value);
    return count;
  }
  template <class T>
  void fixed(uint32_t field, WireType type, T value) {
    tag(field, type);
    char buffer[sizeof(T)];
    std::memcpy(buffer, &value, sizeof(T));
    out_.append(buffer, sizeof(T));
  }
  void close(size_t length_at, size_t reserved) {
    char buffer[10];
    const size_t needed = put_varint(buffer, out_.size() - length_at - reserved);
    out_.replace(length_at, reserved, buffer, needed);
  }

  std::string& out_;
};

/// One field as it lies in the bytes; `bytes` for kLength, else `number`.
struct Field {
  uint32_t number = 0;
  WireType type = WireType::kVarint;
  uint64_t value = 0;
  std::string_view bytes;
};

/// Reads fields one after the other.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}
  /// The next field; nothing at the end or where the bytes break off (then ok() is false).
  std::optional<Field> next();
  bool ok() const { return ok_; }

 private:
  std::optional<uint64_t> varint();
  std::optional<std::string_view> take(uint64_t count);

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace clew::exporter::protobuf
