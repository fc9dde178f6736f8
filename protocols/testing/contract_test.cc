// SPDX-License-Identifier: Apache-2.0
// Every protocol of list.def against its own captures, those of the others, and those of nobody.
#include "protocols/testing/contract.h"

#include <gtest/gtest.h>

#include <string>

#include "protocols/list_includes.h"
#include "protocols/registry.h"

namespace clew::protocols::testing {
namespace {

struct Registered {
  std::string folder;
  std::unique_ptr<Protocol> protocol;
};

std::vector<Registered> registered() {
  std::vector<Registered> all;
#define CLEW_PROTOCOL(folder, Class) all.push_back({#folder, std::make_unique<folder::Class>()});
#include "protocols/list.def"
#undef CLEW_PROTOCOL
  return all;
}

std::vector<Capture> captures_in(const std::string& folder) {
  base::Result<std::vector<Capture>> captures = load_captures(std::string(CLEW_PROTOCOLS_DIR) + "/" + folder);
  EXPECT_TRUE(captures) << captures.error().message;
  return captures ? std::move(*captures) : std::vector<Capture>{};
}

TEST(Contract, EveryProtocolHasCaptures) {
  for (const Registered& r : registered()) EXPECT_FALSE(captures_in(r.folder + "/testdata").empty()) << r.folder;
}

TEST(Contract, CapturesGiveTheSameMessagesHoweverTheyAreCut) {
  for (const Registered& r : registered())
    for (const Capture& capture : captures_in(r.folder + "/testdata")) expect_messages(*r.protocol, capture);
}

TEST(Contract, CapturesAreClaimedByTheirOwnProtocolOnly) {
  const ProtocolList all = make_protocols();
  for (const Registered& r : registered())
    for (const Capture& capture : captures_in(r.folder + "/testdata")) expect_claimed_only_by(*r.protocol, all, capture);
}

TEST(Contract, ForeignCapturesAreClaimedByNobody) {
  const ProtocolList all = make_protocols();
  const std::vector<Capture> captures = captures_in("testing/foreign");
  EXPECT_GE(captures.size(), 8U);
  for (const Capture& capture : captures) expect_claimed_by_nobody(all, capture);
}

}  // namespace
}  // namespace clew::protocols::testing
