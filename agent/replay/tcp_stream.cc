// SPDX-License-Identifier: Apache-2.0
// Reassembly of one direction of a TCP connection. Sequence arithmetic as in RFC 9293 §3.4, widened to 64-bit offsets.
#include "agent/replay/tcp_stream.h"

#include <algorithm>
#include <iterator>

namespace clew::replay {
namespace {

/// What keeping a piece costs beside its bytes: node, string header, allocator.
constexpr size_t kPieceOverhead = 128;

/// The part of a payload that lies in [skip, skip + length) of its segment, as far as captured.
std::string_view part(std::string_view payload, int64_t skip, int64_t length) {
  if (static_cast<size_t>(skip) >= payload.size()) return {};
  return payload.substr(static_cast<size_t>(skip), static_cast<size_t>(length));
}

}  // namespace

void TcpStream::start(uint32_t sequence, bool from_start) {
  started_ = true;
  from_start_ = from_start;
  first_sequence_ = next_sequence_ = sequence;
}

void TcpStream::data(uint32_t sequence, std::string_view payload, uint32_t length, uint64_t time_ns, TcpOutput& output) {
  int64_t begin = next_ + distance(sequence);
  int64_t end = begin + length;
  if (fin_known_) end = std::min(end, fin_);
  if (end <= next_) {
    ++output.repeated_segments;
    return;
  }
  const int64_t skip = std::max(int64_t{0}, next_ - begin);
  begin += skip;
  payload = part(payload, skip, end - begin);
  if (begin == next_ && pieces_.empty()) {
    deliver(payload, end - begin, time_ns, output);
  } else {
    insert(begin, end - begin, payload, time_ns, output);
  }
  settle(output);
}

/// Keeps what no piece covers yet.
void TcpStream::insert(int64_t begin, int64_t length, std::string_view payload, uint64_t time_ns, TcpOutput& output) {
  const int64_t end = begin + length;
  int64_t at = begin;
  bool anything_new = false;
  auto piece = pieces_.upper_bound(begin);
  if (piece != pieces_.begin()) {
    const auto before = std::prev(piece);
    at = std::max(at, before->first + before->second.length);
  }
  while (at < end) {
    const int64_t gap_end = piece == pieces_.end() ? end : std::min(end, piece->first);
    if (at < gap_end) {
      const std::string_view bytes = part(payload, at - begin, gap_end - at);
      pieces_.emplace_hint(piece, at, Piece{gap_end - at, std::string(bytes), time_ns});
      buffered_bytes_ += bytes.size() + kPieceOverhead;
      output.buffered_bytes += bytes.size() + kPieceOverhead;
      anything_new = true;
    }
    if (piece == pieces_.end()) break;
    at = std::max(at, piece->first + piece->second.length);
    ++piece;
  }
  if (!anything_new) ++output.repeated_segments;
}

TcpStream::Pieces::iterator TcpStream::erase(Pieces::iterator piece, TcpOutput& output) {
  const size_t bytes = piece->second.bytes.size() + kPieceOverhead;
  buffered_bytes_ -= bytes;
  output.buffered_bytes -= bytes;
  return pieces_.erase(piece);
}

void TcpStream::advance(int64_t length) {
  next_ += length;
  next_sequence_ += static_cast<uint32_t>(length);
}

void TcpStream::deliver(std::string_view payload, int64_t length, uint64_t time_ns, TcpOutput& output) {
  if (!delivered_any_ && !from_start_) origin_ = next_;
  delivered_any_ = true;
  capture::Bytes bytes{.connection = connection_,
                       .direction = direction_,
                       .position = static_cast<uint64_t>(next_ - origin_),
                       .time_ns = time_ns,
                       .bytes = payload};
  if (!payload.empty()) output.sink.bytes(bytes);
  advance(length);
  const int64_t missing = length - static_cast<int64_t>(payload.size());
  if (missing == 0) return;
  ++output.holes;
  output.hole_bytes += static_cast<uint64_t>(missing);
  bytes.bytes = {};
  bytes.position = static_cast<uint64_t>(next_ - origin_);
  output.sink.bytes(bytes);
}

/// Delivers what follows without a hole.
void TcpStream::drain(TcpOutput& output) {
  while (!pieces_.empty() && pieces_.begin()->first == next_) {
    const auto piece = pieces_.begin();
    deliver(piece->second.bytes, piece->second.length, piece->second.time_ns, output);
    erase(piece, output);
  }
  if (!fin_known_ || finished_ || fin_ != next_) return;
  finished_ = true;
  output.sink.end({.connection = connection_, .kind = capture::End::Kind::kDirection, .direction = direction_, .time_ns = fin_time_ns_});
}

void TcpStream::fin(uint32_t sequence, uint64_t time_ns, TcpOutput& output) {
  const int64_t at = next_ + distance(sequence);
  if (fin_known_ || at < next_) return;
  fin_known_ = true;
  fin_ = at;
  fin_time_ns_ = time_ns;
  // Bytes behind a FIN are against the rules: whoever sent them, the receiver never sees them.
  while (!pieces_.empty() && pieces_.rbegin()->first >= fin_) erase(std::prev(pieces_.end()), output);
  if (!pieces_.empty()) {
    Piece& last = pieces_.rbegin()->second;
    last.length = std::min(last.length, fin_ - pieces_.rbegin()->first);
    const size_t kept = std::min(last.bytes.size(), static_cast<size_t>(last.length));
    buffered_bytes_ -= last.bytes.size() - kept;
    output.buffered_bytes -= last.bytes.size() - kept;
    last.bytes.resize(kept);
  }
  settle(output);
}

void TcpStream::acknowledge(uint32_t sequence, TcpOutput& output) {
  const int64_t ahead = distance(sequence);
  if (ahead <= 0 || ahead > kAheadMax) return;
  acknowledged_ = std::max(acknowledged_, next_ + ahead);
  settle(output);
}

/// Delivers what may be delivered by now.
void TcpStream::settle(TcpOutput& output) {
  drain(output);
  while (waiting() && acknowledged_ >= first_waiting()) give_up_hole(output);
}

void TcpStream::give_up_hole(TcpOutput& output) {
  const int64_t size = first_waiting() - next_;
  // Joined in the middle, nothing delivered yet: position 0 is at the first byte that there is.
  const bool before_origin = !from_start_ && !delivered_any_;
  if (size > 0 && !before_origin) {
    ++output.holes;
    output.hole_bytes += static_cast<uint64_t>(size);
    if (pieces_.empty()) {  // nothing but the FIN follows: no later position would tell of this hole
      output.sink.bytes({.connection = connection_,
                         .direction = direction_,
                         .position = static_cast<uint64_t>(fin_ - origin_),
                         .time_ns = fin_time_ns_,
                         .bytes = {}});
    }
  }
  advance(size);
  drain(output);
}

void TcpStream::enforce(const TcpLimits& limits, uint64_t now_ns, TcpOutput& output) {
  while (waiting()) {
    const bool too_long = now_ns > waiting_since_ns() && now_ns - waiting_since_ns() > limits.hole_wait_ns_max;
    const bool too_much =
        buffered_bytes_ > limits.stream_buffer_bytes_max || (buffered_bytes_ > 0 && output.buffered_bytes > limits.total_buffer_bytes_max);
    if (!too_long && !too_much) return;
    ++output.early_holes;
    give_up_hole(output);
  }
}

void TcpStream::flush(TcpOutput& output) {
  while (waiting()) give_up_hole(output);
}

}  // namespace clew::replay
