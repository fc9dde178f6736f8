// SPDX-License-Identifier: Apache-2.0
// Name-based UUIDs (version 5, RFC 9562): the same name gives the same identifier in every run.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace clew::discovery {

using Uuid = std::array<uint8_t, 16>;

/// The namespace that the semantic conventions prescribe for service.instance.id.
inline constexpr Uuid kServiceInstanceNamespace = {0x4d, 0x63, 0x00, 0x9a, 0x8d, 0x0f, 0x11, 0xee,
                                                   0xaa, 0xd7, 0x4c, 0x79, 0x6e, 0xd8, 0xe3, 0x20};

/// Lower case with hyphens, 36 characters.
std::string uuid_v5(const Uuid& space, std::string_view name);

}  // namespace clew::discovery
