// SPDX-License-Identifier: Apache-2.0
// The character classes of RFC 9110 §5.6 that the parser asks for.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace clew::protocols::http1 {

inline constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline constexpr bool is_alpha(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
inline constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline constexpr std::array<bool, 256> kTokenBytes = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) table[c] = is_digit(static_cast<char>(c)) || is_alpha(static_cast<char>(c));
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<uint8_t>(c)] = true;
  return table;
}();
inline constexpr bool is_token_byte(char c) { return kTokenBytes[static_cast<uint8_t>(c)]; }

/// Printable ASCII or a byte of something later (UTF-8), which servers take although RFC 3986 has it escaped.
inline constexpr bool is_target_byte(char c) { return static_cast<uint8_t>(c) > 0x20 && c != 0x7f; }

/// White space as it stands around values; CR and LF are part of it where a value was folded over lines.
inline constexpr bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

inline constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// ASCII only; `lower` is in lower case already.
inline constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i)
    if (to_lower(text[i]) != lower[i]) return false;
  return true;
}

}  // namespace clew::protocols::http1
