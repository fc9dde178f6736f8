// SPDX-License-Identifier: Apache-2.0
#include "exporter/json/text.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "exporter/utf8.h"

namespace clew::exporter::json {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

constexpr auto kHexPairs = [] {
  std::array<char, 512> pairs{};
  for (size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = kHexDigits[i >> 4];
    pairs[2 * i + 1] = kHexDigits[i & 15];
  }
  return pairs;
}();

/// Is one of the eight bytes a control, a quote, a backslash or not ASCII? May say yes wrongly, never no: each test borrows only
/// upwards from a byte that is special itself.
bool has_special(uint64_t word) {
  const uint64_t controls = word - kEachByte * 0x20;
  const uint64_t quotes = (word ^ (kEachByte * '"')) - kEachByte;
  const uint64_t backslashes = (word ^ (kEachByte * '\\')) - kEachByte;
  return ((controls | quotes | backslashes | word) & kHighBits) != 0;
}

char* put(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_escaped(char* at, unsigned char c) {
  switch (c) {
    case '"': return put(at, "\\\"");
    case '\\': return put(at, "\\\\");
    case '\n': return put(at, "\\n");
    case '\r': return put(at, "\\r");
    case '\t': return put(at, "\\t");
    default: at = put(at, "\\u00"); return put(at, {&kHexPairs[size_t{2} * c], 2});
  }
}

/// One character that is special or one plain byte; advances `text`.
char* put_character(char* at, std::string_view& text) {
  const auto c = static_cast<unsigned char>(text[0]);
  size_t length = 1;
  if (c >= 0x80) {
    length = utf8_sequence(text);
    at = put(at, length == 0 ? kReplacement : text.substr(0, length));
    length += length == 0;
  } else if (c < 0x20 || c == '"' || c == '\\') {
    at = put_escaped(at, c);
  } else {
    *at++ = static_cast<char>(c);
  }
  text.remove_prefix(length);
  return at;
}

}  // namespace

char* put_string(char* at, std::string_view text) {
  *at++ = '"';
  while (text.size() >= 8) {
    const uint64_t word = load_word(text.data());
    if (has_special(word)) {
      at = put_character(at, text);
      continue;
    }
    std::memcpy(at, &word, 8);
    at += 8;
    text.remove_prefix(8);
  }
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\') {
      at = put_character(at, text);
      continue;
    }
    *at++ = text[0];
    text.remove_prefix(1);
  }
  *at++ = '"';
  return at;
}

char* put_decimal(char* at, int64_t value) { return std::to_chars(at, at + 20, value).ptr; }
char* put_decimal_unsigned(char* at, uint64_t value) { return std::to_chars(at, at + 20, value).ptr; }

char* put_double(char* at, double value) {
  if (std::isnan(value)) return put(at, "\"NaN\"");
  if (std::isinf(value)) return put(at, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  return std::to_chars(at, at + 32, value).ptr;
}

char* put_hex(char* at, const uint8_t* bytes, size_t count) {
  for (size_t i = 0; i < count; ++i, at += 2) std::memcpy(at, &kHexPairs[size_t{2} * bytes[i]], 2);
  return at;
}

}  // namespace clew::exporter::json
