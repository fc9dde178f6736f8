// SPDX-License-Identifier: Apache-2.0
// The header fields that carry trace context, recognised by name.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "protocols/message.h"

namespace clew::correlation::propagation {

/// In the order of protocols::kContextFieldNames.
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
inline constexpr const auto& kHeaderNames = protocols::kContextFieldNames;

/// Any letter case; the name exactly, without spaces or colon. Meant for every line of a head: most are refused by their length.
std::optional<HeaderName> recognise(std::string_view name);

}  // namespace clew::correlation::propagation
