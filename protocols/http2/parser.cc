// SPDX-License-Identifier: Apache-2.0
// The two directions of a connection, frame by frame.
#include "protocols/http2/parser.h"

#include <algorithm>
#include <utility>

#include "protocols/http2/error_code.h"

namespace clew::protocols::http2 {
namespace {

constexpr size_t kHuntFrames = 3;  // in a row leave no doubt
constexpr std::string_view kTooLarge = "header_block_too_large";

Step step(Step::Kind kind, size_t consumed) {
  Step s;
  s.kind = kind;
  s.consumed = consumed;
  return s;
}

/// Passes over bytes, of which some may not be there yet.
Step pass(size_t consumed, uint64_t more) {
  Step s = step(Step::Kind::kSkip, consumed);
  s.skip = more;
  return s;
}

size_t index_of(Sender sender) { return static_cast<size_t>(sender); }

bool may_concern_exchange(FrameType type) {
  return type == FrameType::kData || type == FrameType::kHeaders || type == FrameType::kRstStream;
}

bool is_interim(uint16_t status) { return status >= 100 && status < 200; }

}  // namespace

Http2Parser::Http2Parser(Begin begin)
    : directions_{Direction(begin != Begin::kMiddle), Direction(begin != Begin::kMiddle)},
      from_start_(begin != Begin::kMiddle),
      is_upgraded_(begin == Begin::kUpgraded) {
  if (!from_start_) {
    for (Direction& d : directions_) d.frame_length_max = kFrameLengthMax;
    return;
  }
  direction(Sender::kClient).state = State::kBegin;
  direction(Sender::kServer).state = State::kSettings;
  if (!is_upgraded_) return;
  direction(Sender::kServer).hpack.allow(HpackDecoder::kTableBytesMax);  // by a header field of HTTP/1, that is not read
  streams_[1].ended[index_of(Sender::kClient)] = true;
  latest_request_ = 1;
}

size_t Http2Parser::memory_bytes() const {
  size_t bytes = sizeof *this + fields_.memory_bytes() + block_.capacity() + refused_.capacity() * sizeof(uint32_t);
  for (const Direction& d : directions_) bytes += d.hpack.memory_bytes();
  return bytes + streams_.capacity() * (sizeof(Stream) + sizeof(uint64_t));
}

uint64_t Http2Parser::body_bytes(Sender sender, uint64_t stream_id, uint64_t /*skipped*/) const {
  const auto found = streams_.find(is_upgraded_ && stream_id == 0 ? 1 : static_cast<uint32_t>(stream_id));
  return found == streams_.end() ? 0 : found->second.bytes[index_of(sender)];
}

Step Http2Parser::parse(Sender sender, std::string_view bytes) {
  Direction& d = direction(sender);
  d.is_awaiting = false;
  if (is_opaque_) return step(Step::Kind::kOpaque, 0);
  if (!refused_.empty()) {
    const uint32_t id = refused_.back();
    refused_.pop_back();
    return abort(id, "REFUSED_STREAM", false, 0);
  }
  switch (d.state) {
    case State::kBegin: {
      const size_t n = std::min(bytes.size(), kPreface.size());
      if (bytes.substr(0, n) != kPreface.substr(0, n)) return opaque("bad_preface", 0);
      if (n < kPreface.size()) return step(Step::Kind::kNeedMore, 0);
      d.state = State::kSettings;
      return pass(n, 0);
    }
    case State::kEnd: {
      d.state = State::kFrame;
      Step s = end_stream(sender, std::exchange(d.ending, 0), 0);
      if (std::exchange(d.ends_unread, false) && s.kind == Step::Kind::kEnd) {
        s.tail = http::MessageHead::make({.version = http::kHttp2, .is_partial = true});
        s.is_partial = true;
      }
      return s;
    }
    case State::kOverlong: return pass_block(d, bytes);
    case State::kHunting: {
      const size_t dropped = hunt(d, bytes);
      return d.state == State::kHunting ? step(Step::Kind::kNeedMore, dropped) : pass(dropped, 0);
    }
    case State::kSettings:
    case State::kFrame: break;
  }
  return parse_frames(sender, d, bytes);
}

// The other end may have allowed it by SETTINGS that are told of later.
bool Http2Parser::may_be_allowed(const FrameHeader& frame) const {
  return (frame.type == FrameType::kData || frame.type == FrameType::kHeaders) && streams_.contains(frame.stream_id);
}

// Frames that concern no exchange are done with here; the one that does comes first in its step.
Step Http2Parser::parse_frames(Sender sender, Direction& d, std::string_view bytes) {
  size_t passed = 0;
  for (;;) {
    const std::string_view rest = bytes.substr(passed);
    if (rest.size() < kFrameHeaderLength) return step(Step::Kind::kNeedMore, passed);
    const FrameHeader frame = read_frame_header(rest);
    if (d.state == State::kSettings) {
      // Others tunnel what they like behind the preface.
      if (frame.type != FrameType::kSettings || !frame_error(frame).empty()) return opaque("settings_missing", passed);
      d.state = State::kFrame;
    }
    if (const std::string_view reason = frame_error(frame); !reason.empty()) return invalid(d, reason, passed, false);
    if ((frame.length > d.frame_length_max && !may_be_allowed(frame)) ||
        (frame.type != FrameType::kData && frame.length > kControlLengthMax))
      return invalid(d, "frame_too_large", passed, false);
    if (passed > 0 && may_concern_exchange(frame.type)) return pass(passed, 0);  // it is asked for again, and begins with its first byte
    size_t skipped = 0;
    Step s = parse_frame(sender, d, rest, frame, skipped);
    if (skipped > 0) {
      passed += skipped;
      continue;
    }
    s.consumed += passed;
    return s;
  }
}

// `passed`: it says nothing, and has so many bytes.
Step Http2Parser::parse_frame(Sender sender, Direction& d, std::string_view bytes, const FrameHeader& frame, size_t& passed) {
  const size_t length = kFrameHeaderLength + frame.length;
  switch (frame.type) {
    case FrameType::kData: return take_data(sender, d, bytes, frame);
    case FrameType::kHeaders:
    case FrameType::kPushPromise: return take_block(sender, d, bytes, frame);
    case FrameType::kContinuation: return invalid(d, "unexpected_continuation", 0, false);
    case FrameType::kRstStream:
      if (bytes.size() < length) return step(Step::Kind::kNeedMore, 0);
      if (streams_.contains(frame.stream_id)) return take_reset(sender, bytes, frame);
      break;
    case FrameType::kWindowUpdate:
      if (bytes.size() < length) return step(Step::Kind::kNeedMore, 0);
      if ((read_u32(bytes.substr(kFrameHeaderLength)) & 0x7fffffffU) == 0) {
        Step s = invalid(d, "bad_window_increment", length, true);
        s.stream_id = frame.stream_id;
        d.is_aligned = frame.stream_id == 0;  // else nothing is resynced: a hole that comes later would be taken for this
        return s;
      }
      break;
    case FrameType::kSettings:
    case FrameType::kGoaway: {
      if (bytes.size() < std::min(length, kFrameHeaderLength + kFrameLengthDefault)) return step(Step::Kind::kNeedMore, 0);
      const std::string_view payload = bytes.substr(kFrameHeaderLength, frame.length);
      if (frame.type == FrameType::kSettings)
        take_settings(sender, payload);
      else
        take_goaway(sender, payload);
      if (!refused_.empty()) return pass(std::min(length, bytes.size()), length - std::min(length, bytes.size()));
      break;
    }
    default: break;
  }
  if (bytes.size() < length) return pass(bytes.size(), length - bytes.size());
  passed = length;
  return {};
}

Step Http2Parser::invalid(Direction& d, std::string_view reason, size_t consumed, bool is_aligned) {
  d.is_aligned = is_aligned;
  Step s = step(Step::Kind::kInvalid, is_aligned ? consumed : consumed + 1);  // a frame that is none must not be found again
  s.reason = reason;
  return s;
}

Step Http2Parser::opaque(std::string_view reason, size_t consumed) {
  is_opaque_ = true;
  Step s = step(Step::Kind::kOpaque, consumed);
  s.reason = reason;
  return s;
}

void Http2Parser::take_settings(Sender sender, std::string_view payload) {
  Direction& peer = direction(peer_of(sender));
  for (; payload.size() >= 6; payload.remove_prefix(6)) {
    const uint32_t value = read_u32(payload.substr(2));
    switch (read_u32(payload) >> 16U) {
      case 1: peer.hpack.allow(value); break;
      case 5: peer.frame_length_max = std::clamp(value, peer.frame_length_max, kFrameLengthMax); break;
      default: break;
    }
  }
}

// The server says which streams it has not touched, and never will.
void Http2Parser::take_goaway(Sender sender, std::string_view payload) {
  if (sender != Sender::kServer || payload.size() < 4) return;
  const uint32_t last = read_u32(payload) & 0x7fffffffU;
  goaway_ = std::min(goaway_, last);
  if (last > goaway_ || last >= latest_request_ || ++goaways_ > kGoawaysMax) return;
  streams_.for_each([&](const auto& entry) {
    if (entry.first > last && !entry.second.is_answered) refused_.push_back(entry.first);
  });
  std::ranges::sort(refused_, std::greater<>());  // told from the back
}

Step Http2Parser::take_reset(Sender sender, std::string_view bytes, const FrameHeader& frame) {
  const size_t length = kFrameHeaderLength + frame.length;
  return abort(frame.stream_id, name_of_error(read_u32(bytes.substr(kFrameHeaderLength))), sender == Sender::kClient, length);
}

Step Http2Parser::abort(uint32_t id, std::string_view reason, bool by_client, size_t consumed) {
  Step s = step(Step::Kind::kAbort, consumed);
  const auto found = streams_.find(id);
  s.stream_id = id_of(id);
  s.reason = reason;
  s.by_client = by_client;
  if (found != streams_.end()) {
    s.body_bytes = found->second.bytes[index_of(Sender::kClient)];
    s.other_bytes = found->second.bytes[index_of(Sender::kServer)];
    streams_.erase(found);
  }
  return s;
}

Step Http2Parser::end_stream(Sender sender, uint32_t id, size_t consumed) {
  const auto found = streams_.find(id);
  if (found == streams_.end()) return pass(consumed, 0);
  Stream& stream = found->second;
  if (sender == Sender::kServer && !stream.is_answered) {  // the head of the response has passed unseen, or there is none
    Step s = abort(id, {}, false, consumed);
    s.is_partial = true;
    return s;
  }
  Step s = step(Step::Kind::kEnd, consumed);
  s.stream_id = id_of(id);
  s.body_bytes = stream.bytes[index_of(sender)];
  stream.ended[index_of(sender)] = true;
  if (stream.ended[index_of(peer_of(sender))]) streams_.erase(found);
  return s;
}

Step Http2Parser::take_data(Sender sender, Direction& d, std::string_view bytes, const FrameHeader& frame) {
  size_t head = kFrameHeaderLength;
  uint32_t padding = 0;
  if (frame.has(kPadded)) {
    if (frame.length == 0) return invalid(d, "bad_padding", 0, false);
    if (bytes.size() <= head) return step(Step::Kind::kNeedMore, 0);
    padding = static_cast<uint8_t>(bytes[head++]);
    if (padding >= frame.length) return invalid(d, "bad_padding", 0, false);
    ++padding;
  }
  const size_t rest = kFrameHeaderLength + frame.length - head;
  const auto found = streams_.find(frame.stream_id);
  if (found == streams_.end() || found->second.ended[index_of(sender)]) return pass(head, rest);
  found->second.bytes[index_of(sender)] += frame.length - padding;
  if (!frame.has(kEndStream)) return pass(head, rest);
  if (rest == 0) return end_stream(sender, frame.stream_id, head);
  d.state = State::kEnd;
  d.ending = frame.stream_id;
  return pass(head, rest);
}

// Only now that all of it is there: while it was coming, it was looked at with every piece.
std::string_view Http2Parser::join(std::string_view fragment, std::string_view continuations) {
  block_.assign(fragment);
  while (!continuations.empty()) {
    const size_t length = read_frame_header(continuations).length;
    block_.append(continuations.substr(kFrameHeaderLength, length));
    continuations.remove_prefix(kFrameHeaderLength + length);
  }
  return block_;
}

Http2Parser::Block Http2Parser::read_block(std::string_view bytes, const FrameHeader& first, const Direction& d) {
  Block block;
  FrameHeader frame = first;
  block.ends_stream = first.type == FrameType::kHeaders && first.has(kEndStream);
  for (size_t frames = 0;; ++frames) {
    const size_t end = block.length + kFrameHeaderLength + frame.length;
    if (end > kBlockBytesMax || frames == kBlockFramesMax) {
      block.reason = kTooLarge;
      return block;
    }
    if (bytes.size() < end) return block;
    if (frames == 0) {
      std::string_view part = bytes.substr(kFrameHeaderLength, frame.length);
      size_t padding = 0;
      if (frame.has(kPadded)) {
        padding = part.empty() ? 1 : static_cast<uint8_t>(part.front());
        part.remove_prefix(std::min<size_t>(part.size(), 1));
      }
      const bool is_promise = first.type == FrameType::kPushPromise;
      const size_t fixed = is_promise ? 4 : frame.has(kHasPriority) ? 5 : 0;
      if (part.size() < fixed + padding) {
        block.reason = "bad_padding";
        return block;
      }
      if (const uint32_t promised = is_promise ? read_u32(part) & 0x7fffffffU : 2; promised == 0 || promised % 2 != 0) {
        block.reason = "bad_promised_stream";
        return block;
      }
      block.fragment = part.substr(fixed, part.size() - fixed - padding);
    }
    block.length = end;
    if (frame.has(kEndHeaders)) {
      if (frames > 0)
        block.fragment = join(block.fragment, bytes.substr(kFrameHeaderLength + first.length, end - kFrameHeaderLength - first.length));
      block.is_whole = true;
      return block;
    }
    const std::string_view rest = bytes.substr(end);
    if (rest.size() < kFrameHeaderLength) return block;
    frame = read_frame_header(rest);
    if (frame.type != FrameType::kContinuation || frame.stream_id != first.stream_id) {
      block.reason = "missing_continuation";
      return block;
    }
    if (frame.length > d.frame_length_max) {
      block.reason = "frame_too_large";
      return block;
    }
  }
}

// The server tells of a response before the client's request is told of.
bool Http2Parser::opens_later(Sender sender, uint32_t id) const {
  if (sender == Sender::kClient || id % 2 == 0 || id <= latest_request_) return false;
  return (from_start_ || latest_request_ > 0) && !is_hunting(Sender::kClient);
}

// Its frames are as they should be; nothing but their number or length is wrong.
Step Http2Parser::give_up_block(Sender sender, Direction& d, const FrameHeader& frame) {
  d.state = State::kOverlong;
  d.ending = frame.stream_id;
  d.ends_unread = frame.type == FrameType::kHeaders && frame.has(kEndStream);
  d.in_block = false;
  d.hpack.forget();
  if (sender == Sender::kClient && frame.stream_id % 2 != 0) latest_request_ = std::max(latest_request_, frame.stream_id);
  Step s = step(Step::Kind::kInvalid, 0);
  s.stream_id = frame.stream_id;
  s.reason = kTooLarge;
  return s;
}

Step Http2Parser::pass_block(Direction& d, std::string_view bytes) {
  if (bytes.size() < kFrameHeaderLength) return step(Step::Kind::kNeedMore, 0);
  const FrameHeader frame = read_frame_header(bytes);
  if (d.in_block && (frame.type != FrameType::kContinuation || frame.stream_id != d.ending || frame.length > d.frame_length_max)) {
    d.ends_unread = false;
    return invalid(d, "missing_continuation", 0, false);
  }
  d.in_block = true;
  if (frame.has(kEndHeaders)) d.state = d.ends_unread ? State::kEnd : State::kFrame;
  const size_t length = kFrameHeaderLength + frame.length;
  const size_t there = std::min(length, bytes.size());
  return pass(there, length - there);
}

Step Http2Parser::take_block(Sender sender, Direction& d, std::string_view bytes, const FrameHeader& frame) {
  const Block block = read_block(bytes, frame, d);
  if (block.reason == kTooLarge) return give_up_block(sender, d, frame);
  if (!block.reason.empty()) return invalid(d, block.reason, 0, false);
  if (!block.is_whole) return step(Step::Kind::kNeedMore, 0);
  const bool is_promise = frame.type == FrameType::kPushPromise;
  if (!is_promise && opens_later(sender, frame.stream_id)) {
    d.is_awaiting = true;
    return step(Step::Kind::kAwaitPeer, 0);
  }
  fields_.clear();
  const std::string_view reason = d.hpack.decode(block.fragment, fields_);
  if (block_.capacity() > kSpareBytesMax) std::string().swap(block_);
  if (!reason.empty()) return invalid(d, reason, block.length, true);
  const Step nothing = pass(block.length, 0);
  if (is_promise) return nothing;
  const uint32_t id = frame.stream_id;
  const auto found = streams_.find(id);
  if (found != streams_.end()) {
    Stream& stream = found->second;
    if (stream.ended[index_of(sender)]) return nothing;
    if (sender == Sender::kServer && !stream.is_answered) return take_response(d, id, stream, block);
    return take_trailers(sender, d, id, block);
  }
  if (sender == Sender::kServer || id % 2 == 0 || id <= latest_request_) return nothing;
  // In the middle: trailers of a request that was not seen.
  if (!fields_.has_pseudo_field() && (!fields_.has_unknown() || block.ends_stream)) return nothing;
  return take_request(d, id, block);
}

HeadPointer Http2Parser::head_of(HeadPointer& known, const http::HeadParts& parts) {
  if (!known || http::as_message(known.get())->parts() != parts) known = http::MessageHead::make(parts);
  return known;
}

Step Http2Parser::take_request(Direction& d, uint32_t id, const Block& block) {
  latest_request_ = id;
  Step s = step(Step::Kind::kInvalid, block.length);
  s.stream_id = id;
  if (fields_.is_too_large()) {
    s.reason = "header_list_too_large";
    return s;
  }
  if (streams_.size() >= kStreamsMax) {
    s.reason = "too_many_streams";
    return s;
  }
  Stream& stream = streams_[id];
  stream.ended[index_of(Sender::kClient)] = block.ends_stream;
  s.kind = Step::Kind::kHead;
  s.is_request = true;
  const http::HeadParts parts = fields_.parts();
  s.head = head_of(d.known_head, parts);
  s.is_partial = parts.is_partial;
  s.context_fields = fields_.context_fields();
  s.is_whole = block.ends_stream;
  if (id > goaway_) refused_.insert(refused_.begin(), id);  // sent before the client has read that
  return s;
}

Step Http2Parser::take_response(Direction& d, uint32_t id, Stream& stream, const Block& block) {
  http::HeadParts parts = fields_.parts();
  parts.fields = {};  // those are a request's
  if (is_interim(parts.status) && !block.ends_stream) return pass(block.length, 0);
  if (!fields_.has_status()) {  // trailers, or nobody knows: the head itself has passed unseen
    if (!block.ends_stream) return pass(block.length, 0);
    Step s = abort(id, {}, false, block.length);
    s.tail = tail_of(d, parts);
    s.is_partial = true;
    return s;
  }
  stream.is_answered = true;
  Step s = step(Step::Kind::kHead, block.length);
  s.stream_id = id_of(id);
  s.head = head_of(d.known_head, parts);
  s.is_partial = parts.is_partial;
  s.is_whole = block.ends_stream;
  if (block.ends_stream) {
    stream.ended[index_of(Sender::kServer)] = true;
    if (stream.ended[index_of(Sender::kClient)]) streams_.erase(streams_.find(id));
  }
  return s;
}

// What trailers say; null if that is nothing.
HeadPointer Http2Parser::tail_of(Direction& d, const http::HeadParts& parts) {
  const bool has_status = parts.rpc_status != http::kNoRpcStatus;
  if (!has_status && !fields_.has_unknown()) return nullptr;
  return head_of(d.known_tail, {.version = http::kHttp2, .rpc_status = parts.rpc_status, .is_partial = !has_status});
}

Step Http2Parser::take_trailers(Sender sender, Direction& d, uint32_t id, const Block& block) {
  if (!block.ends_stream) return pass(block.length, 0);
  Step s = end_stream(sender, id, block.length);
  if (sender == Sender::kServer) s.tail = tail_of(d, fields_.parts());
  s.is_partial = s.tail && http::as_message(s.tail.get())->is_partial();
  return s;
}

// How many bytes lie before the next place where a frame begins without doubt, or else before the first where one may begin. Of
// several it is the one that leaves no doubt first, however the bytes are cut.
size_t Http2Parser::hunt(Direction& d, std::string_view bytes) {
  size_t possible = bytes.size();
  size_t found = bytes.size();
  size_t found_end = SIZE_MAX;
  for (size_t at = 0; at < bytes.size() && at + kHuntFrames * kFrameHeaderLength < found_end; ++at) {
    const std::string_view rest = bytes.substr(at);
    if (!may_become_plausible(rest.substr(0, kFrameHeaderLength))) continue;
    const FrameChain chain = follow_frames(rest, kHuntFrames);
    if (chain.is_broken) continue;
    possible = std::min(possible, at);
    if (chain.frames < kHuntFrames || at + chain.headers_end >= found_end) continue;
    found = at;
    found_end = at + chain.headers_end;
  }
  if (found_end == SIZE_MAX) return possible;
  d.state = State::kFrame;
  return found;
}

size_t Http2Parser::resync(Sender sender, std::string_view bytes) {
  Direction& d = direction(sender);
  if (is_opaque_) return bytes.size();
  if (std::exchange(d.is_awaiting, false) && !bytes.empty()) {  // nobody will ask for it
    latest_request_ = std::max(latest_request_, bytes.size() < kFrameHeaderLength ? 0 : read_frame_header(bytes).stream_id);
    return 0;
  }
  streams_.clear();
  refused_.clear();
  goaway_ = UINT32_MAX;  // it may have been read where no frame began; if not, the server answers no other stream anyway
  d.hpack.forget();
  d.ending = 0;
  d.ends_unread = false;
  d.state = std::exchange(d.is_aligned, false) ? State::kFrame : State::kHunting;
  return d.state == State::kHunting ? hunt(d, bytes) : 0;
}

void Http2Parser::restart(Sender sender) {
  Direction& d = direction(sender);
  d.hpack.forget();
  d.ending = 0;
  d.ends_unread = false;
  d.is_awaiting = false;
  d.state = State::kFrame;
}

}  // namespace clew::protocols::http2
