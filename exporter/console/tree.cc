// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

namespace clew::exporter::console {
namespace {

constexpr size_t kMaxDepth = 24;  // an indent of two columns each
constexpr int kTime = 12;
constexpr int kStatus = 3;
constexpr int kDuration = 7;
constexpr Colour kServiceColours[] = {Colour::kCyan, Colour::kMagenta, Colour::kBlue, Colour::kGreen, Colour::kYellow};

struct Row {
  const Summary* span;
  std::string indent;  // the branches in front
  bool orphan;         // its parent was not seen
};

/// Puts the spans of a trace in the order in which they are drawn.
class Layout {
 public:
  Layout(const Trace& trace, bool unicode) : trace_(trace), unicode_(unicode), placed_(trace.size(), false) {
    for (const Summary& span : trace) {
      by_id_.emplace(span.span_id, &span);
      children_[span.parent_span_id].push_back(&span);
    }
    for (auto& [parent, children] : children_) sort(children);
  }

  std::vector<Row> rows() {
    std::vector<const Summary*> tops;
    for (const Summary& span : trace_)
      if (is_root(span) || !by_id_.contains(span.parent_span_id)) tops.push_back(&span);
    sort(tops);
    for (const Summary* top : tops) place(*top, "", "", !is_root(*top));
    // What is left are circles of parents, which bad input can make.
    for (const Summary& span : trace_) place(span, "", "", true);
    return std::move(rows_);
  }

 private:
  static bool is_root(const Summary& span) { return span.parent_span_id == SpanId{}; }
  static void sort(std::vector<const Summary*>& spans) {
    std::ranges::stable_sort(spans, {}, [](const Summary* span) { return span->start_unix_ns; });
  }

  void place(const Summary& span, const std::string& indent, const std::string& below, bool orphan) {
    const auto index = static_cast<size_t>(&span - trace_.data());
    if (placed_[index]) return;
    placed_[index] = true;
    rows_.push_back({&span, indent, orphan});
    const auto found = is_root(span) && span.span_id == SpanId{} ? children_.end() : children_.find(span.span_id);
    if (found == children_.end()) return;
    const bool deep = columns(below) >= static_cast<int>(2 * kMaxDepth);
    for (const Summary* child : found->second) {
      const bool last = child == found->second.back();
      const std::string branch = last ? (unicode_ ? "└ " : "` ") : (unicode_ ? "├ " : "|-");
      const std::string trunk = last ? "  " : (unicode_ ? "│ " : "| ");
      place(*child, deep ? indent : below + branch, deep ? below : below + trunk, false);
    }
  }

  const Trace& trace_;
  const bool unicode_;
  std::map<SpanId, const Summary*> by_id_;
  std::map<SpanId, std::vector<const Summary*>> children_;
  std::vector<bool> placed_;
  std::vector<Row> rows_;
};

struct Scale {
  uint64_t start = UINT64_MAX;
  uint64_t end = 0;
  int columns = 0;

  /// Columns for so much time.
  double of(uint64_t ns) const { return end > start ? static_cast<double>(ns) / static_cast<double>(end - start) * columns : 0; }
};

/// A colour for each service, in order of appearance.
std::map<std::string, Colour> service_colours(const std::vector<Row>& rows) {
  std::map<std::string, Colour> colours;
  for (const Row& row : rows) colours.try_emplace(row.span->service, kServiceColours[colours.size() % std::size(kServiceColours)]);
  return colours;
}

std::string bar(const Summary& span, const Scale& scale, bool unicode) {
  const int from = std::clamp(static_cast<int>(scale.of(span.start_unix_ns - scale.start)), 0, scale.columns - 1);
  const int length = std::clamp(static_cast<int>(scale.of(span.duration_ns()) + 0.5), 1, scale.columns - from);
  std::string text(static_cast<size_t>(from), ' ');
  for (int i = 0; i < length; ++i) text += unicode ? "━" : "=";
  return text;
}

std::string hex(const TraceId& id) {
  std::string text;
  for (uint8_t byte : id) text += fmt::format("{:02x}", byte);
  return text;
}

/// Stands above the rows of a trace of several spans.
std::string heading(const Trace& trace, size_t services, const Style& style) {
  const std::string text =
      fmt::format("trace {}  {} spans  {} {}", hex(trace.front().trace_id), trace.size(), services, services == 1 ? "service" : "services");
  return paint(cut(text, style.width, style.unicode), Colour::kDim, style.colours) + "\n";
}

/// "└ → cart GET /items", in `width` columns.
std::string label(const Row& row, Colour service_colour, int width, const Style& style) {
  const Summary& span = *row.span;
  const bool unicode = style.unicode;
  const std::string head = fmt::format("{}{}{} ", row.indent, row.orphan ? (unicode ? "┄ " : "~ ") : "", kind_sign(span.kind, unicode));
  const std::string service = cut(span.service, std::max(8, width / 3), unicode);
  std::string title = span.title;
  if (columns(span.status) > kStatus) title += fmt::format(" ({})", span.status);
  if (!span.incomplete.empty()) title += fmt::format(" ({})", span.incomplete);
  const int room = width - columns(head) - columns(service) - 1;
  const Colour title_colour = span.is_error ? Colour::kBoldRed : row.indent.empty() ? Colour::kBold : Colour::kNone;
  return paint(head, Colour::kDim, style.colours) + paint(service, service_colour, style.colours) + " " +
         paint(fit(title, std::max(room, 0), unicode), title_colour, style.colours);
}

std::string format_row(const Row& row, bool first, Colour colour, const Scale& scale, int label_width, const Style& style) {
  const Summary& span = *row.span;
  const bool unicode = style.unicode;
  const std::string status = columns(span.status) > kStatus ? (unicode ? "✖" : "!") : span.status;
  std::string line = first ? paint(clock_time(span.start_unix_ns), Colour::kDim, style.colours) : std::string(kTime, ' ');
  line += "  " + label(row, colour, label_width, style);
  line += "  " + paint(fit_right(status, kStatus, unicode), status_colour(span), style.colours);
  line += "  " + fit_right(duration(span.duration_ns(), unicode), kDuration, unicode);
  if (scale.columns > 0) line += "  " + paint(bar(span, scale, unicode), span.is_error ? Colour::kRed : colour, style.colours);
  return line + "\n";
}

}  // namespace

std::string format_tree(const Trace& trace, const Style& style) {
  if (trace.empty()) return {};
  const std::vector<Row> rows = Layout(trace, style.unicode).rows();
  const std::map<std::string, Colour> colours = service_colours(rows);
  const bool single = rows.size() == 1;

  // The same columns for a trace of one span, which needs no bar, so that mixed traces stay aligned.
  const int variable = std::max(style.width, 60) - (kTime + 2 + 2 + kStatus + 2 + kDuration + 2);
  Scale scale;
  scale.columns = single ? 0 : variable * 2 / 5;
  const int label_width = variable - variable * 2 / 5;
  for (const Summary& span : trace) {
    scale.start = std::min(scale.start, span.start_unix_ns);
    scale.end = std::max({scale.end, span.end_unix_ns, span.start_unix_ns});
  }
  std::string out;
  if (!single) out += heading(trace, colours.size(), style);
  for (const Row& row : rows) out += format_row(row, &row == rows.data(), colours.at(row.span->service), scale, label_width, style);
  if (!single) out += "\n";
  return out;
}

}  // namespace clew::exporter::console
