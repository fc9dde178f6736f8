// SPDX-License-Identifier: Apache-2.0
// The value of a traceparent header, W3C Trace Context §3.2, read and written.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string_view>

#include "agent/correlation/propagation/context.h"

namespace clew::correlation::propagation {

/// 00-<32>-<16>-<2>
inline constexpr size_t kTraceparentLength = 55;

struct Traceparent {
  TraceId trace_id{};
  SpanId span_id{};
  uint8_t flags = 0;
};

/// Without spaces around it. Of a version higher than 00 the first 55 characters are read, which must be all or be followed by '-', and
/// of its flags only `sampled`, since nothing else of a version to come can be known.
std::expected<Traceparent, Reason> parse_traceparent(std::string_view value);

/// Version 00; flags that have no meaning yet are written as 0. The ids are written as they are: the caller sees to it that they are
/// not zero. No terminating NUL.
void format_traceparent(const TraceId& trace_id, const SpanId& span_id, uint8_t flags, std::span<char, kTraceparentLength> out);

}  // namespace clew::correlation::propagation
