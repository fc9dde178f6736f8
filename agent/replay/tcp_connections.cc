// SPDX-License-Identifier: Apache-2.0
// The life of a connection as a packet capture shows it: SYN or joined in the middle, data, FIN, RST, the tuple used again.
#include "agent/replay/tcp_connections.h"

#include <algorithm>
#include <cstring>
#include <iterator>

namespace clew::replay {
namespace {

using capture::End;

/// More than a SYN carries (TCP fast open).
constexpr uint32_t kSynDataMax = 65535;

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
  return hash ^ (hash >> 29);
}

uint64_t hash_end(uint64_t hash, const TcpSegment::Address& end) {
  uint64_t words[2];
  std::memcpy(words, end.bytes.data(), sizeof(words));
  return mix(mix(mix(hash, words[0]), words[1]), end.port);
}

capture::Endpoint endpoint(capture::Family family, const TcpSegment::Address& end) {
  return {.family = family, .port = end.port, .address = end.bytes, .path = {}};
}

/// The end of the server, as far as one segment tells: a SYN goes to it, a SYN+ACK comes from it; else a guess by the ports.
const TcpSegment::Address& server_of(const TcpSegment& segment) {
  if (segment.has(TcpSegment::kSyn)) return segment.has(TcpSegment::kAck) ? segment.source : segment.destination;
  return segment.source.port < segment.destination.port ? segment.source : segment.destination;
}

}  // namespace

size_t TcpConnections::KeyHash::operator()(const Key& key) const { return hash_end(hash_end(0, key.low), key.high); }

void TcpConnections::segment(const TcpSegment& segment, uint64_t time_ns) {
  if (segment.has(TcpSegment::kSyn) && (segment.has(TcpSegment::kFin) || segment.has(TcpSegment::kRst))) {
    ++totals_.stray_segments;
    return;
  }
  Connection* connection = connection_of(segment, time_ns);
  if (connection == nullptr) return;
  if (connection->closed) {
    if (segment.payload_length > 0) ++output_.repeated_segments;
    return;
  }
  start_streams(*connection, segment);
  carry(*connection, segment, time_ns);
}

TcpConnections::Connection* TcpConnections::connection_of(const TcpSegment& segment, uint64_t time_ns) {
  const bool ordered = segment.source < segment.destination;
  const Key key{ordered ? segment.source : segment.destination, ordered ? segment.destination : segment.source};
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    const auto connection = found->second;
    if (!begins_another(*connection, segment)) {
      Connections& list = connection->closed ? closed_ : open_;
      list.splice(list.begin(), list, connection);
      return &*connection;
    }
    if (!connection->closed) close(*connection, End::Kind::kTracer, time_ns);
    forget(found->second);
  }
  const bool begins = segment.has(TcpSegment::kSyn) || (segment.payload_length > 0 && !segment.has(TcpSegment::kRst));
  if (begins) return &open(key, segment, time_ns);
  return nullptr;  // the last words of a connection that was never seen to carry anything
}

/// Does the segment show that its tuple is used again, by a connection other than the one known?
bool TcpConnections::begins_another(Connection& connection, const TcpSegment& segment) {
  const TcpStream& sender = connection.sent_by(segment.source);
  const TcpStream& receiver = connection.sent_to(segment.source);
  if (segment.has(TcpSegment::kSyn)) {
    if (sender.started()) return sender.first_sequence() != segment.sequence + 1;
    // Both ends opening at once, or the answer to a SYN, which acknowledges that SYN and what little came with it.
    return segment.has(TcpSegment::kAck) && segment.acknowledgement - receiver.first_sequence() > kSynDataMax;
  }
  return segment.payload_length > 0 && sender.started() && !sender.in_reach(segment.sequence);
}

TcpConnections::Connection& TcpConnections::open(const Key& key, const TcpSegment& segment, uint64_t time_ns) {
  if (open_.size() >= limits_.connections_max) {
    const auto idle = std::prev(open_.end());
    ++totals_.evicted;
    close(*idle, End::Kind::kTracer, time_ns);
    forget(idle);
  }
  const TcpSegment::Address& server = server_of(segment);
  const TcpSegment::Address& client = server == segment.source ? segment.destination : segment.source;
  Connection& connection = open_.emplace_front(key, next_id_++, server);
  by_key_.emplace(key, open_.begin());
  connection.from_start = segment.has(TcpSegment::kSyn);
  ++totals_.connections;
  output_.sink.connection({.id = connection.id,
                           .local = endpoint(segment.family, server),
                           .peer = endpoint(segment.family, client),
                           .role = connection.from_start ? capture::Role::kServer : capture::Role::kUnknown,
                           .from_start = connection.from_start,
                           .passive = true,
                           .time_ns = time_ns});
  return connection;
}

/// A direction starts with the first thing that tells its sequence numbers: its SYN, the peer's acknowledgement, its data.
void TcpConnections::start_streams(Connection& connection, const TcpSegment& segment) {
  TcpStream& sender = connection.sent_by(segment.source);
  TcpStream& receiver = connection.sent_to(segment.source);
  const bool syn = segment.has(TcpSegment::kSyn);
  if (!sender.started() && (syn || segment.payload_length > 0)) sender.start(segment.sequence + (syn ? 1 : 0), connection.from_start);
  if (!receiver.started() && segment.has(TcpSegment::kAck) && !segment.has(TcpSegment::kRst)) {
    receiver.start(segment.acknowledgement, connection.from_start);
  }
}

void TcpConnections::carry(Connection& connection, const TcpSegment& segment, uint64_t time_ns) {
  TcpStream& sender = connection.sent_by(segment.source);
  TcpStream& receiver = connection.sent_to(segment.source);
  if (segment.has(TcpSegment::kRst)) {
    // A reset from far outside the window is one that the receiver ignored (RFC 9293 §3.5.3). A refusal carries sequence 0.
    if (sender.started() && !sender.in_reach(segment.sequence)) {
      ++totals_.stray_segments;
      return;
    }
    close(connection, End::Kind::kReset, time_ns);
    return;
  }
  // First what the sender says it has: it had it before it sent this.
  if (segment.has(TcpSegment::kAck)) receiver.acknowledge(segment.acknowledgement, output_);
  const uint32_t first = segment.sequence + (segment.has(TcpSegment::kSyn) ? 1 : 0);
  if (segment.payload_length > 0) sender.data(first, segment.payload, segment.payload_length, time_ns, output_);
  if (segment.has(TcpSegment::kFin)) {
    const uint32_t end = first + segment.payload_length;
    if (!sender.started()) sender.start(end, connection.from_start);
    if (sender.in_reach(end)) sender.fin(end, time_ns, output_);
  }
  if (sender.waiting()) sender.enforce(limits_, time_ns, output_);
  if (receiver.waiting()) receiver.enforce(limits_, time_ns, output_);
  if (sender.finished() && receiver.finished()) close(connection, End::Kind::kClosed, time_ns);
}

/// Delivers what waits, says how it ended, and remembers it among the closed.
void TcpConnections::close(Connection& connection, End::Kind kind, uint64_t time_ns) {
  connection.ingress.flush(output_);
  connection.egress.flush(output_);
  output_.sink.end({.connection = connection.id, .kind = kind, .direction = capture::Direction::kIngress, .time_ns = time_ns});
  connection.closed = true;
  closed_.splice(closed_.begin(), open_, by_key_.find(connection.key)->second);
  if (closed_.size() > std::max(limits_.closed_connections_max, size_t{1})) forget(std::prev(closed_.end()));
}

void TcpConnections::forget(Connections::iterator connection) {
  by_key_.erase(connection->key);
  (connection->closed ? closed_ : open_).erase(connection);
}

void TcpConnections::finish(uint64_t time_ns) {
  for (Connection& connection : open_) {
    connection.ingress.flush(output_);
    connection.egress.flush(output_);
    output_.sink.end(
        {.connection = connection.id, .kind = End::Kind::kTracer, .direction = capture::Direction::kIngress, .time_ns = time_ns});
  }
  open_.clear();
  closed_.clear();
  by_key_.clear();
}

}  // namespace clew::replay
