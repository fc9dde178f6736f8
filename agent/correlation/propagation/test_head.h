// SPDX-License-Identifier: Apache-2.0
// For tests: a head as written, what was extracted as text.
#pragma once

#include <algorithm>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/correlation/propagation/extract.h"
#include "agent/correlation/propagation/traceparent.h"

namespace clew::correlation::propagation::testing {

using Lines = std::vector<std::pair<std::string, std::string>>;

/// As a head's reader does: each line's name is recognised or passed over. `lines` must outlive what comes back.
inline HeaderValues headers_of(const Lines& lines) {
  HeaderValues headers;
  for (const auto& [name, value] : lines)
    if (const auto known = recognise(name)) headers.add(*known, value);
  return headers;
}

inline ExtractResult extract_lines(const Lines& lines, std::span<const Propagator> order = kDefaultOrder) {
  return extract(headers_of(lines), order);
}

inline std::string_view name(Sampled sampled) {
  constexpr std::array<std::string_view, 4> kNames = {"deferred", "no", "yes", "debug"};
  return kNames[static_cast<size_t>(sampled)];
}

inline std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text.append({"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]});
  return text;
}

/// "<trace id>-<span id> yes" or "none"; behind it, what was ignored: " b3:malformed".
inline std::string summary(const ExtractResult& result) {
  std::string text = "none";
  if (result.context)
    text = hex(result.context->trace_id) + "-" + hex(result.context->span_id) + " " + std::string(name(result.context->sampled));
  if (result.sampled_only != Sampled::kDeferred) text.append(" only ").append(name(result.sampled_only));
  for (const Ignored& ignored : result.ignored)
    text.append(" ").append(propagation::name(ignored.propagator)).append(":").append(propagation::name(ignored.reason));
  return text;
}

/// One line of a table: a header's value and the summary of what it gives.
struct Row {
  std::string value;
  std::string expected;
};

}  // namespace clew::correlation::propagation::testing
