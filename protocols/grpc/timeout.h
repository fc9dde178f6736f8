// SPDX-License-Identifier: Apache-2.0
// grpc-timeout: up to eight digits and a unit (gRPC's PROTOCOL-HTTP2).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace clew::protocols::grpc {

constexpr std::optional<uint64_t> timeout_ns(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  uint64_t value = 0;
  for (char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
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
