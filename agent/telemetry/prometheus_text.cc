// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/prometheus_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace clew::telemetry {
namespace {

struct Help {
  std::string_view name;
  std::string_view text;
};
constexpr std::array kHelp = {
    Help{"clew_events_total", "Events taken in, by source."},
    Help{"clew_spans_total", "Spans made, by protocol and kind."},
    Help{"clew_spans_not_sampled_total", "Requests without a span because of the sampler or a parent."},
    Help{"clew_lost_total", "What was lost, by place and reason."},
    Help{"clew_bpf_run_seconds_total", "Time spent in BPF programs, by program."},
    Help{"clew_export_spans_total", "Spans handed to an exporter, by what became of them."},
    Help{"clew_export_requests_total", "Requests of an exporter, by what became of them."},
};

constexpr std::string_view kNanoseconds = "_nanoseconds_total";

}  // namespace

std::string prometheus_text(const std::vector<base::Counters::Sample>& samples) {
  std::string text;
  const auto out = std::back_inserter(text);
  std::string_view before;
  for (const auto& sample : samples) {
    const bool is_time = sample.name.ends_with(kNanoseconds);
    std::string name = sample.name;
    if (is_time) name.replace(name.size() - kNanoseconds.size(), kNanoseconds.size(), "_seconds_total");
    if (sample.name != before) {
      const auto* help = std::ranges::find(kHelp, std::string_view(name), &Help::name);
      if (help != kHelp.end()) fmt::format_to(out, "# HELP {} {}\n", name, help->text);
      fmt::format_to(out, "# TYPE {} {}\n", name, name.ends_with("_total") ? "counter" : "gauge");
      before = sample.name;
    }
    text.append(name);
    if (!sample.labels.empty()) fmt::format_to(out, "{{{}}}", sample.labels);
    if (is_time)
      fmt::format_to(out, " {}.{:09}\n", sample.value / 1'000'000'000, sample.value % 1'000'000'000);
    else
      fmt::format_to(out, " {}\n", sample.value);
  }
  return text;
}

}  // namespace clew::telemetry
