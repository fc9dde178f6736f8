// SPDX-License-Identifier: Apache-2.0
// How long a call may take: grpc-timeout, up to eight digits and a unit (gRPC's PROTOCOL-HTTP2), or connect-timeout-ms, up to ten digits.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace clew::protocols::grpc {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Without a unit it is Connect's.
constexpr bool is_connect_timeout(std::string_view text) { return !text.empty() && is_digit(text.back()); }

constexpr std::optional<uint64_t> timeout_ns(std::string_view text) {
  const bool is_connect = is_connect_timeout(text);
  const std::string_view digits = text.substr(0, is_connect || text.empty() ? text.size() : text.size() - 1);
  if (digits.empty() || digits.size() > (is_connect ? 10 : 8)) return std::nullopt;
  uint64_t value = 0;
  for (char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (is_connect) return value * 1'000'000;
  uint64_t unit = 0;
  switch (text.back()) {
    case 'H': unit = 3'600'000'000'000; break;
    case 'M': unit = 60'000'000'000; break;
    case 'S': unit = 1'000'000'000; break;
    case 'm': unit = 1'000'000; break;
    case 'u': unit = 1'000; break;
    case 'n': unit = 1; break;
    default: return std::nullopt;
  }
  return value > UINT64_MAX / unit ? UINT64_MAX : value * unit;  // hours may be more than fit
}

}  // namespace clew::protocols::grpc
