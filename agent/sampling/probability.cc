// SPDX-License-Identifier: Apache-2.0
#include "agent/sampling/probability.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

namespace clew::sampling {
namespace {

constexpr size_t kDigits = 14;    // of 56 bits
constexpr int kPrecision = 4;     // digits of a threshold, and one more for each leading digit that says nothing
constexpr size_t kOtelMax = 256;  // the most that the member's value may have

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = std::min(text.find(separator), text.size());
    std::string_view part = text.substr(0, end);
    while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
    if (!part.empty()) parts.push_back(part);
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

// 1 to 14 lower-case digits; those left out at the end are zero.
std::optional<uint64_t> hexadecimal(std::string_view text) {
  if (text.empty() || text.size() > kDigits || std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'F'; })) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value << (4 * (kDigits - text.size()));
}

bool is_otel(std::string_view member) { return member.starts_with("ot="); }

}  // namespace

uint64_t threshold_of(double ratio) {
  if (!(ratio > 0)) return kNothing;
  if (ratio >= 1) return 0;
  const int digits = std::min<int>(kDigits, kPrecision + static_cast<int>(std::ceil(-std::log2(ratio) / 4)));
  const uint64_t exact = kNothing - static_cast<uint64_t>(std::llround(std::ldexp(ratio, 56)));
  const int cut = 4 * (static_cast<int>(kDigits) - digits);
  if (cut == 0) return std::min(exact, kNothing - 1);
  const uint64_t rounded = ((exact >> cut) + ((exact >> (cut - 1)) & 1)) << cut;
  return rounded < kNothing ? rounded : exact;
}

std::string to_text(uint64_t threshold) {
  std::string text = fmt::format("{:014x}", threshold);
  text.resize(std::max<size_t>(1, text.find_last_not_of('0') + 1));
  return text;
}

OtelState parse_otel_state(std::string_view trace_state) {
  OtelState state;
  for (const std::string_view member : split(trace_state, ',')) {
    if (!is_otel(member)) continue;
    for (const std::string_view pair : split(member.substr(3), ';')) {
      if (pair.starts_with("th:")) state.threshold = hexadecimal(pair.substr(3));
      if (pair.starts_with("rv:") && pair.size() == 3 + kDigits) state.random_value = hexadecimal(pair.substr(3));
    }
    break;
  }
  return state;
}

std::string with_threshold(std::string_view trace_state, std::optional<uint64_t> threshold) {
  std::string otel = threshold ? "th:" + to_text(*threshold) : std::string();
  std::string others;
  for (const std::string_view member : split(trace_state, ',')) {
    if (!is_otel(member)) {
      others.append(",").append(member);
      continue;
    }
    for (const std::string_view pair : split(member.substr(3), ';'))
      if (!pair.starts_with("th:") && otel.size() + pair.size() < kOtelMax) otel.append(otel.empty() ? "" : ";").append(pair);
  }
  if (otel.empty()) return others.empty() ? others : others.substr(1);
  return "ot=" + otel + others;
}

uint64_t randomness(const std::array<uint8_t, 16>& trace_id, const OtelState& state) {
  if (state.random_value) return *state.random_value;
  uint64_t value = 0;
  for (size_t i = 9; i < trace_id.size(); ++i) value = value << 8 | trace_id[i];
  return value;
}

}  // namespace clew::sampling
