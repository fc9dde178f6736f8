// SPDX-License-Identifier: Apache-2.0
#include "protocols/proxy_header.h"

#include <algorithm>

namespace clew::protocols {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::string_view kLine = "PROXY "sv;
constexpr size_t kLineMax = 107;  // with CRLF
constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr size_t kBlock = 16;

/// Is one the beginning of the other?
bool agree(std::string_view a, std::string_view b) { return a.substr(0, b.size()) == b.substr(0, a.size()); }

ProxyHeader find_line(std::string_view bytes) {
  const std::string_view kind = bytes.substr(std::min(kLine.size(), bytes.size()));
  if (!agree(kind, "TCP4 ") && !agree(kind, "TCP6 ") && !agree(kind, "UNKNOWN")) return {};
  const size_t lf = bytes.substr(0, kLineMax).find('\n');
  if (lf == std::string_view::npos) return {.need_more = bytes.size() < kLineMax};
  const std::string_view line = bytes.substr(0, lf);
  // A request may have a method of that name.
  if (!line.ends_with('\r') || line.find(" HTTP/1.") != std::string_view::npos) return {};
  return {.shown = lf + 1};
}

}  // namespace

ProxyHeader find_proxy_header(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (agree(bytes, kLine)) return find_line(bytes);
  if (!agree(bytes, kSignature)) return {};
  if (bytes.size() < kBlock) return {.need_more = true};
  const auto byte = [&](size_t at) { return static_cast<uint8_t>(bytes[at]); };
  if (byte(12) >> 4 != 2) return {};
  return {.shown = kBlock, .hidden = static_cast<uint32_t>(byte(14) << 8 | byte(15))};
}

}  // namespace clew::protocols
