// SPDX-License-Identifier: Apache-2.0
// Attributes of calls, one rule a test.
#include "protocols/grpc/describe.h"

#include <gtest/gtest.h>

#include <string>

#include "protocols/http/head.h"

namespace clew::protocols::grpc {
namespace {

using http::Field;
using http::HeadParts;
using http::Rpc;

class DescribeCall : public testing::Test {
 protected:
  DescribeCall() {
    request_.version = response_.version = http::kHttp2;
    request_.rpc = response_.rpc = Rpc::kGrpc;
    request_.fields[static_cast<size_t>(Field::kMethod)] = "POST";
    path("/shop.Cart/Add");
    request_.fields[static_cast<size_t>(Field::kHost)] = "shop.test:7000";
    response_.status = 200;
    facts_.response_complete = true;
    facts_.is_client_side = true;
  }
  void path(std::string_view path) { request_.fields[static_cast<size_t>(Field::kTarget)] = path; }
  void tail(int8_t status) { tail_ = http::MessageHead::make({.version = http::kHttp2, .rpc_status = status}); }
  Description described() {
    const HeadPointer request = http::MessageHead::make(request_);
    const HeadPointer response = http::MessageHead::make(response_);
    facts_.request = request.get();
    facts_.response = has_response_ ? response.get() : nullptr;
    facts_.response_tail = tail_.get();
    return describe(facts_, rpc_of(facts_.request, facts_.response));
  }
  std::string get(const Description& d, std::string_view key) {
    const size_t index = d.attributes.find(key);
    return index == d.attributes.size() ? "(none)" : std::string(d.attributes[index].text);
  }
  std::string status() { return get(described(), "rpc.response.status_code"); }

  HeadParts request_;
  HeadParts response_;
  HeadPointer tail_;
  ExchangeFacts facts_;
  bool has_response_ = true;
};

TEST_F(DescribeCall, IsNamedByItsMethod) {
  tail(0);
  const Description d = described();
  EXPECT_EQ(d.name, "shop.Cart/Add");
  EXPECT_EQ(get(d, "rpc.method"), "shop.Cart/Add");
  EXPECT_EQ(get(d, "rpc.system.name"), "grpc");
  EXPECT_EQ(get(d, "server.address"), "shop.test");
  EXPECT_FALSE(d.is_error);
}

TEST_F(DescribeCall, AUnixSocketHasNoPort) {
  tail(0);
  request_.fields[static_cast<size_t>(Field::kHost)] = "localhost";
  facts_.server_port = 50051;
  EXPECT_LT(described().attributes.find("server.port"), described().attributes.size());
  facts_.server_address = "/run/shop.sock";
  facts_.server_port = 0;
  EXPECT_EQ(get(described(), "server.address"), "localhost");
  EXPECT_EQ(described().attributes.find("server.port"), described().attributes.size());
}

TEST_F(DescribeCall, WithoutAMethodItIsNamedByTheSystem) {
  tail(0);
  path("");
  EXPECT_EQ(described().name, "grpc");
  EXPECT_EQ(get(described(), "rpc.method"), "(none)");
  path("/no-method");
  EXPECT_EQ(described().name, "grpc");
  EXPECT_EQ(get(described(), "rpc.method"), "_OTHER");
  EXPECT_EQ(get(described(), "rpc.method_original"), "/no-method");
}

TEST_F(DescribeCall, ItsStatusIsInTheTrailersOrInTheOnlyHead) {
  tail(5);
  EXPECT_EQ(status(), "NOT_FOUND");
  EXPECT_EQ(get(described(), "error.type"), "NOT_FOUND");
  facts_.is_client_side = false;
  EXPECT_FALSE(described().is_error) << "the client's fault";
  tail_ = nullptr;
  response_.rpc_status = 13;
  EXPECT_EQ(status(), "INTERNAL");
  EXPECT_TRUE(described().is_error);
}

TEST_F(DescribeCall, WithoutAStatusTheHttpStatusOrTheResetSaysIt) {
  EXPECT_EQ(status(), "UNKNOWN");
  response_.status = 503;
  EXPECT_EQ(status(), "UNAVAILABLE");
  facts_.response_complete = false;
  facts_.reset = "ENHANCE_YOUR_CALM";
  EXPECT_EQ(status(), "RESOURCE_EXHAUSTED");
}

TEST_F(DescribeCall, AnUnknownFieldMayHaveBeenTheStatus) {
  tail_ = http::MessageHead::make({.version = http::kHttp2, .is_partial = true});
  EXPECT_EQ(status(), "(none)");
  EXPECT_FALSE(described().is_error);
}

TEST_F(DescribeCall, CancelledOrOutOfTime) {
  facts_.response_complete = false;
  facts_.reset = "CANCEL";
  facts_.reset_by_client = true;
  EXPECT_EQ(status(), "CANCELLED");
  request_.fields[static_cast<size_t>(Field::kTimeout)] = "100m";
  facts_.duration_ns = 50'000'000;
  EXPECT_EQ(status(), "CANCELLED");
  facts_.duration_ns = 99'000'000;
  EXPECT_EQ(status(), "DEADLINE_EXCEEDED");
}

TEST_F(DescribeCall, AConnectionThatEndsIsUnavailableToTheClientOnly) {
  facts_.response_complete = false;
  facts_.failure = "connection_reset";
  EXPECT_EQ(status(), "UNAVAILABLE");
  facts_.is_client_side = false;
  EXPECT_EQ(status(), "(none)");
  EXPECT_EQ(get(described(), "error.type"), "connection_reset");
}

TEST_F(DescribeCall, AServerThatCancelsWhenTimeIsOverHasExceededItToo) {
  facts_.response_complete = false;
  facts_.reset = "CANCEL";
  request_.fields[static_cast<size_t>(Field::kTimeout)] = "100m";
  facts_.duration_ns = 50'000'000;
  EXPECT_EQ(status(), "CANCELLED");
  facts_.duration_ns = 101'000'000;
  EXPECT_EQ(status(), "DEADLINE_EXCEEDED");
  facts_.reset = "REFUSED_STREAM";
  EXPECT_EQ(status(), "UNAVAILABLE");
}

TEST_F(DescribeCall, ATimeoutMayHaveBeenRoundedUp) {  // 1501 ms, as gRPC's core says it
  facts_.response_complete = false;
  facts_.reset = "CANCEL";
  facts_.reset_by_client = true;
  request_.fields[static_cast<size_t>(Field::kTimeout)] = "1510m";
  facts_.duration_ns = 1'501'000'000;
  EXPECT_EQ(status(), "DEADLINE_EXCEEDED");
  facts_.duration_ns = 1'480'000'000;
  EXPECT_EQ(status(), "CANCELLED");
}

TEST_F(DescribeCall, AClientThatClosesItsConnectionGivesUp) {
  facts_.response_complete = false;
  facts_.failure = "connection_closed";
  facts_.closed_by_client = true;
  EXPECT_EQ(status(), "CANCELLED");
  request_.fields[static_cast<size_t>(Field::kTimeout)] = "100m";
  facts_.duration_ns = 100'000'000;
  EXPECT_EQ(status(), "DEADLINE_EXCEEDED");
  facts_.is_client_side = false;
  facts_.closed_by_client = false;
  EXPECT_EQ(status(), "DEADLINE_EXCEEDED");
}

TEST_F(DescribeCall, ConnectSaysItsTimeoutInMilliseconds) {
  request_.rpc = Rpc::kConnect;
  request_.fields[static_cast<size_t>(Field::kTimeout)] = "100";
  facts_.response_complete = false;
  facts_.reset = "CANCEL";
  facts_.reset_by_client = true;
  facts_.duration_ns = 100'000'000;
  EXPECT_EQ(status(), "deadline_exceeded");
  const Description d = described();
  EXPECT_LT(d.attributes.find("rpc.request.metadata.connect-timeout-ms"), d.attributes.size());
  EXPECT_EQ(d.attributes.find("rpc.request.metadata.grpc-timeout"), d.attributes.size());
}

TEST_F(DescribeCall, ConnectHasItsCodesInTheHttpStatusIfItLeavesNoDoubt) {
  request_.rpc = Rpc::kConnect;
  response_.rpc = Rpc::kNone;
  EXPECT_EQ(get(described(), "rpc.system.name"), "connectrpc");
  EXPECT_EQ(status(), "(none)");
  response_.status = 429;
  EXPECT_EQ(status(), "resource_exhausted");
  response_.status = 400;
  EXPECT_EQ(status(), "(none)");
  EXPECT_EQ(get(described(), "error.type"), "400");
}

}  // namespace
}  // namespace clew::protocols::grpc
