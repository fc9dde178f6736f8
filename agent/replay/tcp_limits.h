// SPDX-License-Identifier: Apache-2.0
// The bounds of TCP reassembly.
#pragma once

#include <cstddef>
#include <cstdint>

namespace clew::replay {

struct TcpLimits {
  /// Open connections; beyond, the one idle for longest is ended with End{kTracer} and counted.
  size_t connections_max = 65536;
  /// Ended connections that are remembered, so that late duplicates of their packets do not look like new ones.
  size_t closed_connections_max = 8192;
  /// Bytes that wait behind a hole, per direction and in all, including what it takes to keep them.
  size_t stream_buffer_bytes_max = size_t{8} << 20;
  size_t total_buffer_bytes_max = size_t{64} << 20;
  /// How long bytes wait behind a hole that the peer has not acknowledged: longer than a few retransmission timeouts.
  uint64_t hole_wait_ns_max = 10'000'000'000;
};

}  // namespace clew::replay
