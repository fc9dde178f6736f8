// SPDX-License-Identifier: Apache-2.0
// Reads a packet capture (.pcap, .pcapng) from beginning to end and tells the pipeline the TCP connections and bytes in it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/counters.h"
#include "agent/base/result.h"
#include "agent/capture/source.h"
#include "agent/replay/tcp_limits.h"

namespace clew::replay {

/// What was read. Everything up to the place of an error has been delivered.
struct PcapSummary {
  uint64_t packets = 0;
  uint64_t tcp_segments = 0;
  uint64_t connections = 0;
  uint64_t holes = 0;            // ranges of bytes that TCP carried and the capture does not hold
  uint64_t hole_bytes = 0;       // their size
  uint64_t first_packet_ns = 0;  // Unix time; 0: no packet
  uint64_t last_packet_ns = 0;
  /// Empty: the file was read to its end. Else why not and where, for a person, with the path:
  /// "x.pcap: stops after packet 1234, at byte 98765: truncated dump file; tried to read 16 header bytes, only got 9". The caller exits
  /// with 1.
  std::string error;

  bool complete() const { return error.empty(); }
};

/// How many bytes looks_like_pcap() wants to see.
inline constexpr size_t kPcapMagicBytes = 4;

/// Do these first bytes of a file belong to a .pcap (any byte order, µs or ns) or a .pcapng?
bool looks_like_pcap(std::string_view first_bytes);

/// Reads the file at `path`. An Error means that nothing could be read: no such file, a foreign format, a link type that is not
/// supported. Connections that are still open at the end (or at the place of an error) get End{kTracer}.
/// Connection ids count from `first_connection_id` upwards, so that several files may be replayed into one sink.
/// Memory is bounded by `limits`, whatever the size of the file. Needs no privilege. Calls `sink` on the calling thread.
base::Result<PcapSummary> replay_pcap(const std::string& path, capture::Sink& sink, base::Counters& counters,
                                      uint64_t first_connection_id = 1, const TcpLimits& limits = {});

}  // namespace clew::replay
