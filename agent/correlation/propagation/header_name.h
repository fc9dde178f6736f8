// SPDX-License-Identifier: Apache-2.0
// The header fields that carry trace context, recognised by name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace clew::correlation::propagation {

/// In the order of kHeaderNames.
enum class HeaderName : uint8_t {
  kTraceparent,
  kTracestate,
  kB3,
  kB3TraceId,
  kB3SpanId,
  kB3ParentSpanId,
  kB3Sampled,
  kB3Flags,
  kUberTraceId,
  kAmznTraceId,
  kDatadogTraceId,
  kDatadogParentId,
  kDatadogSamplingPriority,
  kDatadogTags,
};

/// In lower case, as HTTP/2 and gRPC write them.
inline constexpr std::array<std::string_view, 14> kHeaderNames = {
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "uber-trace-id",
    "x-amzn-trace-id",
    "x-datadog-trace-id",
    "x-datadog-parent-id",
    "x-datadog-sampling-priority",
    "x-datadog-tags",
};

/// Any letter case; the name exactly, without spaces or colon. Meant for every line of a head: most are refused by their length.
std::optional<HeaderName> recognise(std::string_view name);

}  // namespace clew::correlation::propagation
