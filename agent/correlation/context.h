// SPDX-License-Identifier: Apache-2.0
// The trace context of one exchange: its ids, its parent, and how the parent is known.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/span.h"

namespace clew::correlation {

/// By falling certainty. Becomes clew.parent.evidence.
enum class Evidence : uint8_t {
  kNone,        // a root, as far as anybody can say
  kHeader,      // the request carries a trace context
  kTcpOption,   // the segment of its first byte does
  kConnection,  // both ends were seen on this node: the same byte of the same connection
  kExecution,   // the thread was busy with the parent and with nothing else
  kCausal,      // an event loop acted right after it had read the parent
  kInferred,    // nothing else was under way in the process; with a probability
};
std::string_view name_of(Evidence evidence);

struct Context {
  exporter::TraceId trace_id{};
  exporter::SpanId span_id{};
  exporter::SpanId parent_span_id{};  // all zero: none
  Evidence evidence = Evidence::kNone;
  double confidence = 0;  // kInferred only: 0…1
  uint32_t flags = exporter::kFlagSampled | exporter::kFlagRandom;
  std::string trace_state{};
  /// Without a parent: spans of which one may be it. Becomes links.
  struct Candidate {
    exporter::TraceId trace_id{};
    exporter::SpanId span_id{};
    uint32_t flags = 0;
  };
  std::vector<Candidate> candidates{};
};

/// The plaintext of a TLS session is a connection of its own, whose id is that of its socket's with this bit (bpf/tls).
inline constexpr uint64_t kTlsConnection = uint64_t{1} << 63;

/// Which request: unique in a run.
struct RequestKey {
  uint64_t connection = 0;
  uint64_t position = 0;  // its first byte in its direction
  uint64_t stream_id = 0;
  bool operator==(const RequestKey&) const = default;
  /// The connection of its socket: what is told of connect(), of reads and of proxied streams is told of that one.
  uint64_t socket() const { return connection & ~kTlsConnection; }
};

/// The same request as both ends of its connection name it: the sequence numbers of the first bytes of both directions, and its
/// place behind the first, by the low halves. Survives address translation and network namespaces.
struct WireKey {
  uint32_t request_base = 0;
  uint32_t response_base = 0;
  uint32_t position = 0;
  uint32_t stream_id = 0;
  bool operator==(const WireKey&) const = default;
};

struct KeyHash {
  static uint64_t mixed(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t h = a * 0x9e3779b97f4a7c15ULL ^ (b + 0x7f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL ^ c * 0x94d049bb133111ebULL;
    h ^= h >> 31;
    return h * 0xd6e8feb86659fd93ULL ^ h >> 29;
  }
  size_t operator()(const RequestKey& key) const { return mixed(key.connection, key.position, key.stream_id); }
  size_t operator()(const WireKey& key) const {
    return mixed(uint64_t{key.request_base} << 32 | key.response_base, key.position, key.stream_id);
  }
};

}  // namespace clew::correlation
