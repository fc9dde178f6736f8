// SPDX-License-Identifier: Apache-2.0
// Sizes of chunks.
#include "protocols/http1/chunk_line.h"

#include <charconv>

#include "protocols/http/characters.h"

namespace clew::protocols::http1 {

using http::is_digit;
using http::to_lower;
using http::trim;

namespace {

constexpr uint64_t kChunkSizeMax = uint64_t{1} << 60;

ChunkLine invalid(std::string_view reason) {
  ChunkLine line;
  line.status = ChunkLine::Status::kInvalid;
  line.reason = reason;
  return line;
}

bool is_hex_digit(char c) { return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'f'); }

}  // namespace

ChunkLine parse_chunk_line(std::string_view bytes, size_t searched) {
  if (bytes.empty()) return {};
  if (!is_hex_digit(bytes.front())) return invalid("bad_chunk_size");
  const std::string_view window = bytes.substr(0, kChunkLineLengthMax);
  const size_t lf = window.find('\n', searched);
  if (lf == std::string_view::npos) {
    if (window.size() == kChunkLineLengthMax) return invalid("chunk_line_too_long");
    return {};
  }
  ChunkLine line;
  const std::string_view whole = window.substr(0, lf);
  const std::string_view text = trim(whole.substr(0, whole.find(';')));
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, line.size, 16);
  if (error != std::errc() || stop != end || line.size > kChunkSizeMax) return invalid("bad_chunk_size");
  line.status = ChunkLine::Status::kComplete;
  line.length = lf + 1;
  return line;
}

}  // namespace clew::protocols::http1
