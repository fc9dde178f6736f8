// SPDX-License-Identifier: Apache-2.0
// The counters in Prometheus' text format, version 0.0.4.
#pragma once

#include <string>
#include <vector>

#include "agent/base/counters.h"

namespace clew::telemetry {

/// `samples` in the order of Counters::snapshot(). Names that end in _total are counters, others gauges. A counter is a whole number, so
/// time is counted in `…_nanoseconds_total` and shown as `…_seconds_total`.
std::string prometheus_text(const std::vector<base::Counters::Sample>& samples);

}  // namespace clew::telemetry
