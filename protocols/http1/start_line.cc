// SPDX-License-Identifier: Apache-2.0
// Request lines and status lines, whole and in part.
#include "protocols/http1/start_line.h"

#include <algorithm>
#include <cstring>

#include "protocols/http/characters.h"

namespace clew::protocols::http1 {

using http::is_alpha;
using http::is_digit;
using http::is_target_byte;
using http::is_token_byte;

namespace {

constexpr std::string_view kVersionPrefix = "HTTP/1.";
constexpr std::string_view kSpacedVersionPrefix = " HTTP/1.";
constexpr size_t kVersionLength = 8;

uint64_t load_word(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// Eight bytes at once. May say no wrongly: borrows can mark a byte too many.
bool are_target_bytes(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101ULL;
  constexpr uint64_t kHighs = 0x8080808080808080ULL;
  const uint64_t low = (word - kOnes * 0x21) & ~word;                             // a byte below 0x21
  const uint64_t del = ((word ^ kOnes * 0x7f) - kOnes) & ~(word ^ kOnes * 0x7f);  // a byte 0x7f
  return ((low | del) & kHighs) == 0;
}

bool all_target_bytes(std::string_view text) {
  if (text.size() >= 8) {
    const size_t last = text.size() - 8;  // overlaps the word before
    size_t i = 0;
    while (i < last && are_target_bytes(load_word(text.data() + i))) i += 8;
    if (i >= last && are_target_bytes(load_word(text.data() + last))) return true;
  }
  return std::all_of(text.begin(), text.end(), is_target_byte);
}

/// Origin form, asterisk, or the beginning of a scheme, host name or address.
bool may_begin_target(char c) { return c == '/' || c == '*' || c == '[' || is_alpha(c) || is_digit(c); }

size_t method_length(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && n <= kMethodLengthMax && is_token_byte(text[n])) ++n;
  return n;
}

bool parse_request_line(std::string_view line, StartLine& out) {
  if (line.size() < sizeof "A / HTTP/1.1" - 1) return false;
  const char* const version = line.data() + line.size() - kVersionLength - 1;
  if (load_word(version) != load_word(kSpacedVersionPrefix.data()) || !is_digit(line.back())) return false;
  const size_t method = method_length(line);
  if (method == 0 || method > kMethodLengthMax || line[method] != ' ') return false;
  const size_t target_end = line.size() - kVersionLength - 1;
  if (target_end <= method + 1) return false;
  const std::string_view target = line.substr(method + 1, target_end - method - 1);
  if (!may_begin_target(target.front()) || !all_target_bytes(target)) return false;
  out.method = line.substr(0, method);
  out.target = target;
  out.minor_version = static_cast<uint8_t>(line.back() - '0');
  return true;
}

bool parse_status_line(std::string_view line, StartLine& out) {
  if (line.size() < sizeof "HTTP/1.1 200" - 1 || !line.starts_with(kVersionPrefix)) return false;
  if (!is_digit(line[7]) || line[8] != ' ') return false;
  if (line[9] < '1' || line[9] > '9' || !is_digit(line[10]) || !is_digit(line[11])) return false;
  if (line.size() > 12 && (line[12] != ' ' || line.find('\r', 12) != std::string_view::npos)) return false;
  out.minor_version = static_cast<uint8_t>(line[7] - '0');
  out.status = static_cast<uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  return true;
}

/// Does `text` agree with `pattern` as far as both go? In the pattern '0' stands for any digit and '1' for 1 to 9.
bool agrees(std::string_view text, std::string_view pattern) {
  for (size_t i = 0; i < text.size() && i < pattern.size(); ++i) {
    const char p = pattern[i];
    const bool fits = p == '0' ? is_digit(text[i]) : text[i] == p;
    if (!fits) return false;
  }
  return true;
}

bool may_become_status_line(std::string_view text) {
  if (!agrees(text.substr(0, 7), kVersionPrefix)) return false;
  if (text.size() > 7 && !agrees(text.substr(7), "0 000")) return false;
  if (text.size() > 9 && text[9] == '0') return false;
  return text.size() <= 12 || text[12] == ' ' || (text[12] == '\r' && text.size() == 13);
}

bool may_become_request_line(std::string_view text) {
  const size_t method = method_length(text);
  if (method > kMethodLengthMax) return false;
  if (method == text.size()) return true;
  if (method == 0 || text[method] != ' ') return false;
  text.remove_prefix(method + 1);
  if (text.empty()) return true;
  if (!may_begin_target(text.front())) return false;
  const size_t target = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_target_byte) - text.begin());
  if (target == text.size()) return true;
  if (text[target] != ' ') return false;
  text.remove_prefix(target + 1);
  if (!agrees(text.substr(0, kVersionPrefix.size()), kVersionPrefix)) return false;
  if (text.size() <= kVersionPrefix.size()) return true;
  return is_digit(text[7]) && (text.size() == kVersionLength || text.substr(kVersionLength) == "\r");
}

}  // namespace

bool parse_start_line(Sender sender, std::string_view line, StartLine& out) {
  return sender == Sender::kClient ? parse_request_line(line, out) : parse_status_line(line, out);
}

bool may_become_start_line(Sender sender, std::string_view beginning) {
  return sender == Sender::kClient ? may_become_request_line(beginning) : may_become_status_line(beginning);
}

}  // namespace clew::protocols::http1
