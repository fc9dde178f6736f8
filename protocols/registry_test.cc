// SPDX-License-Identifier: Apache-2.0
#include "protocols/registry.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace clew::protocols {
namespace {

/// Answers every question with one claim.
class Claimant final : public Protocol {
 public:
  Claimant(std::string_view name, Claim claim) : name_(name), claim_(claim) {}
  std::string_view name() const override { return name_; }
  Claim classify(Sender /*sender*/, std::string_view /*bytes*/) const override { return claim_; }
  std::unique_ptr<Parser> make_parser(bool /*from_start*/) const override { return nullptr; }
  Description describe(const ExchangeFacts& /*facts*/) const override { return {}; }

 private:
  std::string_view name_;
  Claim claim_;
};

/// What two protocols with these claims come to, in either order: the name of the winner, "more" or "none".
std::string verdict(Claim a, Claim b) {
  std::string verdicts[2];
  for (const bool swapped : {false, true}) {
    ProtocolList list;
    list.push_back(std::make_unique<Claimant>("a", a));
    list.push_back(std::make_unique<Claimant>("b", b));
    if (swapped) std::swap(list[0], list[1]);
    const Classification c = classify_all(list, Sender::kClient, "bytes");
    verdicts[swapped ? 1 : 0] = c.kind == Classification::Kind::kFound      ? std::string(c.protocol->name())
                                : c.kind == Classification::Kind::kNeedMore ? "more"
                                                                            : "none";
  }
  EXPECT_EQ(verdicts[0], verdicts[1]) << "the order in list.def matters";
  return verdicts[0];
}

TEST(Registry, KnowsEachProtocolOnceByName) {
  std::set<std::string_view> names;
  const ProtocolList list = make_protocols();
  for (const auto& protocol : list) EXPECT_TRUE(names.insert(protocol->name()).second) << protocol->name();
  EXPECT_TRUE(names.contains("http"));
}

TEST(ClassifyAll, StrongWinsAtOnce) {
  EXPECT_EQ(verdict(Claim::kStrong, Claim::kNo), "a");
  EXPECT_EQ(verdict(Claim::kStrong, Claim::kWeak), "a");
  EXPECT_EQ(verdict(Claim::kStrong, Claim::kNeedMore), "a");
}

TEST(ClassifyAll, WeakWaitsForThoseWhoMayBecomeStrong) {
  EXPECT_EQ(verdict(Claim::kWeak, Claim::kNeedMore), "more");
  EXPECT_EQ(verdict(Claim::kWeak, Claim::kNo), "a");
}

TEST(ClassifyAll, ATieIsNobodys) {
  EXPECT_EQ(verdict(Claim::kStrong, Claim::kStrong), "none");
  EXPECT_EQ(verdict(Claim::kWeak, Claim::kWeak), "none");
}

TEST(ClassifyAll, NobodyMeansNone) { EXPECT_EQ(verdict(Claim::kNo, Claim::kNo), "none"); }

}  // namespace
}  // namespace clew::protocols
