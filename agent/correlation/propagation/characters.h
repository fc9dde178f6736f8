// SPDX-License-Identifier: Apache-2.0
// Characters of trace context headers: spaces, letter case, hexadecimal ids.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "agent/correlation/propagation/context.h"

namespace clew::correlation::propagation {

constexpr bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// `lower` is in lower case.
constexpr bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) { return to_lower(a) == b; });
}

/// Without the optional white space of RFC 9110 §5.6.3 (space, tab) at both ends.
constexpr std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpaces = " \t";
  const size_t begin = text.find_first_not_of(kSpaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpaces) - begin + 1);
}

/// Takes what stands before the separator (or all) off `rest`. A `rest` that has run out has data() == nullptr.
constexpr std::string_view take_until(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view part = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return part;
}

enum class Case : uint8_t { kLowerOnly, kAny };

constexpr uint8_t kNoHexDigit = 0x80;
constexpr uint8_t kUpperHexDigit = 0x10;

/// Of each character: the value of the hexadecimal digit, with kUpperHexDigit for A to F; kNoHexDigit.
constexpr std::array<uint8_t, 256> kHexDigits = [] {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoHexDigit);
  for (uint8_t value = 0; value < 10; ++value) digits[static_cast<uint8_t>('0' + value)] = value;
  for (uint8_t value = 10; value < 16; ++value) {
    digits[static_cast<uint8_t>('a' + value - 10)] = value;
    digits[static_cast<uint8_t>('A' + value - 10)] = value | kUpperHexDigit;
  }
  return digits;
}();

/// The reason why `text` is no hexadecimal number, or nothing. Upper case is the only reason kUpperCase is given for.
constexpr std::optional<Reason> why_not_hex(std::string_view text, Case letters) {
  uint8_t all = 0;
  for (const char c : text) all |= kHexDigits[static_cast<uint8_t>(c)];
  if ((all & kNoHexDigit) != 0) return Reason::kBadCharacter;
  if (letters == Case::kLowerOnly && (all & kUpperHexDigit) != 0) return Reason::kUpperCase;
  return std::nullopt;
}

/// Of a hexadecimal digit in either case.
constexpr uint8_t hex_value(char c) { return kHexDigits[static_cast<uint8_t>(c)] & 15U; }

/// Hexadecimal digits, at most two for each byte, right-aligned in `out`; what is in front becomes zero.
constexpr void decode_hex(std::string_view digits, std::span<uint8_t> out) {
  std::fill(out.begin(), out.end(), uint8_t{0});
  size_t at = 2 * out.size() - digits.size();
  for (const char digit : digits) {
    uint8_t& byte = out[at++ / 2];
    byte = static_cast<uint8_t>(byte << 4U | hex_value(digit));
  }
}

template <size_t N>
constexpr bool is_zero(const std::array<uint8_t, N>& id) {
  return id == std::array<uint8_t, N>{};
}

/// Reads an id of any length up to its full one; zero is not refused.
template <size_t N>
constexpr std::optional<Reason> read_id(std::string_view digits, Case letters, std::array<uint8_t, N>& id) {
  if (digits.empty() || digits.size() > 2 * N) return Reason::kWrongLength;
  if (const auto reason = why_not_hex(digits, letters)) return reason;
  decode_hex(digits, id);
  return std::nullopt;
}

/// An id that is all zeros is none, in every format.
constexpr std::optional<Reason> why_zero(const RemoteContext& context) {
  if (is_zero(context.trace_id)) return Reason::kZeroTraceId;
  if (is_zero(context.span_id)) return Reason::kZeroSpanId;
  return std::nullopt;
}

}  // namespace clew::correlation::propagation
