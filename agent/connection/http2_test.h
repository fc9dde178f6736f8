// SPDX-License-Identifier: Apache-2.0
// Frames of HTTP/2, for tests that play whole connections.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/http2/frame.h"

namespace clew::connection::http2 {

using namespace protocols::http2;  // NOLINT(google-build-using-namespace): their words

inline std::string frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string bytes;
  for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(payload.size() >> shift));
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(stream >> shift));
  return bytes.append(payload);
}

/// A literal without indexing: `name` as HPACK's first bytes have it, `value` shorter than 127 bytes.
inline std::string field(std::string_view name, std::string_view value) {
  return std::string(name).append(1, static_cast<char>(value.size())).append(value);
}

inline std::string path(std::string_view value) { return field("\x04", value); }

/// The beginning of both directions, and requests and answers without bodies.
inline std::string hello() { return std::string(kPreface) + frame(FrameType::kSettings, 0, 0); }
inline std::string settings() { return frame(FrameType::kSettings, 0, 0); }
inline std::string get(uint32_t stream, std::string_view target) {
  return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, "\x82\x86" + field("\x01", "h") + path(target));
}
inline std::string ok(uint32_t stream) { return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, "\x88"); }
inline std::string reset(uint32_t stream, uint8_t code = 8) {
  return frame(FrameType::kRstStream, 0, stream, std::string("\0\0\0", 3).append(1, static_cast<char>(code)));
}

}  // namespace clew::connection::http2
