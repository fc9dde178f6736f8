// SPDX-License-Identifier: Apache-2.0
// The atoms of JSON, written at a pointer: strings, numbers, hex ids.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace clew::exporter::json {

/// A string of n bytes takes at most that much, quotes included (each byte as \u00XX).
constexpr size_t string_bound(size_t n) { return 6 * n + 2; }

/// Copies `text` as it is, a short one without a call; returns the end.
inline char* put_plain(char* at, std::string_view text) {
  // Two copies of a fixed size that overlap.
  const auto put_ends = [&]<class Word>(Word word) {
    std::memcpy(&word, text.data() + text.size() - sizeof word, sizeof word);
    std::memcpy(at, text.data(), sizeof word);
    std::memcpy(at + text.size() - sizeof word, &word, sizeof word);
    return at + text.size();
  };
  if (text.size() > 32 || text.size() < 8) {
    std::memcpy(at, text.data(), text.size());
    return at + text.size();
  }
  return text.size() >= 16 ? put_ends(std::array<uint64_t, 2>()) : put_ends(uint64_t());
}

/// Writes `text` as a JSON string, with U+FFFD for what is not UTF-8; returns the end. Needs string_bound(size) bytes.
char* put_string(char* at, std::string_view text);

/// Room that a number takes, and may use also if it is shorter.
inline constexpr size_t kDecimalMax = 20;
char* put_decimal(char* at, int64_t value);            // kDecimalMax + 1 bytes
char* put_decimal_unsigned(char* at, uint64_t value);  // kDecimalMax bytes
/// As OTLP/JSON wants it: NaN and the infinities are strings. At most 32 bytes.
char* put_double(char* at, double value);
char* put_hex(char* at, const uint8_t* bytes, size_t count);  // 2 * count bytes; `count` is a multiple of 8, as that of ids is

}  // namespace clew::exporter::json
