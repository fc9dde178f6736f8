// SPDX-License-Identifier: Apache-2.0
// Trace and span ids from (seed of this run, connection, first byte of the request): the same inputs give the same ids, so a replayed
// recording gives equal spans, and the kernel can compute them without a round trip. SipHash-2-4 (Aumasson, Bernstein 2012).
#pragma once

#include <array>
#include <cstdint>

#include "exporter/span.h"

namespace clew::correlation {

/// Random per run; kept in a recording.
struct Seed {
  std::array<uint64_t, 2> key{};
};

/// What a request is called, unless it hangs below another.
struct RequestIds {
  exporter::TraceId trace_id{};
  exporter::SpanId span_id{};
};

class Ids {
 public:
  explicit Ids(const Seed& seed) : seed_(seed) {}

  /// `position` is the first byte of the request in its direction; `stream_id` tells requests apart that share it (HTTP/2). Both ends
  /// have the same trace id, and span ids by their `kind`.
  RequestIds of(uint64_t connection, uint64_t position, uint64_t stream_id, exporter::SpanKind kind) const;

 private:
  Seed seed_;
};

}  // namespace clew::correlation
