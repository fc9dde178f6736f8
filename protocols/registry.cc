// SPDX-License-Identifier: Apache-2.0
// Expands list.def. The includes are generated from it by CMake, for a macro cannot include.
#include "protocols/registry.h"

#include "protocols/list_includes.h"

namespace clew::protocols {

ProtocolList make_protocols() {
  ProtocolList list;
#define CLEW_PROTOCOL(folder, Class) list.push_back(std::make_unique<folder::Class>());
#include "protocols/list.def"
#undef CLEW_PROTOCOL
  return list;
}

Classification classify_all(std::span<const std::unique_ptr<Protocol>> protocols, Sender sender, std::string_view bytes) {
  const Protocol* strong = nullptr;
  const Protocol* weak = nullptr;
  size_t strong_count = 0;
  size_t weak_count = 0;
  bool undecided = false;
  for (const std::unique_ptr<Protocol>& protocol : protocols) {
    switch (protocol->classify(sender, bytes)) {
      case Claim::kNo: break;
      case Claim::kNeedMore: undecided = true; break;
      case Claim::kWeak:
        weak = protocol.get();
        ++weak_count;
        break;
      case Claim::kStrong:
        strong = protocol.get();
        ++strong_count;
        break;
    }
  }
  using Kind = Classification::Kind;
  if (strong_count > 0) return strong_count == 1 ? Classification{Kind::kFound, strong} : Classification{};
  if (undecided) return {Kind::kNeedMore, nullptr};
  return weak_count == 1 ? Classification{Kind::kFound, weak} : Classification{};
}

}  // namespace clew::protocols
