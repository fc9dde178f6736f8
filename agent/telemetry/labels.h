// SPDX-License-Identifier: Apache-2.0
// Counters with their labels taken apart: base::Counters keeps `where="ring",reason="full"` as text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/counters.h"

namespace clew::telemetry {

using Labels = std::vector<std::pair<std::string, std::string>>;

struct LabelledCounter {
  std::string name;
  Labels labels;
  uint64_t value = 0;

  /// The value of a label, or empty.
  std::string_view label(std::string_view label_name) const;
};

/// Takes `a="1",b="x\"y"` apart, as Prometheus writes labels; stops at what is not of that form.
Labels parse_labels(std::string_view text);

std::vector<LabelledCounter> labelled(const std::vector<base::Counters::Sample>& samples);

}  // namespace clew::telemetry
