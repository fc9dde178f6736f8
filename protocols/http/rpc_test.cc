// SPDX-License-Identifier: Apache-2.0
#include "protocols/http/rpc.h"

#include <gtest/gtest.h>

namespace clew::protocols::http {
namespace {

TEST(Rpc, ConnectByGetHasItsMessageInTheQuery) {
  EXPECT_TRUE(is_connect_get("/shop.Cart/Get?connect=v1&encoding=json&message=%7B%7D"));
  EXPECT_TRUE(is_connect_get("/shop.Cart/Get?base64=1&message=&encoding=proto&connect=v1"));
  EXPECT_FALSE(is_connect_get("/shop.Cart/Get"));
  EXPECT_FALSE(is_connect_get("/shop.Cart/Get?"));
  EXPECT_FALSE(is_connect_get("/shop.Cart/Get?encoding=json&message=%7B%7D"));
  EXPECT_FALSE(is_connect_get("/page?connect=v1"));
  EXPECT_FALSE(is_connect_get("/page?disconnect=v1&encoding=json&message=x"));
}

TEST(Rpc, ContentTypesOfCalls) {
  EXPECT_EQ(rpc_of_content_type("application/grpc"), Rpc::kGrpc);
  EXPECT_EQ(rpc_of_content_type("application/grpc+proto"), Rpc::kGrpc);
  EXPECT_EQ(rpc_of_content_type("application/grpc-web-text+proto"), Rpc::kGrpcWeb);
  EXPECT_EQ(rpc_of_content_type("application/connect+json"), Rpc::kConnectStreams);
  EXPECT_EQ(rpc_of_content_type("application/grpcish"), Rpc::kNone);
  EXPECT_EQ(rpc_of_content_type("application/json"), Rpc::kNone);
}

}  // namespace
}  // namespace clew::protocols::http
