// SPDX-License-Identifier: Apache-2.0
// Spans for tests, benchmarks and the probe: a small shop, the same for the same seed.
#pragma once

#include <cstdint>

#include "exporter/exporter.h"

namespace clew::exporter {

/// `count` spans in traces of five over three services: server and client spans, errors, links, every type of attribute, text that
/// needs escaping. Times lie before `end_unix_ns`; ids are never zero.
SpanBatch sample_spans(size_t count, uint64_t seed, uint64_t end_unix_ns);

/// One span of 16 attributes, about 900 bytes as OTLP/JSON: what an HTTP server span looks like.
Span typical_span(uint64_t seed);

}  // namespace clew::exporter
