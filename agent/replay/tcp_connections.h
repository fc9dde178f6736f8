// SPDX-License-Identifier: Apache-2.0
// The TCP connections of a packet capture: which segment belongs to which, who is the server, when one begins and ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "agent/capture/source.h"
#include "agent/replay/packet_decoder.h"
#include "agent/replay/tcp_limits.h"
#include "agent/replay/tcp_stream.h"

namespace clew::replay {

struct TcpTotals {
  uint64_t connections = 0;
  uint64_t evicted = 0;         // ended because there were too many
  uint64_t stray_segments = 0;  // carried data or flags that fit no connection, and began none
};

/// Turns segments, in the order of the capture, into calls of a Sink. Where a SYN was seen the server is known (`local`, kServer);
/// else `local` is the end with the lower port, a guess, and the role is kUnknown.
class TcpConnections {
 public:
  TcpConnections(capture::Sink& sink, uint64_t first_id, const TcpLimits& limits)
      : limits_(limits), output_{.sink = sink}, next_id_(first_id) {}
  TcpConnections(const TcpConnections&) = delete;
  TcpConnections& operator=(const TcpConnections&) = delete;

  void segment(const TcpSegment& segment, uint64_t time_ns);
  /// The capture is over: what waits is delivered, open connections get End{kTracer}.
  void finish(uint64_t time_ns);

  const TcpTotals& totals() const { return totals_; }
  const TcpOutput& output() const { return output_; }

 private:
  /// Both directions of a connection have the same key: the lower end stands first.
  struct Key {
    TcpSegment::Address low, high;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  struct Connection {
    Connection(const Key& tuple, uint64_t connection_id, const TcpSegment::Address& server)
        : key(tuple),
          id(connection_id),
          local(server),
          ingress(connection_id, capture::Direction::kIngress),
          egress(connection_id, capture::Direction::kEgress) {}
    TcpStream& sent_by(const TcpSegment::Address& end) { return end == local ? egress : ingress; }
    TcpStream& sent_to(const TcpSegment::Address& end) { return end == local ? ingress : egress; }

    const Key key;
    const uint64_t id;
    const TcpSegment::Address local;
    bool from_start = false;
    bool closed = false;
    TcpStream ingress;
    TcpStream egress;
  };
  using Connections = std::list<Connection>;  // used last first

  /// The connection that this segment belongs to, made or replaced as need be; null if it belongs to none.
  Connection* connection_of(const TcpSegment& segment, uint64_t time_ns);
  static bool begins_another(Connection& connection, const TcpSegment& segment);
  Connection& open(const Key& key, const TcpSegment& segment, uint64_t time_ns);
  void start_streams(Connection& connection, const TcpSegment& segment);
  void carry(Connection& connection, const TcpSegment& segment, uint64_t time_ns);
  void close(Connection& connection, capture::End::Kind kind, uint64_t time_ns);
  void forget(Connections::iterator connection);

  const TcpLimits limits_;
  TcpOutput output_;
  TcpTotals totals_;
  uint64_t next_id_;
  Connections open_;
  Connections closed_;
  std::unordered_map<Key, Connections::iterator, KeyHash> by_key_;
};

}  // namespace clew::replay
