// SPDX-License-Identifier: Apache-2.0
// The data model of OpenTelemetry as far as clew emits it. Built by agent/, read by exporters; plain data.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/attributes.h"

namespace clew::exporter {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;

enum class SpanKind : uint8_t { kUnspecified = 0, kInternal = 1, kServer = 2, kClient = 3, kProducer = 4, kConsumer = 5 };
enum class StatusCode : uint8_t { kUnset = 0, kOk = 1, kError = 2 };

/// Bits of Span::flags and Link::flags: the low eight are the W3C trace flags.
inline constexpr uint32_t kFlagSampled = 0x01;
inline constexpr uint32_t kFlagRandom = 0x02;
inline constexpr uint32_t kFlagHasIsRemote = 0x100;
inline constexpr uint32_t kFlagIsRemote = 0x200;

/// Who did the work. Immutable once shared: many spans, in the queues of several exporters, refer to one Resource.
struct Resource {
  base::Attributes attributes;
};

struct Link {
  TraceId trace_id{};
  SpanId span_id{};
  uint32_t flags = 0;
  std::string trace_state;
  base::Attributes attributes;
};

struct Span {
  TraceId trace_id{};
  SpanId span_id{};
  SpanId parent_span_id{};  // all zero: a root
  uint32_t flags = kFlagSampled | kFlagRandom;
  SpanKind kind = SpanKind::kUnspecified;
  StatusCode status = StatusCode::kUnset;
  uint64_t start_unix_ns = 0;
  uint64_t end_unix_ns = 0;  // >= start_unix_ns
  std::string name;
  std::string trace_state;
  base::Attributes attributes;
  std::vector<Link> links;
  std::shared_ptr<const Resource> resource;  // never null

  /// About. Attributes that it shares with others count as its own.
  size_t memory_bytes() const { return sizeof *this + attributes.memory_bytes() + links.size() * sizeof(Link); }
};

inline constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.44.0";
inline constexpr std::string_view kScopeName = "clew";

}  // namespace clew::exporter
