// SPDX-License-Identifier: Apache-2.0
// Finding text that JSON and protobuf do not allow: values come from the wire and may be any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace clew::exporter {

/// What stands for each byte that is not UTF-8: U+FFFD.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Length of the well-formed sequence at the start of `text` (RFC 3629: no overlong forms, no surrogates), 0 if there is none.
size_t utf8_sequence(std::string_view text);

bool is_utf8(std::string_view text);

/// Appends `text` with U+FFFD for what is not UTF-8.
void append_utf8(std::string_view text, std::string& out);

/// Eight bytes as one word, for looking at them at once.
inline uint64_t load_word(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}
inline constexpr uint64_t kEachByte = 0x0101010101010101;
inline constexpr uint64_t kHighBits = 0x8080808080808080;

}  // namespace clew::exporter
