// SPDX-License-Identifier: Apache-2.0
// HTTP/2 on one connection: frames, header blocks, and the streams that are under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "agent/base/flat_map.h"
#include "protocols/http2/fields.h"
#include "protocols/http2/frame.h"
#include "protocols/http2/hpack.h"
#include "protocols/protocol.h"

namespace clew::protocols::http2 {

/// Beyond the contract of protocols::Parser:
/// * A request begins with the first byte of its HEADERS frame; header blocks are read whole, with all CONTINUATION frames.
/// * Interim responses, what is pushed, and what belongs to streams that were not seen from their start give nothing.
/// * A header block beyond the bounds is passed over, and the table is not known any more; nothing else is touched.
/// * kInvalid with a stream_id concerns that stream only, and wants no resync(): the connection goes on.
/// * A response to a stream that no request has opened yet gives kAwaitPeer: who is faster to tell of what it has sent is chance.
/// * After resync() of a direction its table is not known any more, and no stream is under way. The other direction goes on.
class Http2Parser final : public Parser {
 public:
  static constexpr size_t kStreamsMax = 16384;         // under way; more of them are counted, and give no spans
  static constexpr size_t kBlockBytesMax = 96 * 1024;  // of a header block with its frames
  static constexpr size_t kBlockFramesMax = 256;
  static constexpr size_t kSpareBytesMax = 4096;  // that are kept for the next block
  static constexpr unsigned kGoawaysMax = 32;     // that are looked at

  enum class Begin : uint8_t {
    kStart,     // with the client's preface: prior knowledge
    kUpgraded,  // the same, and stream 1 is a request that came over HTTP/1. It has the id 0 in all steps
    kMiddle,    // nothing is known
  };
  explicit Http2Parser(Begin begin);

  Step parse(Sender sender, std::string_view bytes) override;
  size_t resync(Sender sender, std::string_view bytes) override;
  void restart(Sender sender) override;
  bool finish(Sender /*sender*/) override { return false; }
  bool is_multiplexed() const override { return true; }
  uint64_t body_bytes(Sender sender, uint64_t stream_id, uint64_t skipped) const override;
  bool is_hunting(Sender sender) const override { return directions_[static_cast<size_t>(sender)].state == State::kHunting; }
  size_t memory_bytes() const override;

 private:
  enum class State : uint8_t {
    kBegin,     // of the client: its preface was not seen yet
    kSettings,  // the first frame has to be SETTINGS
    kFrame,     // a frame begins
    kEnd,       // behind the last frame of a stream
    kOverlong,  // within a header block that is not read, as it is too large
    kHunting,   // looking for a frame, in bytes that may be anything
  };
  struct Direction {
    explicit Direction(bool from_start) : hpack(from_start, is_wanted) {}
    State state = State::kHunting;
    bool is_awaiting = false;  // kAwaitPeer was answered
    bool is_aligned = false;   // what was invalid was not the framing
    uint32_t ending = 0;       // kEnd, kOverlong: that stream
    bool ends_unread = false;  // kEnd, kOverlong: with a header block that is not read
    bool in_block = false;     // kOverlong: its first frame has passed
    uint32_t frame_length_max = kFrameLengthDefault;
    HpackDecoder hpack;
    HeadPointer known_head;
    HeadPointer known_tail;
  };
  struct Stream {
    uint64_t bytes[2] = {0, 0};  // of bodies, by Sender
    bool ended[2] = {false, false};
    bool is_answered = false;  // the head of its response was seen
  };
  /// A header block with all its frames.
  struct Block {
    bool is_whole = false;
    size_t length = 0;          // of the frames
    std::string_view reason;    // why it is none
    std::string_view fragment;  // if it came in one frame, else in block_
    bool ends_stream = false;
  };

  Direction& direction(Sender sender) { return directions_[static_cast<size_t>(sender)]; }
  Step parse_frames(Sender sender, Direction& d, std::string_view bytes);
  Step parse_frame(Sender sender, Direction& d, std::string_view bytes, const FrameHeader& frame, size_t& passed);
  std::string_view join(std::string_view fragment, std::string_view continuations);
  Block read_block(std::string_view bytes, const FrameHeader& first, const Direction& d);
  Step give_up_block(Sender sender, Direction& d, const FrameHeader& frame);
  Step pass_block(Direction& d, std::string_view bytes);
  Step take_block(Sender sender, Direction& d, std::string_view bytes, const FrameHeader& frame);
  Step take_request(Direction& d, uint32_t id, const Block& block);
  Step take_response(Direction& d, uint32_t id, Stream& stream, const Block& block);
  HeadPointer tail_of(Direction& d, const http::HeadParts& parts);
  Step take_trailers(Sender sender, Direction& d, uint32_t id, const Block& block);
  Step take_data(Sender sender, Direction& d, std::string_view bytes, const FrameHeader& frame);
  Step take_reset(Sender sender, std::string_view bytes, const FrameHeader& frame);
  void take_settings(Sender sender, std::string_view payload);
  bool may_be_allowed(const FrameHeader& frame) const;
  void take_goaway(Sender sender, std::string_view payload);
  Step end_stream(Sender sender, uint32_t id, size_t consumed);
  Step abort(uint32_t id, std::string_view reason, bool by_client, size_t consumed);
  Step invalid(Direction& d, std::string_view reason, size_t consumed, bool is_aligned);
  Step opaque(std::string_view reason, size_t consumed);
  bool opens_later(Sender sender, uint32_t id) const;
  HeadPointer head_of(HeadPointer& known, const http::HeadParts& parts);
  size_t hunt(Direction& d, std::string_view bytes);
  uint64_t id_of(uint32_t stream) const { return is_upgraded_ && stream == 1 ? 0 : stream; }

  Direction directions_[2];
  base::FlatMap<uint32_t, Stream, std::hash<uint32_t>> streams_;
  std::vector<uint32_t> refused_;  // by a GOAWAY: to be told
  BlockFields fields_;
  std::string block_;            // fragments of the header block at hand
  uint32_t latest_request_ = 0;  // highest stream that the client has opened
  uint32_t goaway_ = UINT32_MAX;
  unsigned goaways_ = 0;
  bool from_start_;
  bool is_upgraded_;
  bool is_opaque_ = false;  // the preface is followed by something else
};

}  // namespace clew::protocols::http2
