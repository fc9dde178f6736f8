// SPDX-License-Identifier: Apache-2.0
// Reassembly of one direction of a TCP connection: segments in any order and number → bytes in order, each once, holes known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "agent/capture/source.h"
#include "agent/replay/tcp_limits.h"

namespace clew::replay {

/// Where a stream's bytes go, and what is counted of it. One per connection table; the stream sets nothing but these.
struct TcpOutput {
  capture::Sink& sink;
  uint64_t holes = 0;
  uint64_t hole_bytes = 0;
  uint64_t repeated_segments = 0;  // held nothing new: retransmissions, keep-alive probes, packets captured twice
  uint64_t early_holes = 0;        // holes given up at a bound, though the peer had not acknowledged them
  size_t buffered_bytes = 0;       // of all streams
};

/// Where two segments overlap, the bytes that came first win. A hole is given up when the peer has acknowledged everything up to
/// the bytes that wait behind it (so it has them, and the capture has not), at a bound, or by flush().
class TcpStream {
 public:
  /// How far a sequence number may lie before or after the next one expected and still belong to this stream: no window reaches
  /// back further than 16 MiB in practice; a gap in the capture may be long.
  static constexpr int64_t kBehindMax = int64_t{16} << 20;
  static constexpr int64_t kAheadMax = int64_t{1} << 30;

  TcpStream(uint64_t connection, capture::Direction direction) : connection_(connection), direction_(direction) {}

  bool started() const { return started_; }
  /// `sequence` is that of the first byte. `from_start`: it follows a SYN, else positions count from the first byte delivered.
  void start(uint32_t sequence, bool from_start);
  /// As given to start().
  uint32_t first_sequence() const { return first_sequence_; }
  bool in_reach(uint32_t sequence) const { return distance(sequence) >= -kBehindMax && distance(sequence) <= kAheadMax; }

  /// A segment's payload: `length` bytes on the wire, the first of which are in `payload`; the rest is a hole that nothing fills.
  void data(uint32_t sequence, std::string_view payload, uint32_t length, uint64_t time_ns, TcpOutput& output);
  /// The direction ends at `sequence`.
  void fin(uint32_t sequence, uint64_t time_ns, TcpOutput& output);
  /// The peer has everything before `sequence`.
  void acknowledge(uint32_t sequence, TcpOutput& output);
  /// Gives up holes until the bounds hold.
  void enforce(const TcpLimits& limits, uint64_t now_ns, TcpOutput& output);
  /// Gives up all holes.
  void flush(TcpOutput& output);

  /// All bytes up to the FIN have been delivered, and End{kDirection} with them.
  bool finished() const { return finished_; }
  bool waiting() const { return !pieces_.empty() || (fin_known_ && !finished_); }

 private:
  /// Bytes that wait, keyed by where they begin. Offsets count from where the stream was started; they never wrap.
  struct Piece {
    int64_t length;     // on the wire
    std::string bytes;  // as captured
    uint64_t time_ns;
  };
  using Pieces = std::map<int64_t, Piece>;

  int64_t distance(uint32_t sequence) const { return static_cast<int32_t>(sequence - next_sequence_); }
  int64_t first_waiting() const { return pieces_.empty() ? fin_ : pieces_.begin()->first; }
  uint64_t waiting_since_ns() const { return pieces_.empty() ? fin_time_ns_ : pieces_.begin()->second.time_ns; }
  void insert(int64_t begin, int64_t length, std::string_view payload, uint64_t time_ns, TcpOutput& output);
  Pieces::iterator erase(Pieces::iterator piece, TcpOutput& output);
  void deliver(std::string_view payload, int64_t length, uint64_t time_ns, TcpOutput& output);
  void drain(TcpOutput& output);
  void settle(TcpOutput& output);
  void give_up_hole(TcpOutput& output);
  void advance(int64_t length);

  const uint64_t connection_;
  const capture::Direction direction_;
  bool started_ = false;
  bool from_start_ = false;
  bool delivered_any_ = false;
  bool fin_known_ = false;
  bool finished_ = false;
  uint32_t first_sequence_ = 0;
  uint32_t next_sequence_ = 0;  // of the byte at next_
  int64_t next_ = 0;            // offset of the first byte not delivered
  int64_t origin_ = 0;          // offset of position 0
  int64_t acknowledged_ = 0;    // offset
  int64_t fin_ = 0;             // offset, with fin_known_
  uint64_t fin_time_ns_ = 0;
  size_t buffered_bytes_ = 0;
  Pieces pieces_;  // disjoint, all behind next_
};

}  // namespace clew::replay
