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

#include "exporter/buffer.h"
#include "exporter/utf8.h"

namespace clew::exporter::protobuf {

static_assert(std::endian::native == std::endian::little, "fixed-width fields are copied as they are");

enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

/// Appends fields to a buffer. Fields are written also when they hold the default; the caller leaves those out.
class Encoder {
 public:
  explicit Encoder(Buffer& out) : out_(out) {}

  void varint(uint32_t field, uint64_t value) {
    char* at = put_tag(out_.reserve(2 * kVarintBytes), field, WireType::kVarint);
    out_.set_end(put_varint(at, value));
  }
  void fixed64(uint32_t field, uint64_t value) { fixed(field, WireType::kFixed64, value); }
  void fixed32(uint32_t field, uint32_t value) { fixed(field, WireType::kFixed32, value); }
  void number(uint32_t field, double value) { fixed(field, WireType::kFixed64, value); }
  void bytes(uint32_t field, std::string_view value) {
    char* at = put_tag(out_.reserve(2 * kVarintBytes + value.size()), field, WireType::kLength);
    at = put_varint(at, value.size());
    std::memcpy(at, value.data(), value.size());
    out_.set_end(at + value.size());
  }
  /// A string must be UTF-8: what is not becomes U+FFFD.
  void text(uint32_t field, std::string_view value) {
    if (is_utf8(value)) return bytes(field, value);
    std::string mended;
    append_utf8(value, mended);
    bytes(field, mended);
  }
  /// A message whose fields `body` writes. Its length is expected to take `length_bytes`; if it does not, the body is moved.
  template <class Body>
  void message(uint32_t field, size_t length_bytes, Body body) {
    char* at = put_tag(out_.reserve(2 * kVarintBytes), field, WireType::kLength);
    out_.set_end(at + length_bytes);
    const size_t body_at = out_.view().size();
    body();
    close(body_at, length_bytes);
  }

  Buffer& buffer() { return out_; }

 private:
  static constexpr size_t kVarintBytes = 10;

  static char* put_varint(char* at, uint64_t value) {
    for (; value >= 0x80; value >>= 7U) *at++ = static_cast<char>(value | 0x80U);
    *at++ = static_cast<char>(value);
    return at;
  }
  static char* put_tag(char* at, uint32_t field, WireType type) { return put_varint(at, field << 3U | static_cast<uint32_t>(type)); }
  template <class T>
  void fixed(uint32_t field, WireType type, T value) {
    char* at = put_tag(out_.reserve(kVarintBytes + sizeof(T)), field, type);
    std::memcpy(at, &value, sizeof(T));
    out_.set_end(at + sizeof(T));
  }
  void close(size_t body_at, size_t reserved) {
    const size_t size = out_.view().size() - body_at;
    char length[kVarintBytes];
    const auto needed = static_cast<size_t>(put_varint(length, size) - length);
    char* const body = out_.reserve(kVarintBytes) - size;
    char* const start = body - reserved;
    if (needed != reserved) std::memmove(start + needed, body, size);
    std::memcpy(start, length, needed);
    out_.set_end(start + needed + size);
  }

  Buffer& out_;
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
