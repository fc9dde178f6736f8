// SPDX-License-Identifier: Apache-2.0
// Which status is whose error, and grpc-timeout.
#include "protocols/grpc/status.h"

#include <gtest/gtest.h>

#include "protocols/grpc/timeout.h"
#include "protocols/http/rpc.h"

namespace clew::protocols::grpc {
namespace {

TEST(GrpcStatus, AServersErrorsAreItsOwnFaults) {
  for (int8_t code = 0; code <= 16; ++code) {
    const std::string_view name = name_of(static_cast<Status>(code));
    const bool own_fault = name == "UNKNOWN" || name == "DEADLINE_EXCEEDED" || name == "UNIMPLEMENTED" || name == "INTERNAL" ||
                           name == "UNAVAILABLE" || name == "DATA_LOSS";
    EXPECT_EQ(is_error(static_cast<Status>(code), false), own_fault) << name;
    EXPECT_EQ(is_error(static_cast<Status>(code), true), code != 0) << name;
  }
}

TEST(GrpcTimeout, DigitsAndAUnit) {
  EXPECT_EQ(timeout_ns("250m"), 250'000'000U);
  EXPECT_EQ(timeout_ns("5124095H"), 5'124'095ULL * 3'600'000'000'000);
  for (const char* text : {"5124096H", "99999999H"}) EXPECT_EQ(timeout_ns(text), UINT64_MAX) << text;  // and not 25 minutes
  EXPECT_EQ(timeout_ns("5S"), 5'000'000'000U);
  EXPECT_EQ(timeout_ns("250"), 250'000'000U) << "Connect has milliseconds";
  for (const char* text : {"", "m", "5s", "-5S", "123456789S", "12345678901"}) EXPECT_EQ(timeout_ns(text), std::nullopt) << text;
}

TEST(Rpc, ByContentType) {
  using http::Rpc;
  EXPECT_EQ(http::rpc_of_content_type("application/grpc"), Rpc::kGrpc);
  EXPECT_EQ(http::rpc_of_content_type("application/grpc+proto"), Rpc::kGrpc);
  EXPECT_EQ(http::rpc_of_content_type("application/grpc;charset=utf-8"), Rpc::kGrpc);
  EXPECT_EQ(http::rpc_of_content_type("application/grpc-web"), Rpc::kGrpcWeb);
  EXPECT_EQ(http::rpc_of_content_type("application/grpc-web-text+proto"), Rpc::kGrpcWeb);
  EXPECT_EQ(http::rpc_of_content_type("application/connect+json"), Rpc::kConnectStreams);
  EXPECT_EQ(http::rpc_of_content_type("application/grpcx"), Rpc::kNone);
  EXPECT_EQ(http::rpc_of_content_type("application/json"), Rpc::kNone);
}

}  // namespace
}  // namespace clew::protocols::grpc
