// SPDX-License-Identifier: Apache-2.0
// The two directions of a connection as state machines over their bytes.
#include "protocols/http1/parser.h"

#include <algorithm>
#include <array>
#include <utility>

#include "protocols/http/characters.h"
#include "protocols/http1/chunk_line.h"

namespace clew::protocols::http1 {

using http::is_space;

namespace {

constexpr size_t kTrailerLengthMax = kHeadLengthMax;

Step step(Step::Kind kind, size_t consumed) {
  Step s;
  s.kind = kind;
  s.consumed = consumed;
  return s;
}

Step skip(size_t consumed, uint64_t bytes) {
  Step s = step(Step::Kind::kSkip, consumed);
  s.skip = bytes;
  return s;
}

/// Empty lines before a message: RFC 9112 §2.2 has servers pass over them; some servers send one after a body.
size_t leading_empty_lines(std::string_view bytes) {
  size_t n = 0;
  while (n < bytes.size()) {
    if (bytes[n] == '\n')
      n += 1;
    else if (bytes[n] == '\r' && n + 1 < bytes.size() && bytes[n + 1] == '\n')
      n += 2;
    else
      break;
  }
  return n;
}

bool may_begin(Sender sender, std::string_view bytes) {
  const size_t lf = bytes.substr(0, kHeadLengthMax).find('\n');
  if (lf == std::string_view::npos) return bytes == "\r" || (bytes.size() < kHeadLengthMax && may_become_start_line(sender, bytes));
  std::string_view line = bytes.substr(0, lf);
  if (line.ends_with('\r')) line.remove_suffix(1);
  StartLine ignored;
  return parse_start_line(sender, line, ignored);
}

RequestKind kind_of(const HeadScan& scan) {
  if (scan.start_line.method == "HEAD") return scan.has_upgrade ? RequestKind::kHeadUpgrade : RequestKind::kHead;
  if (scan.start_line.method == "CONNECT") return RequestKind::kConnect;
  return scan.has_upgrade ? RequestKind::kUpgrade : RequestKind::kPlain;
}

/// Methods of RFC 9110, WebDAV and proxies, none of which is the end of another: a hole may have swallowed the beginning. Sorted.
constexpr std::array kUnmistakableMethods = std::to_array<std::string_view>({
    "CONNECT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "MKCOL",
    "MOVE",
    "OPTIONS",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REPORT",
    "TRACE",
});
static_assert(std::is_sorted(kUnmistakableMethods.begin(), kUnmistakableMethods.end()));

/// Is a head that was found in bytes which may be anything really one? More is asked of it: "ET / HTTP/1.1" behind a hole is none,
/// nor is a line of a body without the Host that a request has had to have since 1.1.
bool is_convincing(Sender sender, const HeadScan& scan) {
  if (scan.has_malformed_line) return false;
  if (sender == Sender::kServer) return true;
  if (scan.start_line.minor_version > 0 && scan.fields[static_cast<size_t>(Field::kHost)].empty()) return false;
  return std::binary_search(kUnmistakableMethods.begin(), kUnmistakableMethods.end(), scan.start_line.method);
}

bool asks_to_upgrade(RequestKind kind) { return kind == RequestKind::kUpgrade || kind == RequestKind::kHeadUpgrade; }
bool asks_to_leave(RequestKind kind) { return kind == RequestKind::kConnect || asks_to_upgrade(kind); }
bool has_no_body(RequestKind kind) { return kind == RequestKind::kHead || kind == RequestKind::kHeadUpgrade; }  // its response

bool is_interim(uint16_t status) { return status < 200 && status != 101; }

}  // namespace

Http1Parser::Http1Parser(bool from_start) {
  for (Direction& d : directions_) d.hunting = !from_start;
}

Step Http1Parser::parse(Sender sender, std::string_view bytes) {
  if (successor_) return successor_->parse(sender, bytes);
  Direction& d = direction(sender);
  switch (d.state) {
    case State::kStart:
      if (!bytes.empty() || opaque_ || follows_request_to_leave(sender)) return parse_start(sender, d, bytes);
      d.awaiting = false;
      break;
    case State::kEnd:
      if (!d.orphan) return end_message(d, 0);
      end_message(d, 0);  // untold
      return parse_start(sender, d, bytes);
    case State::kChunkLine: return parse_chunk(d, bytes);
    case State::kTrailer: return parse_trailer(d, bytes);
    case State::kToClose: d.state = State::kClosing; return skip(0, Step::kSkipToClose);
    case State::kUnframed: d.state = State::kStart; return reject(d, 0, "bad_transfer_encoding", false);
    case State::kClosing: break;
  }
  return step(Step::Kind::kNeedMore, bytes.size());
}

Step Http1Parser::parse_start(Sender sender, Direction& d, std::string_view bytes) {
  d.awaiting = false;
  if (opaque_) return step(Step::Kind::kOpaque, 0);
  if (follows_request_to_leave(sender)) return step(Step::Kind::kAwaitPeer, 0);
  const KnownHead& known = known_heads_[static_cast<size_t>(sender)];
  if (!d.hunting && d.progress.searched == 0 && known.begins(bytes)) {
    if (answers_nothing(sender, d)) return await_request(d);
    return take_head(sender, d, known.framing(), known.head(), known.length());
  }
  size_t consumed = 0;
  for (;;) {
    if (d.progress.searched == 0) {
      if (d.hunting) consumed += hunt(sender, d, bytes.substr(consumed));
      consumed += leading_empty_lines(bytes.substr(consumed));
    }
    const std::string_view rest = bytes.substr(consumed);
    if (rest.empty() || rest == "\r") return step(Step::Kind::kNeedMore, consumed);
    if (consumed > 0) return skip(consumed, 0);  // a message begins with its first byte, however the bytes before it were cut
    HeadScan scan = scan_head(sender, rest, d.hunting, d.progress);
    if (scan.has_start_line && answers_nothing(sender, d)) return await_request(d);
    const bool bad = scan.status == HeadScan::Status::kInvalid;
    if (d.hunting && (bad || (scan.status == HeadScan::Status::kComplete && !is_convincing(sender, scan)))) {
      d.progress = {};
      d.mid_line = true;
      d.orphan = false;
      continue;
    }
    if (bad) return reject(d, consumed, scan.reason, true);
    if (scan.status == HeadScan::Status::kIncomplete) return step(Step::Kind::kNeedMore, consumed);
    return take_head(sender, d, rest, scan, consumed);
  }
}

bool Http1Parser::follows_request_to_leave(Sender sender) const {
  return sender == Sender::kClient && !outstanding_.empty() && asks_to_leave(outstanding_.newest());
}

Step Http1Parser::await_request(Direction& d) {
  d.progress = {};
  d.awaiting = true;
  return step(Step::Kind::kAwaitPeer, 0);
}

Step Http1Parser::take_head(Sender sender, Direction& d, std::string_view bytes, HeadScan& scan, size_t before) {
  const Framing framing{.kind = kind_of(scan),
                        .status = scan.start_line.status,
                        .to_http2 = scan.start_line.status == 101 && scan.upgrades_to_http2,
                        .body = scan.body};
  HeadPointer head = http::MessageHead::make({.fields = scan.fields,
                                              .status = scan.start_line.status,
                                              .version = scan.start_line.minor_version,
                                              .rpc = scan.rpc,
                                              .rpc_status = scan.rpc_status});
  if (scan.context_fields.empty() && !scan.has_secret)
    known_heads_[static_cast<size_t>(sender)].learn(bytes.substr(0, scan.length), framing, head);
  Step s = take_head(sender, d, framing, std::move(head), before + scan.length);
  if (!scan.context_fields.empty() && s.kind == Step::Kind::kHead) s.context_fields = context_fields_ = std::move(scan.context_fields);
  return s;
}

Step Http1Parser::take_head(Sender sender, Direction& d, const Framing& framing, HeadPointer head, size_t consumed) {
  const bool is_request = sender == Sender::kClient;
  d.body_bytes = 0;
  d.chunk_bytes = 0;
  d.trailer_bytes = 0;
  if (is_request) {
    frame_request(d, framing);
  } else {
    frame_response(d, framing);
  }
  d.hunting = false;
  if (d.orphan) return skip(consumed, d.body_bytes);
  Step s = step(Step::Kind::kHead, consumed);
  s.is_request = is_request;
  s.is_interim = !is_request && (is_interim(framing.status) || successor_ != nullptr);  // the answer itself is stream 1's
  s.head = std::move(head);
  s.skip = d.body_bytes;
  s.is_whole = d.state == State::kEnd && d.body_bytes == 0;
  s.is_last = s.is_whole && !opaque_ && !(is_request && asks_to_leave(framing.kind));
  if (s.is_whole) d.state = State::kStart;
  return s;
}

uint64_t Http1Parser::body_bytes(Sender sender, uint64_t stream_id, uint64_t skipped) const {
  if (successor_ != nullptr) return successor_->body_bytes(sender, stream_id, skipped);
  const Direction& d = directions_[static_cast<size_t>(sender)];
  const bool has_chunks = d.state == State::kChunkLine || d.state == State::kTrailer;  // before the first, `skipped` is an earlier body's
  return has_chunks ? d.body_bytes - d.chunk_bytes + std::min(skipped, d.chunk_bytes) : skipped;
}

/// RFC 9112 §6.3.
void Http1Parser::frame_request(Direction& d, const Framing& framing) {
  const BodyFields& body = framing.body;
  d.state = State::kEnd;
  if (framing.kind != RequestKind::kConnect) {
    if (body.has_transfer_encoding)
      d.state = body.ends_chunked ? State::kChunkLine : State::kUnframed;
    else
      d.body_bytes = body.content_length.value_or(0);
  }
  outstanding_.push(framing.kind);
}

void Http1Parser::frame_response(Direction& d, const Framing& framing) {
  const uint16_t status = framing.status;
  const BodyFields& body = framing.body;
  if (is_interim(status)) {
    d.state = State::kStart;
    return;
  }
  RequestKind kind = RequestKind::kPlain;
  if (!d.orphan) {
    kind = outstanding_.oldest();
    outstanding_.pop();
  }
  if (framing.to_http2 && asks_to_upgrade(kind)) {
    successor_ = std::make_unique<http2::Http2Parser>(http2::Http2Parser::Begin::kUpgraded);
    d.state = State::kStart;
    return;
  }
  const bool leaves_http = status == 101 || (kind == RequestKind::kConnect && status < 300);
  if (leaves_http) {
    opaque_ = true;
    d.state = State::kEnd;
  } else if (has_no_body(kind) || status == 204 || status == 304) {
    d.state = State::kEnd;
  } else if (body.has_transfer_encoding) {
    d.state = body.ends_chunked ? State::kChunkLine : State::kToClose;
  } else if (body.content_length) {
    d.state = State::kEnd;
    d.body_bytes = *body.content_length;
  } else {
    d.state = State::kToClose;
  }
}

Step Http1Parser::parse_chunk(Direction& d, std::string_view bytes) {
  const ChunkLine line = parse_chunk_line(bytes, d.progress.searched);
  d.progress.searched = line.status == ChunkLine::Status::kIncomplete ? bytes.size() : 0;
  if (line.status == ChunkLine::Status::kInvalid) return reject(d, 0, line.reason, true);
  if (line.status == ChunkLine::Status::kIncomplete) return step(Step::Kind::kNeedMore, 0);
  if (line.size > 0) {
    d.body_bytes += line.size;
    d.chunk_bytes = line.size;
    return skip(line.length, line.size + 2);
  }
  d.state = State::kTrailer;
  Step trailer = parse_trailer(d, bytes.substr(line.length));
  trailer.consumed += line.length;
  return trailer;
}

Step Http1Parser::parse_trailer(Direction& d, std::string_view bytes) {
  size_t consumed = 0;
  for (;;) {
    const std::string_view rest = bytes.substr(consumed, kTrailerLengthMax - d.trailer_bytes);
    const size_t lf = rest.find('\n', d.progress.searched);
    if (lf == std::string_view::npos) {
      if (rest.size() == kTrailerLengthMax - d.trailer_bytes) return reject(d, consumed, "trailer_too_long", true);
      d.progress.searched = rest.size();
      return step(Step::Kind::kNeedMore, consumed);
    }
    d.progress.searched = 0;
    std::string_view line = rest.substr(0, lf);
    if (line.ends_with('\r')) line.remove_suffix(1);
    // A next message where the trailer's empty line should be: let resync() find it.
    if (!line.empty() && line.find(':') == std::string_view::npos && !is_space(line.front()))
      return reject(d, consumed, "bad_trailer", false);
    consumed += lf + 1;
    d.trailer_bytes += lf + 1;
    if (!line.empty()) continue;
    if (!d.orphan) return end_message(d, consumed);
    end_message(d, 0);
    return skip(consumed, 0);
  }
}

Step Http1Parser::end_message(Direction& d, size_t consumed) {
  Step s = step(Step::Kind::kEnd, consumed);
  s.body_bytes = d.body_bytes;
  s.is_last = !opaque_ && !follows_request_to_leave(Sender::kClient);
  d.state = State::kStart;
  d.orphan = false;
  return s;
}

Step Http1Parser::reject(Direction& d, size_t consumed, std::string_view reason, bool drop_line) {
  d.progress = {};
  d.rejected = drop_line;
  Step s = step(Step::Kind::kInvalid, consumed);
  s.reason = reason;
  return s;
}

void Http1Parser::restart(Sender sender) {
  if (successor_)
    successor_->restart(sender);
  else
    direction(sender) = {};
}

size_t Http1Parser::memory_bytes() const {
  return sizeof *this + outstanding_.memory_bytes() + context_fields_.capacity() * sizeof(HeaderField) + known_heads_[0].memory_bytes() +
         known_heads_[1].memory_bytes() + (successor_ ? successor_->memory_bytes() : 0);
}

size_t Http1Parser::hunt(Sender sender, Direction& d, std::string_view bytes) const {
  size_t dropped = 0;
  for (;;) {
    if (d.mid_line) {
      const size_t lf = bytes.find('\n', dropped);
      if (lf == std::string_view::npos) return bytes.size();
      dropped = lf + 1;
      d.mid_line = false;
    }
    const std::string_view rest = bytes.substr(dropped);
    if (rest.empty() || may_begin(sender, rest)) return dropped;
    d.mid_line = true;
  }
}

size_t Http1Parser::resync(Sender sender, std::string_view bytes) {
  if (successor_) return successor_->resync(sender, bytes);
  Direction& d = direction(sender);
  d.state = State::kStart;
  d.progress = {};
  if (opaque_) return bytes.size();
  // Passing over the response that waits, unless that one has got lost as well.
  if (std::exchange(d.awaiting, false) && may_begin(sender, bytes.substr(leading_empty_lines(bytes)))) {
    d.orphan = true;
    return 0;
  }
  if (sender == Sender::kServer) outstanding_.clear();
  d.orphan = false;
  d.hunting = true;
  d.mid_line = std::exchange(d.rejected, false);
  return hunt(sender, d, bytes);
}

bool Http1Parser::finish(Sender sender) {
  if (successor_) return successor_->finish(sender);
  Direction& d = direction(sender);
  const bool completes = d.state == State::kToClose || d.state == State::kClosing;
  const bool told = completes && !d.orphan;
  if (completes) end_message(d, 0);
  return told;
}

}  // namespace clew::protocols::http1
