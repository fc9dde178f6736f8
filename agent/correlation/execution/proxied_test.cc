// SPDX-License-Identifier: Apache-2.0
// HAProxy's requests: the client's connection is known, the order of its requests tells the rest.
#include "agent/correlation/execution/proxied.h"

#include <gtest/gtest.h>

namespace clew::correlation {
namespace {

constexpr uint64_t kHttp = 1, kTcp = 2;  // enum haproxy_mux

class ProxiedTest : public testing::Test {
 protected:
  static RequestKey key(uint64_t connection, uint64_t position = 0) { return {.connection = connection, .position = position}; }
  static Caller caller(uint64_t client = 0, uint64_t mux = 0) {
    return {.process_id = 100, .thread_id = 1, .model = ExecutionModel::kProxied, .execution = {client, mux, 0}, .time_ns = 1'000'000'000};
  }
  void receive(const RequestKey& request) { proxied_.received(request, caller()); }
  void respond(const RequestKey& request) { proxied_.responding(request, caller()); }
  void done(const RequestKey& request) { proxied_.done(request, 2'000'000'000); }
  std::optional<RequestKey> send_for(uint64_t client, uint64_t mux = kHttp) {
    const auto found = proxied_.sent(key(900, ++sent_), caller(client, mux));
    if (!found) return std::nullopt;
    EXPECT_EQ(found->evidence, Evidence::kExecution);
    return found->request;
  }

  base::Counters counters_;
  ExecutionSettings settings_{
      .connects_max = 8, .full = &counters_.get("full"), .ambiguous = &counters_.get("ambiguous"), .unread = &counters_.get("unread")};
  Proxied proxied_{settings_};
  uint64_t sent_ = 0;
};

TEST_F(ProxiedTest, ARequestIsSentForTheClientThatItsConnectionNames) {
  for (uint64_t client = 1; client <= 3; ++client) receive(key(client));
  EXPECT_EQ(send_for(2), key(2)) << "in whatever order";
  EXPECT_EQ(send_for(3), key(3));
  EXPECT_EQ(send_for(1), key(1));
  EXPECT_EQ(send_for(1), key(1)) << "tried again";
}

TEST_F(ProxiedTest, NobodysIsNobodysEvenIfOnlyOneRequestIsUnderWay) {
  receive(key(1));
  EXPECT_EQ(send_for(0), std::nullopt) << "a health check";
  EXPECT_EQ(send_for(7), std::nullopt) << "of a client that is not followed";
  done(key(1));
  EXPECT_EQ(send_for(1), std::nullopt) << "it is answered";
}

TEST_F(ProxiedTest, PipelinedRequestsAreServedOneAfterTheOther) {
  receive(key(1, 0));
  receive(key(1, 100));
  receive(key(1, 200));
  EXPECT_EQ(send_for(1), key(1, 0));
  EXPECT_EQ(send_for(1), key(1, 0)) << "tried again";
  respond(key(1, 0));
  done(key(1, 0));
  respond(key(1, 100));  // by the proxy itself
  done(key(1, 100));
  EXPECT_EQ(send_for(1), key(1, 200));
}

TEST_F(ProxiedTest, ARequestWhoseResponseIsOnItsWayIsNotSentAnyMore) {
  receive(key(1, 0));
  receive(key(1, 100));
  respond(key(1, 0));  // and the client takes its time with it
  EXPECT_EQ(send_for(1), key(1, 100));
  receive(key(1, 200));
  EXPECT_EQ(send_for(1), std::nullopt) << "the second may be answered already, behind the first";
  EXPECT_EQ(counters_.get("ambiguous").value(), 1U);
}

TEST_F(ProxiedTest, BytesArePassedOnInTheirOrder) {
  receive(key(1, 0));
  receive(key(1, 100));
  receive(key(2, 0));
  EXPECT_EQ(send_for(1, kTcp), key(1, 0));
  EXPECT_EQ(send_for(2, kTcp), key(2, 0));
  EXPECT_EQ(send_for(1, kTcp), key(1, 100)) << "before the first is answered";
  EXPECT_EQ(send_for(1, kTcp), std::nullopt) << "more than were received";
}

TEST_F(ProxiedTest, WhereNothingIsReadOnlyTheOneRequestUnderWayIsInferred) {
  receive(key(1));
  const auto one = proxied_.sent(key(900), caller());
  ASSERT_TRUE(one);
  EXPECT_EQ(one->request, key(1));
  EXPECT_EQ(one->evidence, Evidence::kInferred);
  receive(key(2));
  EXPECT_FALSE(proxied_.sent(key(900, 1), caller()));
  EXPECT_EQ(counters_.get("unread").value(), 2U);
}

TEST_F(ProxiedTest, StreamsOfOneConnectionHaveNoOrder) {
  receive({.connection = 1, .position = 0, .stream_id = 1});
  EXPECT_EQ(send_for(1), std::nullopt);
}

TEST_F(ProxiedTest, ClientsThatHaveGoneMakeRoom) {
  for (uint64_t client = 1; client <= 8; ++client) receive(key(client));
  receive(key(9));
  EXPECT_EQ(counters_.get("full").value(), 1U);
  EXPECT_EQ(send_for(9), std::nullopt);
  done(key(3));
  receive(key(10));
  EXPECT_EQ(send_for(10), key(10));
  EXPECT_EQ(send_for(8), key(8)) << "and none that is under way is forgotten";
}

}  // namespace
}  // namespace clew::correlation
