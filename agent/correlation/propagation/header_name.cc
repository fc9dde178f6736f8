// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/header_name.h"

#include "agent/correlation/propagation/characters.h"

namespace clew::correlation::propagation {
namespace {

constexpr size_t kLengthMax = 27;
/// Bit i of the mask at a length: kHeaderNames[i] is that long.
constexpr std::array<uint16_t, kLengthMax + 1> kNamesOfLength = [] {
  static_assert(kHeaderNames.size() <= 16);
  std::array<uint16_t, kLengthMax + 1> masks{};
  for (size_t i = 0; i < kHeaderNames.size(); ++i) masks[kHeaderNames[i].size()] |= static_cast<uint16_t>(1U << i);
  return masks;
}();

}  // namespace

std::optional<HeaderName> recognise(std::string_view name) {
  if (name.size() > kLengthMax) return std::nullopt;
  for (uint32_t mask = kNamesOfLength[name.size()]; mask != 0; mask &= mask - 1) {
    const auto index = static_cast<size_t>(__builtin_ctz(mask));
    if (equals_ignoring_case(name, kHeaderNames[index])) return static_cast<HeaderName>(index);
  }
  return std::nullopt;
}

}  // namespace clew::correlation::propagation
