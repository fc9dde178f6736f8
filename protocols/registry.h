// SPDX-License-Identifier: Apache-2.0
// All protocols of list.def, and the one question that is put to all of them.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "protocols/protocol.h"

namespace clew::protocols {

using ProtocolList = std::vector<std::unique_ptr<Protocol>>;

/// One of each.
ProtocolList make_protocols();

struct Classification {
  enum class Kind : uint8_t {
    kNone,      // no protocol knows these bytes, nor will with more of them
    kNeedMore,  // more bytes may tell
    kFound,
  };
  Kind kind = Kind::kNone;
  const Protocol* protocol = nullptr;  // kFound
};

/// Whose are these bytes, seen at what may be the start of a message? A strong claim wins; a weak one only when no other protocol
/// can still become strong. Two strong claims, or two weak ones, are nobody's: rather no span than a wrong one.
Classification classify_all(std::span<const std::unique_ptr<Protocol>> protocols, Sender sender, std::string_view bytes);

}  // namespace clew::protocols
