// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/summary.h"

#include <fmt/format.h>

#include <algorithm>

namespace clew::telemetry {
namespace {

std::vector<Row> rows_of(const std::vector<LabelledCounter>& counters, std::string_view name, std::string_view first,
                         std::string_view second) {
  std::vector<Row> rows;
  for (const LabelledCounter& counter : counters)
    if (counter.name == name && counter.value != 0)
      rows.push_back({fmt::format("{} {}", counter.label(first), counter.label(second)), counter.value});
  return rows;
}

}  // namespace

std::vector<Row> span_rows(const std::vector<LabelledCounter>& counters) {
  return rows_of(counters, "clew_spans_total", "protocol", "kind");
}

std::vector<Row> loss_rows(const std::vector<LabelledCounter>& counters) { return rows_of(counters, "clew_lost_total", "where", "reason"); }

std::string table(const std::vector<Row>& rows, std::string_view prefix) {
  size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.what.size());
  std::string text;
  for (const Row& row : rows) fmt::format_to(std::back_inserter(text), "{}{:<{}} {:>12}\n", prefix, row.what, width, row.value);
  return text;
}

std::string readable(std::chrono::nanoseconds duration) {
  using std::chrono::floor;
  const auto seconds = floor<std::chrono::seconds>(duration).count();
  if (seconds < 1) return fmt::format("{} ms", floor<std::chrono::milliseconds>(duration).count());
  if (seconds < 60) return fmt::format("{:.1f} s", static_cast<double>(duration.count() / 100'000'000) / 10);
  if (seconds < 3600) return fmt::format("{}m {}s", seconds / 60, seconds % 60);
  if (seconds < 86'400) return fmt::format("{}h {}m", seconds / 3600, seconds % 3600 / 60);
  return fmt::format("{}d {}h", seconds / 86'400, seconds % 86'400 / 3600);
}

std::string summary(const std::vector<base::Counters::Sample>& samples, std::chrono::nanoseconds ran) {
  const std::vector<LabelledCounter> counters = labelled(samples);
  const std::vector<Row> spans = span_rows(counters);
  const std::vector<Row> losses = loss_rows(counters);
  uint64_t total = 0;
  for (const Row& row : spans) total += row.value;
  std::string text = fmt::format("clew: {} span{} in {}\n", total, total == 1 ? "" : "s", readable(ran));
  text += table(spans, "clew:   ");
  for (const LabelledCounter& counter : counters)
    if (counter.name == "clew_spans_not_sampled_total" && counter.value != 0)
      text += fmt::format("clew: {} more not sampled\n", counter.value);
  for (const LabelledCounter& counter : counters)
    if (counter.name == "clew_injected_total" && counter.value != 0)
      text += fmt::format("clew: {} request{} {}\n", counter.value, counter.value == 1 ? "" : "s",
                          counter.label("how") == "added"     ? "given a traceparent"
                          : counter.label("how") == "updated" ? "passed on with clew's own parent id"
                                                              : "sent with a trace context in a TCP option");
  std::vector<Row> left_alone;
  for (const LabelledCounter& counter : counters)
    if (counter.name == "clew_left_alone_total" && counter.value != 0)
      left_alone.push_back({std::string(counter.label("reason")), counter.value});
  if (!left_alone.empty()) text += "clew: left alone, by reason\n" + table(left_alone, "clew:   ");
  text += losses.empty() ? "clew: nothing lost\n" : "clew: lost\n" + table(losses, "clew:   ");
  return text;
}

}  // namespace clew::telemetry
