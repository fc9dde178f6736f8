// SPDX-License-Identifier: Apache-2.0
// Which traces are kept: the samplers of OTEL_TRACES_SAMPLER that need nothing but the context.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace clew::sampling {

struct SamplerSettings {
  enum class Kind : uint8_t { kAlwaysOn, kAlwaysOff, kTraceIdRatio };
  Kind kind = Kind::kAlwaysOn;
  bool parent_based = true;  // a parent's decision holds; `kind` decides for roots
  double ratio = 1;          // 0…1, kTraceIdRatio only
};

class Sampler {
 public:
  using TraceId = std::array<uint8_t, 16>;

  explicit Sampler(const SamplerSettings& settings);
  Sampler() : Sampler(SamplerSettings{}) {}

  /// Is a span without a parent kept, or one whose parent has left it open? Writes the threshold to `trace_state`.
  bool root(const TraceId& trace_id, std::string& trace_state) const;
  /// One whose parent has decided.
  bool child(bool parent_sampled, const TraceId& trace_id, std::string& trace_state) const {
    return settings_.parent_based ? parent_sampled : root(trace_id, trace_state);
  }

 private:
  SamplerSettings settings_;
  uint64_t threshold_;
};

}  // namespace clew::sampling
