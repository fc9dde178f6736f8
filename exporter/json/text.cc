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
bool has_special(uint32_t word) { return has_special(kEachByte << 37U | word); }

/// Sixteen bytes in a register of SSE2 or NEON. As signed numbers all that are not ASCII are below the controls.
using Bytes16 [[gnu::vector_size(16)]] = int8_t;
using Words16 [[gnu::vector_size(16)]] = int64_t;
bool has_special(Bytes16 bytes) {
  const auto special = (bytes < 0x20) | (bytes == '"') | (bytes == '\\');
  const auto words = reinterpret_cast<Words16>(special);
  return (words[0] | words[1]) != 0;
}

/// Copies as many bytes as a T has. False: there are special ones among them.
template <class T>
bool copy_plain(char* at, const char* from) {
  T bytes;
  std::memcpy(&bytes, from, sizeof bytes);
  std::memcpy(at, &bytes, sizeof bytes);
  return !has_special(bytes);
}

/// The same with a text of any length that is not shorter: the last copy overlaps the one before.
template <class T>
bool copy_plain(char* at, std::string_view text) {
  const size_t last = text.size() - sizeof(T);
  for (size_t i = 0; i < last; i += sizeof(T))
    if (!copy_plain<T>(at + i, text.data() + i)) return false;
  return copy_plain<T>(at + last, text.data() + last);
}

/// Eight bytes as sixteen digits.
void put_hex(char* at, const uint8_t* bytes) {
  int64_t word;
  std::memcpy(&word, bytes, sizeof word);
  auto both = reinterpret_cast<Bytes16>(Words16{word, 0});
  both = __builtin_shufflevector(both, both, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  constexpr Bytes16 kUpperHalf = {-1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0, -1, 0};  // comes first
  const auto upper = reinterpret_cast<Bytes16>(reinterpret_cast<Words16>(both) >> 4U) & kUpperHalf;
  const Bytes16 digits = (upper | (both & ~kUpperHalf)) & 0x0f;
  const Bytes16 text = digits + '0' + ((digits > 9) & ('a' - '0' - 10));
  std::memcpy(at, &text, sizeof text);
}

bool is_special(char c) { return static_cast<signed char>(c) < 0x20 || c == '"' || c == '\\'; }

/// Copies the text. False: there is something in it that must be escaped, or is not ASCII.
bool copy_plain(char* at, std::string_view text) {
  if (text.size() >= 16) return copy_plain<Bytes16>(at, text);
  if (text.size() >= 8) return copy_plain<uint64_t>(at, text);
  if (text.size() >= 4) return copy_plain<uint32_t>(at, text);
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_special(text[i])) return false;
    at[i] = text[i];
  }
  return true;
}

constexpr auto kDecimalPairs = [] {
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

char* put_pair(char* at, uint32_t value) {
  std::memcpy(at, &kDecimalPairs[size_t{2} * value], 2);
  return at + 2;
}
char* put_four(char* at, uint32_t value) { return put_pair(put_pair(at, value / 100), value % 100); }
char* put_eight(char* at, uint32_t value) { return put_four(put_four(at, value / 10000), value % 10000); }

/// Without zeros in front; at most two, four, eight digits.
char* put_up_to_two(char* at, uint32_t value) {
  if (value >= 10) return put_pair(at, value);
  *at = static_cast<char>('0' + value);
  return at + 1;
}
char* put_up_to_four(char* at, uint32_t value) {
  return value < 100 ? put_up_to_two(at, value) : put_pair(put_up_to_two(at, value / 100), value % 100);
}
char* put_up_to_eight(char* at, uint32_t value) {
  return value < 10000 ? put_up_to_four(at, value) : put_four(put_up_to_four(at, value / 10000), value % 10000);
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
  } else if (is_special(text[0])) {
    at = put_escaped(at, c);
  } else {
    *at++ = static_cast<char>(c);
  }
  text.remove_prefix(length);
  return at;
}

/// Text that is not plain all through.
char* put_mixed(char* at, std::string_view text) {
  while (text.size() >= 8) {
    if (!copy_plain<uint64_t>(at, text.data())) {
      at = put_character(at, text);
      continue;
    }
    at += 8;
    text.remove_prefix(8);
  }
  while (!text.empty()) at = put_character(at, text);
  return at;
}

}  // namespace

char* put_string(char* at, std::string_view text) {
  *at++ = '"';
  at = copy_plain(at, text) ? at + text.size() : put_mixed(at, text);
  *at++ = '"';
  return at;
}

char* put_decimal_unsigned(char* at, uint64_t value) {
  constexpr uint64_t kEightDigits = 100'000'000;
  if (value < kEightDigits) return put_up_to_eight(at, static_cast<uint32_t>(value));
  const uint64_t front = value / kEightDigits;
  if (front < kEightDigits) {
    at = put_up_to_eight(at, static_cast<uint32_t>(front));
  } else {
    at = put_up_to_eight(at, static_cast<uint32_t>(front / kEightDigits));
    at = put_eight(at, static_cast<uint32_t>(front % kEightDigits));
  }
  return put_eight(at, static_cast<uint32_t>(value % kEightDigits));
}

char* put_decimal(char* at, int64_t value) {
  if (value >= 0) return put_decimal_unsigned(at, static_cast<uint64_t>(value));
  *at++ = '-';
  return put_decimal_unsigned(at, -static_cast<uint64_t>(value));
}

char* put_double(char* at, double value) {
  if (std::isnan(value)) return put(at, "\"NaN\"");
  if (std::isinf(value)) return put(at, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  return std::to_chars(at, at + 32, value).ptr;
}

char* put_hex(char* at, const uint8_t* bytes, size_t count) {
  for (size_t i = 0; i < count; i += 8) put_hex(at + 2 * i, bytes + i);
  return at + 2 * count;
}

}  // namespace clew::exporter::json
