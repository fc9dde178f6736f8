// SPDX-License-Identifier: Apache-2.0
// The line before each chunk of a chunked body: its size, and extensions that nobody reads. RFC 9112 §7.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace clew::protocols::http1 {

/// A size with its extensions; Node and Go bound them at 16 KiB and 4 KiB.
inline constexpr size_t kChunkLineLengthMax = 16384;

struct ChunkLine {
  enum class Status : uint8_t { kComplete, kIncomplete, kInvalid };
  Status status = Status::kIncomplete;
  uint64_t size = 0;        // of the chunk's data
  size_t length = 0;        // of the line with its LF
  std::string_view reason;  // kInvalid: a literal
};

/// `bytes` begin with the line. In their first `searched` bytes there is no LF.
ChunkLine parse_chunk_line(std::string_view bytes, size_t searched);

}  // namespace clew::protocols::http1
