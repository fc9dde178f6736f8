// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ratio>

#include "agent/cli/edit_distance.h"

namespace clew::cli {
namespace {

constexpr uint64_t kPortMax = 65535;

struct Unit {
  std::string_view name;
  int64_t ns;
};
constexpr std::array kUnits = {Unit{"ms", 1'000'000},        Unit{"us", 1'000},         Unit{"ns", 1},
                               Unit{"s", 1'000'000'000},     Unit{"m", 60'000'000'000}, Unit{"h", 3'600'000'000'000},
                               Unit{"d", 86'400'000'000'000}};
constexpr int64_t kDurationNsMax = 3650 * 86'400'000'000'000;  // ten years; also keeps the arithmetic below free of overflow

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_digit); }

/// Takes "90" or "1.5" off the front; nothing is taken when there is no number.
std::string_view take_number(std::string_view& text) {
  size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length > 0 && length + 1 < text.size() && text[length] == '.' && is_digit(text[length + 1])) {
    ++length;
    while (length < text.size() && is_digit(text[length])) ++length;
  }
  const std::string_view number = text.substr(0, length);
  text.remove_prefix(length);
  return number;
}

/// Takes the letters off the front: the unit.
std::string_view take_unit(std::string_view& text) {
  size_t length = 0;
  while (length < text.size() && !is_digit(text[length])) ++length;
  const std::string_view unit = text.substr(0, length);
  text.remove_prefix(length);
  return unit;
}

base::Result<PortRange> parse_port_range(std::string_view text) {
  const size_t dash = text.find('-');
  const std::string_view first_text = text.substr(0, dash);
  CLEW_TRY(const uint64_t first, parse_number(first_text, 1, kPortMax, "a port"));
  if (dash == std::string_view::npos) return PortRange{static_cast<uint16_t>(first), static_cast<uint16_t>(first)};
  CLEW_TRY(const uint64_t last, parse_number(text.substr(dash + 1), 1, kPortMax, "a port"));
  if (last < first) return base::fail(fmt::format("{} ends before it begins; did you mean {}-{}?", text, last, first));
  return PortRange{static_cast<uint16_t>(first), static_cast<uint16_t>(last)};
}

}  // namespace

base::Result<uint64_t> parse_number(std::string_view text, uint64_t min, uint64_t max, std::string_view what) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = all_digits(text) && error == std::errc{} && end == text.data() + text.size();
  if (whole && value >= min && value <= max) return value;
  if (max == UINT64_MAX) return base::fail(fmt::format("{} is a whole number from {}", what, min));
  return base::fail(fmt::format("{} is a whole number from {} to {}", what, min, max));
}

base::Result<std::vector<std::string_view>> parse_list(std::string_view text) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    if (end == begin) return base::fail("there is nothing before or after a comma");
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

base::Result<std::vector<PortRange>> parse_ports(std::string_view text) {
  std::vector<PortRange> ports;
  CLEW_TRY(const std::vector<std::string_view> parts, parse_list(text));
  for (std::string_view part : parts) {
    CLEW_TRY(const PortRange range, parse_port_range(part));
    ports.push_back(range);
  }
  return ports;
}

base::Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  constexpr std::string_view kForm = "a duration is a number and a unit: 500ms, 30s, 5m, 1h30m";
  if (all_digits(text)) return base::fail(fmt::format("the unit is missing; did you mean {}s?", text));
  int64_t total_ns = 0;
  std::string_view rest = text;
  do {
    const std::string_view number = take_number(rest);
    const std::string_view unit_name = take_unit(rest);
    const auto* unit = std::ranges::find(kUnits, unit_name, &Unit::name);
    if (number.empty() || unit == kUnits.end()) return base::fail(std::string(kForm));
    double value = 0;
    std::from_chars(number.data(), number.data() + number.size(), value);
    const double ns = value * static_cast<double>(unit->ns);
    if (ns > static_cast<double>(kDurationNsMax - total_ns)) return base::fail("that is more than ten years");
    total_ns += static_cast<int64_t>(ns + 0.5);
  } while (!rest.empty());
  if (total_ns <= 0) return base::fail("a duration must be greater than zero");
  return std::chrono::nanoseconds(total_ns);
}

base::Result<size_t> parse_choice(std::string_view text, std::span<const std::string_view> names) {
  const auto found = std::ranges::find(names, text);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  const std::string_view near = nearest(text, names);
  std::string list;
  for (size_t i = 0; i < names.size(); ++i) list.append(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ").append(names[i]);
  if (near.empty()) return base::fail(fmt::format("it must be {}", list));
  return base::fail(fmt::format("did you mean {}? It must be {}", near, list));
}

base::Result<std::string> parse_url(std::string_view text) {
  const size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return base::fail(fmt::format("a URL begins with its scheme; did you mean http://{}?", text));
  constexpr std::array<std::string_view, 2> kSchemes = {"http", "https"};
  const std::string_view scheme = text.substr(0, scheme_end);
  if (std::ranges::find(kSchemes, scheme) == kSchemes.end()) {
    const std::string_view near = scheme == "grpc" ? "http" : nearest(scheme, kSchemes);
    return base::fail(
        fmt::format("a URL begins with http:// or https://; did you mean {}{}?", near.empty() ? "http" : near, text.substr(scheme_end)));
  }
  const std::string_view host = text.substr(scheme_end + 3);
  if (host.empty() || host.starts_with('/') || host.starts_with(':')) return base::fail("the host is missing: http://HOST:4317");
  const std::string_view host_port = host.substr(0, host.find_first_of("/?#"));
  const size_t colon = host_port.rfind(':');
  if (colon != std::string_view::npos && host_port.find(']', colon) == std::string_view::npos) {  // not one within [::1]
    CLEW_TRY([[maybe_unused]] const uint64_t port, parse_number(host_port.substr(colon + 1), 1, kPortMax, "a port"));
  }
  return std::string(text);
}

base::Result<std::string> parse_exe_glob(std::string_view text) {
  if (text.empty()) return base::fail("an empty pattern matches nothing; nginx matches by name, /usr/sbin/* by path");
  return std::string(text);
}

base::Result<std::string> parse_container(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) text.remove_prefix(scheme + 3);
  const bool is_hex = std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  if (!text.empty() && is_hex && text.size() <= 64) return std::string(text);
  return base::fail("a container id is hexadecimal (a beginning of it is enough); `docker ps` and `crictl ps` show it");
}

}  // namespace clew::cli
