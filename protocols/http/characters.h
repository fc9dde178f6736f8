// SPDX-License-Identifier: Apache-2.0
// The character classes of RFC 9110 §5.6 that the parser asks for.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace clew::protocols::http {

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

/// Are they equal but for the case of letters? `lower` is made of lower-case letters, digits and '-': of those only letters have the
/// bit 0x40, and a letter may differ by 0x20 only.
template <class Word>
bool equals_ignoring_case(const char* text, const char* lower) {
  Word a;
  Word b;
  std::memcpy(&a, text, sizeof a);
  std::memcpy(&b, lower, sizeof b);
  constexpr auto kLetters = static_cast<Word>(0x4040404040404040ULL);
  return ((a ^ b) & ~((b & kLetters) >> 1)) == 0;
}

/// The same with whole texts. The last word overlaps the one before.
inline bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  const auto in_words_of = [&]<class Word>(Word /*size*/) {
    const size_t last = text.size() - sizeof(Word);
    for (size_t i = 0; i < last; i += sizeof(Word))
      if (!equals_ignoring_case<Word>(text.data() + i, lower.data() + i)) return false;
    return equals_ignoring_case<Word>(text.data() + last, lower.data() + last);
  };
  if (text.size() >= sizeof(uint64_t)) return in_words_of(uint64_t{});
  if (text.size() >= sizeof(uint32_t)) return in_words_of(uint32_t{});
  return text.empty() || in_words_of(uint8_t{});
}

}  // namespace clew::protocols::http
