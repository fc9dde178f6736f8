// SPDX-License-Identifier: Apache-2.0
// Values of Content-Length and Transfer-Encoding.
#include "protocols/http1/body_fields.h"

#include <charconv>

#include "protocols/http/characters.h"

namespace clew::protocols::http1 {

using http::equals_ignoring_case;
using http::trim;

namespace {

/// Larger lengths are nonsense, and sums of sizes must not overflow.
constexpr uint64_t kContentLengthMax = uint64_t{1} << 62;

std::optional<uint64_t> parse_length(std::string_view text) {
  uint64_t length = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, length);
  if (error != std::errc() || stop != end || length > kContentLengthMax) return std::nullopt;
  return length;
}

}  // namespace

std::string_view take_content_length(std::string_view value, BodyFields& body) {
  for (;;) {
    const size_t comma = value.find(',');
    const std::optional<uint64_t> length = parse_length(trim(value.substr(0, comma)));
    if (!length) return "bad_content_length";
    if (body.content_length && *body.content_length != *length) return "conflicting_content_length";
    body.content_length = length;
    if (comma == std::string_view::npos) return {};
    value.remove_prefix(comma + 1);
  }
}

void take_transfer_encoding(std::string_view value, BodyFields& body) {
  body.has_transfer_encoding = true;
  const size_t comma = value.rfind(',');
  if (comma != std::string_view::npos) value.remove_prefix(comma + 1);
  value = trim(value.substr(0, value.find(';')));
  body.ends_chunked = equals_ignoring_case(value, "chunked");
}

}  // namespace clew::protocols::http1
