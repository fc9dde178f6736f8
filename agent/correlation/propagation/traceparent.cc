// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/traceparent.h"

#include <utility>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/reading.h"
#include "agent/correlation/propagation/trace_state.h"

namespace clew::correlation::propagation {
namespace {

constexpr size_t kTraceIdAt = 3;
constexpr size_t kSpanIdAt = 36;
constexpr size_t kFlagsAt = 53;

std::optional<Reason> why_no_version(std::string_view version) {
  const auto reason = why_not_hex(version, Case::kLowerOnly);
  if (reason == Reason::kBadCharacter || version == "ff") return Reason::kBadVersion;
  return reason;
}

char* write_hex(std::span<const uint8_t> bytes, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (const uint8_t byte : bytes) {
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  return out;
}

}  // namespace

std::expected<Traceparent, Reason> parse_traceparent(std::string_view value) {
  if (value.size() < kTraceparentLength) return std::unexpected(Reason::kWrongLength);
  const std::string_view version = value.substr(0, 2);
  if (const auto reason = why_no_version(version)) return std::unexpected(*reason);
  for (const size_t dash : {kTraceIdAt - 1, kSpanIdAt - 1, kFlagsAt - 1})
    if (value[dash] != '-') return std::unexpected(Reason::kMalformed);

  Traceparent parsed;
  std::array<uint8_t, 1> flags{};
  if (const auto reason = read_id(value.substr(kTraceIdAt, 32), Case::kLowerOnly, parsed.trace_id)) return std::unexpected(*reason);
  if (const auto reason = read_id(value.substr(kSpanIdAt, 16), Case::kLowerOnly, parsed.span_id)) return std::unexpected(*reason);
  if (const auto reason = read_id(value.substr(kFlagsAt, 2), Case::kLowerOnly, flags)) return std::unexpected(*reason);
  const bool more = value.size() > kTraceparentLength;
  if (more && (version == "00" || value[kTraceparentLength] != '-')) return std::unexpected(Reason::kTrailingData);
  if (is_zero(parsed.trace_id)) return std::unexpected(Reason::kZeroTraceId);
  if (is_zero(parsed.span_id)) return std::unexpected(Reason::kZeroSpanId);
  parsed.flags = static_cast<uint8_t>(flags[0] & (version == "00" ? kFlagSampled | kFlagRandom : kFlagSampled));
  return parsed;
}

void format_traceparent(const TraceId& trace_id, const SpanId& span_id, uint8_t flags, std::span<char, kTraceparentLength> out) {
  const std::array<uint8_t, 1> version = {0};
  const std::array<uint8_t, 1> known_flags = {static_cast<uint8_t>(flags & (kFlagSampled | kFlagRandom))};
  char* at = write_hex(version, out.data());
  *at++ = '-';
  at = write_hex(trace_id, at);
  *at++ = '-';
  at = write_hex(span_id, at);
  *at++ = '-';
  write_hex(known_flags, at);
}

Reading read_trace_context(const HeaderValues& headers) {
  // Without traceparent, or with an invalid one, tracestate is not even looked at.
  if (!headers.has(HeaderName::kTraceparent)) return {};
  if (headers.repeated(HeaderName::kTraceparent)) return refused(Reason::kDuplicateHeader);
  const auto parsed = parse_traceparent(headers.value(HeaderName::kTraceparent));
  if (!parsed) return refused(parsed.error());
  Reading reading;
  RemoteContext& context = reading.context.emplace();
  context.trace_id = parsed->trace_id;
  context.span_id = parsed->span_id;
  context.flags = parsed->flags;
  context.sampled = (parsed->flags & kFlagSampled) != 0 ? Sampled::kYes : Sampled::kNo;
  TraceState state = read_trace_state(headers);
  context.trace_state = std::move(state.text);
  for (const Reason reason : state.reasons) reading.reasons.add(reason);
  return reading;
}

}  // namespace clew::correlation::propagation
