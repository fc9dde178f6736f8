// SPDX-License-Identifier: Apache-2.0
#include "agent/sampling/sampler.h"

#include <algorithm>

#include "agent/sampling/probability.h"

namespace clew::sampling {

Sampler::Sampler(const SamplerSettings& settings) : settings_(settings), threshold_(threshold_of(settings.ratio)) {}

bool Sampler::root(const TraceId& trace_id, std::string& trace_state) const {
  if (settings_.kind != SamplerSettings::Kind::kTraceIdRatio) return settings_.kind == SamplerSettings::Kind::kAlwaysOn;
  const OtelState state = parse_otel_state(trace_state);
  // Whoever has sampled before us has thinned the traces out already: keeping more than that is impossible.
  const uint64_t threshold = std::max(threshold_, state.threshold.value_or(0));
  const bool keep = randomness(trace_id, state) >= threshold;
  trace_state = with_threshold(trace_state, keep ? std::optional(threshold) : std::nullopt);
  return keep;
}

}  // namespace clew::sampling
