// SPDX-License-Identifier: Apache-2.0
// HTTP/1 on one connection: heads, the framing of bodies, and which request a response answers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "protocols/http1/head_scan.h"
#include "protocols/http1/known_head.h"
#include "protocols/http1/outstanding.h"
#include "protocols/http2/parser.h"
#include "protocols/protocol.h"

namespace clew::protocols::http1 {

/// Beyond the contract of protocols::Parser:
/// * An interim response (100, 102, 103 …) gives kHead with is_interim and no kEnd.
/// * A response that comes while no request is outstanding gives kAwaitPeer. resync() then passes over that one response, body and
///   all, without a word; requests that came meanwhile stay outstanding.
/// * Any other resync(kServer) forgets all outstanding requests: the bytes that are missing may have held their responses.
/// * A 101 response that grants an upgrade to HTTP/2 is an interim one: the request is stream 1 from then on, with the id 0.
/// * Behind a request that asks to leave HTTP (CONNECT, Upgrade) the client's bytes give kAwaitPeer until its response is known.
/// * kSkip over a chunk includes its CRLF.
/// * Empty lines before a message give kNeedMore or kSkip of 0: the message begins behind them.
/// * After resync(), and from the beginning if the connection was joined in the middle, bytes are dropped (kNeedMore, or kSkip of 0)
///   until a head is found that leaves no doubt.
class Http1Parser final : public Parser {
 public:
  explicit Http1Parser(bool from_start);

  Step parse(Sender sender, std::string_view bytes) override;
  size_t resync(Sender sender, std::string_view bytes) override;
  void restart(Sender sender) override;
  void forget_earlier_requests() override { outstanding_.keep_newest(); }
  bool finish(Sender sender) override;
  bool is_multiplexed() const override { return successor_ != nullptr; }
  uint64_t body_bytes(Sender sender, uint64_t stream_id, uint64_t skipped) const override;
  bool is_hunting(Sender sender) const override { return successor_ != nullptr && successor_->is_hunting(sender); }
  size_t memory_bytes() const override;

 private:
  enum class State : uint8_t {
    kStart,      // a message may begin
    kEnd,        // the message is complete
    kChunkLine,  // the size of a chunk
    kTrailer,    // lines behind the last chunk
    kToClose,    // the body ends with the connection: to be announced
    kClosing,    // that was announced
    kUnframed,   // nobody can say where the body ends: to be announced
  };

  struct Direction {
    State state = State::kStart;
    bool hunting = false;      // looking for a message start, in bytes that may be anything
    bool mid_line = false;     // hunting: the rest of this line is to be dropped
    bool rejected = false;     // kInvalid was answered for the line at hand: it must not be found again
    bool awaiting = false;     // kAwaitPeer was answered for a response
    bool orphan = false;       // the message answers no known request: pass over it
    HeadProgress progress;     // kStart; `searched` also in kChunkLine and kTrailer
    uint64_t body_bytes = 0;   // so far; announced at once if the head says how many there are
    uint64_t chunk_bytes = 0;  // of them, those of the latest chunk
    size_t trailer_bytes = 0;
  };

  Direction& direction(Sender sender) { return directions_[static_cast<size_t>(sender)]; }
  size_t hunt(Sender sender, Direction& d, std::string_view bytes) const;
  Step parse_start(Sender sender, Direction& d, std::string_view bytes);
  bool answers_nothing(Sender sender, const Direction& d) const { return sender == Sender::kServer && outstanding_.empty() && !d.orphan; }
  bool follows_request_to_leave(Sender sender) const;
  Step await_request(Direction& d);
  Step take_head(Sender sender, Direction& d, std::string_view bytes, HeadScan& scan, size_t before);
  Step take_head(Sender sender, Direction& d, const Framing& framing, HeadPointer head, size_t consumed);
  void frame_request(Direction& d, const Framing& framing);
  void frame_response(Direction& d, const Framing& framing);
  Step parse_chunk(Direction& d, std::string_view bytes);
  Step parse_trailer(Direction& d, std::string_view bytes);
  Step end_message(Direction& d, size_t consumed);
  Step reject(Direction& d, size_t consumed, std::string_view reason, bool drop_line);

  Direction directions_[2];
  KnownHead known_heads_[2];  // by Sender
  Outstanding outstanding_;
  std::vector<HeaderField> context_fields_;  // of the latest request that had some
  bool opaque_ = false;
  std::unique_ptr<http2::Http2Parser> successor_;  // the connection has been upgraded to HTTP/2: all that comes is its
};

}  // namespace clew::protocols::http1
