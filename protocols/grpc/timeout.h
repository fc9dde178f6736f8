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
  switch (text.back()) {
    case 'H': return value * 3'600'000'000'000;
    case 'M': return value * 60'000'000'000;
    case 'S': return value * 1'000'000'000;
    case 'm': return value * 1'000'000;
    case 'u': return value * 1'000;
    case 'n': return value;
    default: return std::nullopt;
  }
}

}  // namespace clew::protocols::grpc
