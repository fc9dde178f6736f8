// SPDX-License-Identifier: Apache-2.0
// The nine bytes before each frame: RFC 9113 §4.1, and which of them may be one at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clew::protocols::http2 {

inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
inline constexpr size_t kFrameHeaderLength = 9;
inline constexpr uint32_t kFrameLengthDefault = 16384;    // SETTINGS_MAX_FRAME_SIZE
inline constexpr uint32_t kControlLengthMax = 1U << 20U;  // of any frame but DATA, whatever was agreed: HTTP2_CONTROL_MAX of bpf/http2
inline constexpr uint32_t kFrameLengthMax = (1U << 24U) - 1;

enum class FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kPriority = 2,
  kRstStream = 3,
  kSettings = 4,
  kPushPromise = 5,
  kPing = 6,
  kGoaway = 7,
  kWindowUpdate = 8,
  kContinuation = 9,
};

enum FrameFlag : uint8_t { kAck = 0x1, kEndStream = 0x1, kEndHeaders = 0x4, kPadded = 0x8, kHasPriority = 0x20 };

struct FrameHeader {
  uint32_t length = 0;  // of what follows the nine bytes
  FrameType type = FrameType::kData;
  uint8_t flags = 0;
  uint32_t stream_id = 0;
  bool reserved = false;  // the bit beside the stream's id is set: to be ignored, but nobody sets it

  bool has(FrameFlag flag) const { return (flags & flag) != 0; }
};

inline uint32_t read_u32(std::string_view bytes) {
  return uint32_t{static_cast<uint8_t>(bytes[0])} << 24U | uint32_t{static_cast<uint8_t>(bytes[1])} << 16U |
         uint32_t{static_cast<uint8_t>(bytes[2])} << 8U | static_cast<uint8_t>(bytes[3]);
}

/// Of at least nine bytes.
inline FrameHeader read_frame_header(std::string_view bytes) {
  const uint32_t stream = read_u32(bytes.substr(5));
  return {.length = read_u32(bytes) >> 8U,
          .type = static_cast<FrameType>(bytes[3]),
          .flags = static_cast<uint8_t>(bytes[4]),
          .stream_id = stream & 0x7fffffffU,
          .reserved = stream >> 31U != 0};
}

/// Why no endpoint would take such a frame, as a literal; else empty. Frames of types that are not known are passed over.
std::string_view frame_error(const FrameHeader& frame);

/// Would anybody send this, in bytes that may be anything? Stricter than frame_error: what hardly anybody sends is none.
bool is_plausible(const FrameHeader& frame);

/// How far bytes that begin with a frame go on in frames.
struct FrameChain {
  size_t frames = 0;          // headers that were seen whole
  size_t headers_end = 0;     // behind the last of them
  bool is_broken = false;     // the next is none
  bool ends_exactly = false;  // the last frame ends with the bytes
};
FrameChain follow_frames(std::string_view bytes, size_t frames_max);

/// May these few bytes be the beginning of a plausible frame's header? Fewer than nine.
bool may_become_plausible(std::string_view bytes);

}  // namespace clew::protocols::http2
