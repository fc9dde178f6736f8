// SPDX-License-Identifier: Apache-2.0
// Joins classifier and parser.
#include "protocols/http2/http2.h"

#include <algorithm>

#include "protocols/http2/frame.h"
#include "protocols/http2/parser.h"

namespace clew::protocols::http2 {
namespace {

constexpr size_t kFramesStrong = 3;

/// Whose header block begins with this field? Static entries 2…7 are of requests, as is the name of entry 1; 8…14 are of responses.
bool contradicts(Sender sender, const FrameHeader& frame, std::string_view payload) {
  if (frame.type != FrameType::kHeaders) return sender == Sender::kClient && frame.type == FrameType::kPushPromise;
  const size_t before = (frame.has(kPadded) ? 1U : 0U) + (frame.has(kHasPriority) ? 5U : 0U);
  if (payload.size() <= before) return false;
  const auto first = static_cast<uint8_t>(payload[before]);
  const unsigned index = (first & 0x80U) != 0 ? first & 0x7fU : (first & 0x40U) != 0 ? first & 0x3fU : first & 0x0fU;
  if (index >= 1 && index <= 7) return sender == Sender::kServer;
  if (index >= 8 && index <= 14) return sender == Sender::kClient;
  return false;
}

}  // namespace

Claim Http2::classify(Sender sender, std::string_view bytes) const {
  if (bytes.starts_with(kPreface)) return sender == Sender::kClient ? Claim::kStrong : Claim::kNo;
  if (kPreface.starts_with(bytes)) return sender == Sender::kClient ? Claim::kNeedMore : Claim::kNo;
  if (bytes.size() < kFrameHeaderLength) return may_become_plausible(bytes) ? Claim::kNeedMore : Claim::kNo;
  const FrameHeader first = read_frame_header(bytes);
  const bool is_settings = first.type == FrameType::kSettings && !first.has(kAck);
  const bool may_begin = is_settings && sender == Sender::kServer;
  // What a server sends behind its SETTINGS may be of a length that the client has allowed, who is told of later.
  const FrameChain chain = follow_frames(bytes, may_begin ? 1 : kFramesStrong);
  if (chain.is_broken) return Claim::kNo;
  if (contradicts(sender, first, bytes.substr(kFrameHeaderLength, first.length))) return Claim::kNo;
  // A server begins so; a client's first SETTINGS stand behind its preface.
  if (is_settings) return may_begin ? Claim::kStrong : Claim::kNo;
  if (first.type == FrameType::kContinuation) return Claim::kNo;
  return chain.frames >= kFramesStrong ? Claim::kStrong : Claim::kWeak;
}

std::unique_ptr<Parser> Http2::make_parser(bool from_start) const {
  return std::make_unique<Http2Parser>(from_start ? Http2Parser::Begin::kStart : Http2Parser::Begin::kMiddle);
}

}  // namespace clew::protocols::http2
