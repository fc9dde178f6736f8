// SPDX-License-Identifier: Apache-2.0
// The formats of trace context that are read, and their choice and order in the manner of OTEL_PROPAGATORS.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace clew::correlation::propagation {

enum class Propagator : uint8_t { kTraceContext, kB3, kB3Multi, kJaeger, kXRay, kDatadog };

/// As in OTEL_PROPAGATORS and in labels of counters.
inline constexpr std::array<std::string_view, 6> kPropagatorNames = {"tracecontext", "b3", "b3multi", "jaeger", "xray", "datadog"};
constexpr std::string_view name(Propagator propagator) { return kPropagatorNames[static_cast<size_t>(propagator)]; }

/// clew only watches: unless it is told otherwise it takes whatever context is there.
inline constexpr std::array kDefaultOrder = {Propagator::kTraceContext, Propagator::kB3,   Propagator::kB3Multi,
                                             Propagator::kJaeger,       Propagator::kXRay, Propagator::kDatadog};

struct PropagatorChoice {
  std::vector<Propagator> order;         // each at most once; empty: read none
  std::vector<std::string_view> unread;  // asked for, but clew cannot read it ("ottrace"): worth a warning
};

/// The candidate that a mistyped word was meant to be, or empty. What knows of words is passed in: it belongs to the command line.
using NearestWord = std::string_view (*)(std::string_view word, std::span<const std::string_view> candidates);

/// "tracecontext,baggage,b3": a list with spaces, repetitions, empty parts and either case; nothing in it: kDefaultOrder. `baggage` is
/// known and asks for nothing. `none` stands alone. An Error names what is unknown and the nearest name that is not.
/// B3 is one format with two encodings, and reading must accept both, the single header first (OpenTelemetry's api-propagators.md):
/// either name asks for both unless the other stands in the list too; then the list's order holds.
base::Result<PropagatorChoice> parse_propagators(std::string_view text, NearestWord nearest);

}  // namespace clew::correlation::propagation
