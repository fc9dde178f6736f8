// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/extract.h"

#include <algorithm>
#include <utility>

#include "agent/correlation/propagation/reading.h"

namespace clew::correlation::propagation {
namespace {

Reading read(Propagator propagator, const HeaderValues& headers) {
  switch (propagator) {
    case Propagator::kTraceContext: return read_trace_context(headers);
    case Propagator::kB3: return read_b3_single(headers);
    case Propagator::kB3Multi: return read_b3_multi(headers);
    case Propagator::kJaeger: return read_jaeger(headers);
    case Propagator::kXRay: return read_xray(headers);
    case Propagator::kDatadog: return read_datadog(headers);
  }
  std::unreachable();
}

bool same_trace(const TraceId& a, const TraceId& b) {
  const auto is_short = [](const TraceId& id) { return std::all_of(id.begin(), id.begin() + 8, [](uint8_t byte) { return byte == 0; }); };
  const size_t from = is_short(a) || is_short(b) ? 8 : 0;
  return std::equal(a.begin() + from, a.end(), b.begin() + from);
}

}  // namespace

ExtractResult extract(const HeaderValues& headers, std::span<const Propagator> order) {
  ExtractResult result;
  if (headers.empty()) return result;
  uint32_t done = 0;
  for (const Propagator propagator : order) {
    const uint32_t bit = 1U << static_cast<unsigned>(propagator);
    if ((done & bit) != 0) continue;
    done |= bit;
    Reading reading = read(propagator, headers);
    for (const Reason reason : reading.reasons) result.ignored.add({propagator, reason});
    if (result.sampled_only == Sampled::kDeferred) result.sampled_only = reading.sampled_only;
    if (!reading.context) continue;
    reading.context->propagator = propagator;
    if (!result.context)
      result.context = std::move(reading.context);
    else if (!result.disagreeing && !same_trace(result.context->trace_id, reading.context->trace_id))
      result.disagreeing = propagator;
  }
  if (result.context) result.sampled_only = Sampled::kDeferred;
  return result;
}

}  // namespace clew::correlation::propagation
