// SPDX-License-Identifier: Apache-2.0
// A trace context as it was received with a request, and the reasons for which one that came along was not used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/correlation/propagation/propagator.h"

namespace clew::correlation::propagation {

/// Network order. The same types as the exporter's.
using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

/// Bits of the W3C trace flags. The others have no meaning yet and are never passed on.
inline constexpr uint8_t kFlagSampled = 0x01;
inline constexpr uint8_t kFlagRandom = 0x02;

/// What the caller decided. kDebug is a yes that samplers are asked not to overrule (B3, Jaeger); kDeferred leaves it to the receiver.
enum class Sampled : uint8_t { kDeferred, kNo, kYes, kDebug };

struct RemoteContext {
  TraceId trace_id{};  // an id of 64 bits stands in the last eight bytes
  SpanId span_id{};    // the caller's span: our parent
  Propagator propagator = Propagator::kTraceContext;
  Sampled sampled = Sampled::kDeferred;
  uint8_t flags = 0;  // kFlagSampled says what `sampled` says; kFlagRandom as received
  /// tracestate, at most kTraceStateMax bytes: valid members in their order, without spaces around them, empty or repeated ones. It
  /// comes with traceparent only, and is for a span: a header that is passed on must be passed on as it is.
  std::string trace_state;
  bool in_tcp_option = false;  // beside the request, not in it

  bool operator==(const RemoteContext&) const = default;
};

/// W3C asks for at least 512 characters to be kept.
inline constexpr size_t kTraceStateMax = 512;

/// Why (a part of) what came was not used. Add at the end and in kReasonNames.
enum class Reason : uint8_t {
  kWrongLength,
  kMalformed,  // separators or fields are not where they belong
  kBadVersion,
  kBadCharacter,
  kUpperCase,
  kTrailingData,
  kZeroTraceId,
  kZeroSpanId,
  kMissingTraceId,
  kMissingSpanId,
  kNoParent,  // X-Ray: a load balancer began the trace; it has no span
  kOutOfRange,
  kDuplicateHeader,
  kBadSampled,      // the decision is deferred, the ids are used
  kBadParentId,     // B3's parent of the parent, which is not needed
  kBadTraceIdHigh,  // Datadog: _dd.p.tid; the lower 64 bits are used
  // From here on traceparent is used.
  kTraceStateMembers,       // more than 32: dropped
  kTraceStateKey,           // dropped
  kTraceStateValue,         // dropped
  kTraceStateDuplicateKey,  // the first is kept
  kTraceStateCut,           // to kTraceStateMax
};
inline constexpr std::array<std::string_view, 21> kReasonNames = {
    "wrong_length",      "malformed",          "bad_version",      "bad_character",    "upper_case",
    "trailing_data",     "zero_trace_id",      "zero_span_id",     "missing_trace_id", "missing_span_id",
    "no_parent",         "out_of_range",       "duplicate_header", "bad_sampled",      "bad_parent_id",
    "bad_trace_id_high", "tracestate_members", "tracestate_key",   "tracestate_value", "tracestate_duplicate_key",
    "tracestate_cut",
};
static_assert(static_cast<size_t>(Reason::kTraceStateCut) + 1 == kReasonNames.size());

/// For the label of a counter.
constexpr std::string_view name(Reason reason) { return kReasonNames[static_cast<size_t>(reason)]; }

}  // namespace clew::correlation::propagation
