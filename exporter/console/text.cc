// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/text.h"

#include <fmt/core.h>

#include <ctime>

#include "exporter/utf8.h"

namespace clew::exporter::console {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::string_view first_columns(std::string_view text, int width) {
  size_t end = 0;
  for (int seen = 0; end < text.size(); ++end)
    if (!is_continuation(text[end]) && seen++ == width) break;
  return text.substr(0, end);
}

std::string spaces(int count) { return count > 0 ? std::string(static_cast<size_t>(count), ' ') : std::string(); }

std::string_view escape(Colour colour) {
  switch (colour) {
    case Colour::kNone: return "";
    case Colour::kRed: return "\x1b[31m";
    case Colour::kGreen: return "\x1b[32m";
    case Colour::kYellow: return "\x1b[33m";
    case Colour::kBlue: return "\x1b[34m";
    case Colour::kMagenta: return "\x1b[35m";
    case Colour::kCyan: return "\x1b[36m";
    case Colour::kDim: return "\x1b[2m";
    case Colour::kBold: return "\x1b[1m";
    case Colour::kBoldRed: return "\x1b[1;31m";
  }
  return "";
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    const size_t length = utf8_sequence(text);
    // U+0080 to U+009F are controls too: some terminals obey them.
    const bool control = c < 0x20 || c == 0x7F || (c == 0xC2 && length == 2 && static_cast<unsigned char>(text[1]) < 0xA0);
    if (length == 0 || control)
      out += '?';
    else
      out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

int columns(std::string_view text) {
  int count = 0;
  for (char c : text) count += is_continuation(c) ? 0 : 1;
  return count;
}

std::string cut(std::string_view text, int width, bool unicode) {
  if (columns(text) <= width) return std::string(text);
  if (width <= 0) return {};
  return std::string(first_columns(text, width - 1)) + (unicode ? "…" : "~");
}

std::string fit(std::string_view text, int width, bool unicode) {
  std::string out = cut(text, width, unicode);
  return out + spaces(width - columns(out));
}

std::string fit_right(std::string_view text, int width, bool unicode) {
  const std::string out = cut(text, width, unicode);
  return spaces(width - columns(out)) + out;
}

std::string duration(uint64_t ns, bool unicode) {
  const auto three_digits = [](double value, std::string_view unit) {
    return fmt::format("{:.{}f} {}", value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, unit);
  };
  const auto value = static_cast<double>(ns);
  if (ns < 1000) return fmt::format("{} ns", ns);
  if (value < 999.5e3) return three_digits(value / 1e3, unicode ? "µs" : "us");
  if (value < 999.5e6) return three_digits(value / 1e6, "ms");
  if (value < 59.95e9) return three_digits(value / 1e9, "s");
  const uint64_t seconds = (ns + 500'000'000) / 1'000'000'000;
  return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
}

std::string bytes(uint64_t count) {
  if (count < 1000) return fmt::format("{} B", count);
  auto value = static_cast<double>(count) / 1000;
  const char* unit = "KMGTPE";
  while (value >= 999.5 && unit[1] != '\0') {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.{}f} {}B", value, value < 9.95 ? 1 : 0, *unit);
}

std::string clock_time(uint64_t unix_ns) {
  const auto seconds = static_cast<time_t>(unix_ns / 1'000'000'000);
  tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec, unix_ns / 1'000'000 % 1000);
}

std::string paint(std::string_view text, Colour colour, bool enabled) {
  if (!enabled || colour == Colour::kNone || text.empty()) return std::string(text);
  return fmt::format("{}{}\x1b[0m", escape(colour), text);
}

}  // namespace clew::exporter::console
