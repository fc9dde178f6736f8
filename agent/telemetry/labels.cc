// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/labels.h"

namespace clew::telemetry {

std::string_view LabelledCounter::label(std::string_view label_name) const {
  for (const auto& [key, value_text] : labels)
    if (key == label_name) return value_text;
  return {};
}

Labels parse_labels(std::string_view text) {
  Labels labels;
  while (!text.empty()) {
    const size_t equals = text.find("=\"");
    if (equals == std::string_view::npos || equals == 0) return labels;
    std::string value;
    size_t i = equals + 2;
    while (i < text.size() && text[i] != '"') {
      const bool escaped = text[i] == '\\' && i + 1 < text.size();
      if (escaped) ++i;
      value.push_back(escaped && text[i] == 'n' ? '\n' : text[i]);
      ++i;
    }
    if (i == text.size()) return labels;
    labels.emplace_back(text.substr(0, equals), std::move(value));
    text.remove_prefix(i + 1);
    if (text.empty() || text.front() != ',') return labels;
    text.remove_prefix(1);
  }
  return labels;
}

std::vector<LabelledCounter> labelled(const std::vector<base::Counters::Sample>& samples) {
  std::vector<LabelledCounter> counters;
  counters.reserve(samples.size());
  for (const auto& sample : samples) counters.push_back({sample.name, parse_labels(sample.labels), sample.value});
  return counters;
}

}  // namespace clew::telemetry
