// SPDX-License-Identifier: Apache-2.0
// Frames as bytes. Only for tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/http2/frame.h"

namespace clew::protocols::http2 {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): bytes that are zero

inline std::string frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload = {}) {
  std::string bytes;
  for (int shift = 16; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(payload.size() >> shift));
  bytes.push_back(static_cast<char>(type));
  bytes.push_back(static_cast<char>(flags));
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(stream >> shift));
  return bytes.append(payload);
}

/// A field of a header block: its name in the form that HPACK gives it, and a value.
inline std::string field(std::string_view name, std::string_view value) {
  std::string bytes(name);
  if (value.size() < 127) return bytes.append(1, static_cast<char>(value.size())).append(value);
  bytes.push_back(0x7f);
  size_t rest = value.size() - 127;
  for (; rest >= 128; rest /= 128) bytes.push_back(static_cast<char>(rest % 128 | 128));
  return bytes.append(1, static_cast<char>(rest)).append(value);
}
inline const std::string kPath = "\x04"s;         // a literal that is not indexed
inline const std::string kIndexedPath = "\x44"s;  // one that is
inline const std::string kAuthority = "\x41"s;    // the same

inline const std::string kEmptySettings = frame(FrameType::kSettings, 0, 0);
inline std::string hello() { return std::string(kPreface) + kEmptySettings; }
inline std::string get_frame(uint32_t stream, std::string_view path = "/") {
  return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, "\x82\x86" + field(kAuthority, "h") + field(kPath, path));
}
inline std::string ok_frame(uint32_t stream) { return frame(FrameType::kHeaders, kEndHeaders | kEndStream, stream, "\x88"); }
inline std::string reset_frame(uint32_t stream) { return frame(FrameType::kRstStream, 0, stream, "\0\0\0\x08"s); }  // CANCEL
/// The server will not touch any stream behind `last`.
inline std::string goaway_frame(uint32_t last) {
  std::string payload;
  for (int shift = 24; shift >= 0; shift -= 8) payload.push_back(static_cast<char>(last >> shift));
  return frame(FrameType::kGoaway, 0, 0, payload + "\0\0\0\0"s);
}

}  // namespace clew::protocols::http2
