// SPDX-License-Identifier: Apache-2.0
// AWS X-Ray's X-Amzn-Trace-Id: Root=1-<8>-<24>;Parent=<16>;Sampled=0|1|? in any order, with other fields (Self, Lineage …) among them.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
#include <algorithm>
#include <array>
#include <utility>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/reading.h"

namespace clew::correlation::propagation {
namespace {

constexpr size_t kRootLength = 35;  // version, 8 digits of seconds since 1970, 24 more
constexpr size_t kEpochAt = 2;
constexpr size_t kUniqueAt = 11;
constexpr size_t kParentLength = 16;

struct Fields {
  std::optional<std::string_view> root;
  std::optional<std::string_view> parent;
  std::optional<std::string_view> sampled;
  bool repeated = false;
};

Fields split(std::string_view rest) {
  Fields fields;
  const auto keep = [&](std::optional<std::string_view>& kept, std::string_view value) {
    fields.repeated = fields.repeated || kept.has_value();
    kept = value;
  };
  while (rest.data() != nullptr) {
    std::string_view value = trim(take_until(rest, ';'));
    const std::string_view key = take_until(value, '=');
    if (key == "Root") keep(fields.root, value);
    if (key == "Parent") keep(fields.parent, value);
    if (key == "Sampled") keep(fields.sampled, value);
  }
  return fields;
}

std::optional<Reason> read_root(std::string_view root, TraceId& trace_id) {
  if (root.size() != kRootLength) return Reason::kWrongLength;
  if (root[0] != '1') return Reason::kBadVersion;
  if (root[kEpochAt - 1] != '-' || root[kUniqueAt - 1] != '-') return Reason::kMalformed;
  std::array<char, 32> digits;
  std::copy_n(root.begin() + kEpochAt, 8, digits.begin());
  std::copy_n(root.begin() + kUniqueAt, 24, digits.begin() + 8);
  return read_id(std::string_view(digits.data(), digits.size()), Case::kAny, trace_id);
}

Sampled decision_of(const Fields& fields, Reading& reading) {
  if (!fields.sampled || *fields.sampled == "?") return Sampled::kDeferred;
  if (*fields.sampled == "0") return Sampled::kNo;
  if (*fields.sampled == "1") return Sampled::kYes;
  reading.reasons.add(Reason::kBadSampled);
  return Sampled::kDeferred;
}

}  // namespace

Reading read_xray(const HeaderValues& headers) {
  if (!headers.has(HeaderName::kAmznTraceId)) return {};
  if (headers.repeated(HeaderName::kAmznTraceId)) return refused(Reason::kDuplicateHeader);
  const Fields fields = split(headers.value(HeaderName::kAmznTraceId));
  if (fields.repeated) return refused(Reason::kMalformed);
  if (!fields.root) return refused(Reason::kMissingTraceId);
  RemoteContext context;
  if (const auto reason = read_root(*fields.root, context.trace_id)) return refused(*reason);

  Reading reading;
  if (!fields.parent) {
    // A load balancer's (its own Self= is no span). OpenTelemetry takes no trace id without a span id.
    reading.reasons.add(Reason::kNoParent);
    reading.sampled_only = decision_of(fields, reading);
    return reading;
  }
  if (fields.parent->size() != kParentLength) return refused(Reason::kWrongLength);
  if (const auto reason = read_id(*fields.parent, Case::kAny, context.span_id)) return refused(*reason);
  if (const auto reason = why_zero(context)) return refused(*reason);
  decide(context, decision_of(fields, reading));
  reading.context = std::move(context);
  return reading;
}

}  // namespace clew::correlation::propagation
