// SPDX-License-Identifier: Apache-2.0
// Consistent probability sampling: thresholds, randomness, and how tracestate carries them.
// https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace clew::sampling {

/// A span is kept if its randomness (56 bits) is at least the threshold: 0 keeps everything, kNothing nothing.
inline constexpr uint64_t kNothing = uint64_t{1} << 56;

/// The threshold that keeps this share (0…1), as precise as it is written in `th`.
uint64_t threshold_of(double ratio);
/// "0", "c" (a quarter), "fd70a4" (one in a hundred). Not for kNothing.
std::string to_text(uint64_t threshold);

/// What the member `ot` of a tracestate says; nothing where it is absent or breaks the rules.
struct OtelState {
  std::optional<uint64_t> threshold;     // th
  std::optional<uint64_t> random_value;  // rv
};
OtelState parse_otel_state(std::string_view trace_state);

/// `trace_state` with that threshold in its member `ot`, which comes first then; without one, if it is nullopt. Other members and other
/// keys of `ot` stay.
std::string with_threshold(std::string_view trace_state, std::optional<uint64_t> threshold);

/// rv, else the low 56 bits of the trace id.
uint64_t randomness(const std::array<uint8_t, 16>& trace_id, const OtelState& state);

}  // namespace clew::sampling
