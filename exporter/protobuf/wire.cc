// SPDX-License-Identifier: Apache-2.0
#include "exporter/protobuf/wire.h"

namespace clew::exporter::protobuf {

std::optional<uint64_t> Decoder::varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> Decoder::take(uint64_t count) {
  if (count > rest_.size()) return std::nullopt;
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

std::optional<Field> Decoder::next() {
  if (rest_.empty() || !ok_) return std::nullopt;
  ok_ = false;
  const std::optional<uint64_t> tag = varint();
  if (!tag || *tag >> 3U == 0 || *tag >> 32U != 0) return std::nullopt;
  Field field{.number = static_cast<uint32_t>(*tag >> 3U), .type = static_cast<WireType>(*tag & 7U), .value = 0, .bytes = {}};
  std::optional<std::string_view> bytes;
  switch (field.type) {
    case WireType::kVarint: {
      const std::optional<uint64_t> value = varint();
      if (!value) return std::nullopt;
      field.value = *value;
      ok_ = true;
      return field;
    }
    case WireType::kFixed64: bytes = take(8); break;
    case WireType::kFixed32: bytes = take(4); break;
    case WireType::kLength:
      if (const std::optional<uint64_t> length = varint()) bytes = take(*length);
      break;
    default: return std::nullopt;  // groups are not in OTLP
  }
  if (!bytes) return std::nullopt;
  if (field.type == WireType::kLength)
    field.bytes = *bytes;
  else
    std::memcpy(&field.value, bytes->data(), bytes->size());
  ok_ = true;
  return field;
}

}  // namespace clew::exporter::protobuf
