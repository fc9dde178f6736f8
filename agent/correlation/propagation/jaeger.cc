// SPDX-License-Identifier: Apache-2.0
// Jaeger's uber-trace-id: trace:span:parent:flags in hexadecimal, without leading zeros if the library is old, the colons perhaps %3A.
// https://www.jaegertracing.io/docs/1.21/client-libraries/#propagation-format
#include <utility>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/reading.h"

namespace clew::correlation::propagation {
namespace {

constexpr uint8_t kJaegerSampled = 0x01;
constexpr uint8_t kJaegerDebug = 0x02;
constexpr size_t kParts = 4;

/// Takes what stands before a colon, plain or percent-encoded, off `rest`; see take_until().
std::string_view take_part(std::string_view& rest) {
  for (size_t i = 0; i < rest.size(); ++i) {
    const bool encoded = rest[i] == '%' && equals_ignoring_case(rest.substr(i, 3), "%3a");
    if (rest[i] != ':' && !encoded) continue;
    const std::string_view part = rest.substr(0, i);
    rest = rest.substr(i + (encoded ? 3 : 1));
    return part;
  }
  const std::string_view part = rest;
  rest = {};
  return part;
}

}  // namespace

Reading read_jaeger(const HeaderValues& headers) {
  if (!headers.has(HeaderName::kUberTraceId)) return {};
  if (headers.repeated(HeaderName::kUberTraceId)) return refused(Reason::kDuplicateHeader);
  std::array<std::string_view, kParts> parts;
  size_t count = 0;
  for (std::string_view rest = headers.value(HeaderName::kUberTraceId); rest.data() != nullptr; ++count) {
    if (count == kParts) return refused(Reason::kMalformed);
    parts[count] = take_part(rest);
  }
  if (count != kParts) return refused(Reason::kMalformed);

  RemoteContext context;
  std::array<uint8_t, 1> flags{};
  if (const auto reason = read_id(parts[0], Case::kAny, context.trace_id)) return refused(*reason);
  if (const auto reason = read_id(parts[1], Case::kAny, context.span_id)) return refused(*reason);
  // parts[2], the parent's parent, is deprecated: whatever stands there is passed over.
  if (const auto reason = read_id(parts[3], Case::kAny, flags)) return refused(*reason);
  if (const auto reason = why_zero(context)) return refused(*reason);
  if ((flags[0] & kJaegerDebug) != 0)
    decide(context, Sampled::kDebug);
  else
    decide(context, (flags[0] & kJaegerSampled) != 0 ? Sampled::kYes : Sampled::kNo);
  Reading reading;
  reading.context = std::move(context);
  return reading;
}

}  // namespace clew::correlation::propagation
