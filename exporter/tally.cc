// SPDX-License-Identifier: Apache-2.0
#include "exporter/tally.h"

#include <fmt/core.h>

namespace clew::exporter {
namespace {

base::Counter& spans_counter(base::Counters& counters, std::string_view exporter, std::string_view outcome) {
  return counters.get("clew_export_spans_total", fmt::format("exporter=\"{}\",outcome=\"{}\"", exporter, outcome));
}

}  // namespace

Tally::Tally(std::string_view exporter, base::Counters& counters)
    : name_(exporter),
      counters_(counters),
      exported_(spans_counter(counters, exporter, "exported")),
      dropped_(spans_counter(counters, exporter, "dropped")),
      failed_(spans_counter(counters, exporter, "failed")) {}

void Tally::dropped(uint64_t spans, std::string_view reason) {
  if (spans == 0) return;
  dropped_.add(spans);
  counters_.lost("exporter_" + name_, reason).add(spans);
}

void Tally::failed(uint64_t spans, std::string_view reason) {
  if (spans == 0) return;
  failed_.add(spans);
  counters_.lost("exporter_" + name_, reason).add(spans);
}

void Tally::request(std::string_view outcome) {
  counters_.get("clew_export_requests_total", fmt::format("exporter=\"{}\",outcome=\"{}\"", name_, outcome)).add();
}

}  // namespace clew::exporter
