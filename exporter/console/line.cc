// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/line.h"

#include <fmt/core.h>

#include <algorithm>

namespace clew::exporter::console {
namespace {

constexpr int kStatus = 3;
constexpr int kDuration = 7;
constexpr int kSizes = 15;
constexpr int kTime = 12;
constexpr int kNarrow = 80;  // below it, no sizes

int service_width(const Style& style) { return std::clamp(style.width / 6, 8, 24); }

std::string sizes(const Summary& span) {
  if (!span.request_bytes && !span.response_bytes) return {};
  const auto text = [](const std::optional<uint64_t>& size) { return size ? bytes(*size) : std::string("-"); };
  return fmt::format("{} / {}", text(span.request_bytes), text(span.response_bytes));
}

/// A status that is no number (timeout, connection_reset) has no room in its column: it follows the title.
std::string remarks(const Summary& span) {
  std::string text;
  if (columns(span.status) > kStatus) text = span.status;
  if (!span.incomplete.empty()) text += fmt::format("{}({})", text.empty() ? "" : " ", span.incomplete);
  return text;
}

}  // namespace

std::string format_line(const Summary& span, const Style& style) {
  const bool unicode = style.unicode;
  const bool colours = style.colours;
  const bool with_sizes = style.width >= kNarrow;
  const int service = service_width(style);
  const std::string status = columns(span.status) > kStatus ? (unicode ? "✖" : "!") : span.status;
  std::string line = paint(clock_time(span.start_unix_ns), Colour::kDim, colours);
  line += "  " + paint(fit(span.service, service, unicode), Colour::kCyan, colours);
  line += fmt::format(" {} ", kind_sign(span.kind, unicode));
  line += paint(fit_right(status, kStatus, unicode), status_colour(span), colours);
  line += "  " + fit_right(duration(span.duration_ns(), unicode), kDuration, unicode);
  if (with_sizes) line += "  " + paint(fit_right(sizes(span), kSizes, unicode), Colour::kDim, colours);
  line += "  ";

  // What is left of the width goes to the title first, then to remarks, then to the peer.
  int room =
      style.cut_lines ? style.width - (kTime + 2 + service + 3 + kStatus + 2 + kDuration + (with_sizes ? 2 + kSizes : 0) + 2) : INT32_MAX;
  const auto add = [&](const std::string& text, Colour colour) {
    if (room < 4 || text.empty()) return;
    const std::string shown = cut(text, room, unicode);
    line += paint(shown, colour, colours);
    room -= columns(shown);
  };
  add(span.title, span.is_error ? Colour::kBoldRed : Colour::kBold);
  if (const std::string remark = remarks(span); !remark.empty()) add("  " + remark, span.is_error ? Colour::kRed : Colour::kYellow);
  const bool peer_is_said = !span.peer.empty() && span.title.find(span.peer) != std::string::npos;
  if (!span.peer.empty() && !peer_is_said) add("  " + span.peer, Colour::kDim);
  return line + "\n";
}

}  // namespace clew::exporter::console
