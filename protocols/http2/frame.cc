// SPDX-License-Identifier: Apache-2.0
// What each type of frame may look like.
#include "protocols/http2/frame.h"

#include <array>
#include <optional>

namespace clew::protocols::http2 {
namespace {

enum class Where : uint8_t { kStream, kConnection, kBoth };

struct Shape {
  uint8_t flags;  // that are defined
  Where where;
  std::optional<uint32_t> length;  // if fixed
};
constexpr std::array<Shape, 10> kShapes = {{
    {kEndStream | kPadded, Where::kStream, std::nullopt},                               // DATA
    {kEndStream | kEndHeaders | kPadded | kHasPriority, Where::kStream, std::nullopt},  // HEADERS
    {0, Where::kStream, 5},                                                             // PRIORITY
    {0, Where::kStream, 4},                                                             // RST_STREAM
    {kAck, Where::kConnection, std::nullopt},                                           // SETTINGS
    {kEndHeaders | kPadded, Where::kStream, std::nullopt},                              // PUSH_PROMISE
    {kAck, Where::kConnection, 8},                                                      // PING
    {0, Where::kConnection, std::nullopt},                                              // GOAWAY
    {0, Where::kBoth, 4},                                                               // WINDOW_UPDATE
    {kEndHeaders, Where::kStream, std::nullopt},                                        // CONTINUATION
}};
constexpr uint32_t kSettingsMax = 32;      // that anybody sends at once
constexpr uint32_t kDebugBytesMax = 4096;  // behind a GOAWAY

}  // namespace

std::string_view frame_error(const FrameHeader& frame) {
  const auto type = static_cast<size_t>(frame.type);
  if (type >= kShapes.size()) return {};
  const Shape& shape = kShapes[type];
  if (shape.length && *shape.length != frame.length) return "bad_frame_size";
  if (shape.where == Where::kStream && frame.stream_id == 0) return "frame_without_stream";
  if (shape.where == Where::kConnection && frame.stream_id != 0) return "frame_on_stream";
  switch (frame.type) {
    case FrameType::kSettings:
      if (frame.has(kAck) ? frame.length != 0 : frame.length % 6 != 0) return "bad_frame_size";
      break;
    case FrameType::kGoaway:
      if (frame.length < 8) return "bad_frame_size";
      break;
    default: break;
  }
  return {};
}

bool is_plausible(const FrameHeader& frame) {
  const auto type = static_cast<size_t>(frame.type);
  if (type >= kShapes.size() || frame.reserved || frame.length > kFrameLengthDefault || !frame_error(frame).empty()) return false;
  if ((frame.flags & ~kShapes[type].flags) != 0) return false;
  switch (frame.type) {
    case FrameType::kHeaders: return frame.length > 0;
    case FrameType::kPushPromise: return frame.length > 4;
    case FrameType::kSettings: return frame.length <= 6 * kSettingsMax;
    case FrameType::kGoaway: return frame.length <= 8 + kDebugBytesMax;
    default: return true;
  }
}

FrameChain follow_frames(std::string_view bytes, size_t frames_max) {
  FrameChain chain;
  const size_t size = bytes.size();
  bool in_block = false;  // only CONTINUATION may follow
  while (chain.frames < frames_max && bytes.size() >= kFrameHeaderLength) {
    const FrameHeader frame = read_frame_header(bytes);
    const bool continues = frame.type == FrameType::kContinuation;
    if (!is_plausible(frame) || (chain.frames > 0 && continues != in_block)) {
      chain.is_broken = true;
      return chain;
    }
    ++chain.frames;
    chain.headers_end = size - bytes.size() + kFrameHeaderLength;
    in_block = (frame.type == FrameType::kHeaders || frame.type == FrameType::kPushPromise || continues) && !frame.has(kEndHeaders);
    const size_t length = kFrameHeaderLength + frame.length;
    if (bytes.size() < length) return chain;
    bytes.remove_prefix(length);
    chain.ends_exactly = bytes.empty();
  }
  if (chain.frames < frames_max && !bytes.empty()) chain.is_broken = !may_become_plausible(bytes);
  return chain;
}

bool may_become_plausible(std::string_view bytes) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  if (!bytes.empty() && at(0) != 0) return false;  // 16 KiB at the most
  if (bytes.size() >= 2 && at(1) > 0x40) return false;
  if (bytes.size() < 4) return true;
  if (at(3) >= kShapes.size()) return false;
  const Shape& shape = kShapes[at(3)];
  const uint32_t length = read_u32(bytes) >> 8U;
  if (length > kFrameLengthDefault || (shape.length && *shape.length != length)) return false;
  if (bytes.size() >= 5 && (at(4) & ~shape.flags) != 0) return false;
  if (bytes.size() < 6) return true;
  for (size_t i = 5; i < bytes.size(); ++i)
    if (shape.where == Where::kConnection && at(i) != 0) return false;
  return at(5) < 0x80;
}

}  // namespace clew::protocols::http2
