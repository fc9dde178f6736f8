// SPDX-License-Identifier: Apache-2.0
// What a head of HTTP says of a remote procedure call that it carries; the words for it are in protocols/grpc.
#pragma once

#include <cstdint>
#include <string_view>

namespace clew::protocols::http {

enum class Rpc : uint8_t {
  kNone,
  kGrpc,            // application/grpc, over HTTP/2
  kGrpcWeb,         // application/grpc-web: its trailers are in the body
  kConnect,         // Connect-Protocol-Version and a plain body: one message each way
  kConnectStreams,  // application/connect+…: messages with lengths
};

/// By the content type alone, which says nothing of Connect's unary calls.
constexpr Rpc rpc_of_content_type(std::string_view type) {
  constexpr std::string_view kApplication = "application/";
  if (!type.starts_with(kApplication)) return Rpc::kNone;
  type.remove_prefix(kApplication.size());
  if (type.starts_with("connect+")) return Rpc::kConnectStreams;
  if (!type.starts_with("grpc")) return Rpc::kNone;
  type.remove_prefix(4);
  const auto ends = [](std::string_view rest) { return rest.empty() || rest.front() == '+' || rest.front() == ';' || rest.front() == ' '; };
  if (ends(type)) return Rpc::kGrpc;
  if (!type.starts_with("-web")) return Rpc::kNone;
  type.remove_prefix(4);
  if (type.starts_with("-text")) type.remove_prefix(5);
  return ends(type) ? Rpc::kGrpcWeb : Rpc::kNone;
}

/// A call of Connect by GET: a message and its encoding in the query. The version may be missing, but then there is no telling.
constexpr bool is_connect_get(std::string_view target) {
  const size_t question = target.find('?');
  if (question == std::string_view::npos) return false;
  bool has_version = false;
  bool has_encoding = false;
  bool has_message = false;
  for (std::string_view rest = target.substr(question); !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view parameter = rest.substr(0, rest.find('&'));
    has_version = has_version || parameter == "connect=v1";
    has_encoding = has_encoding || parameter.starts_with("encoding=");
    has_message = has_message || parameter.starts_with("message=");
    rest.remove_prefix(parameter.size());
  }
  return has_version && has_encoding && has_message;
}

/// grpc-status: −1 where the head has none, −2 where it is no number that gRPC knows.
constexpr int8_t kNoRpcStatus = -1;
constexpr int8_t kOddRpcStatus = -2;
constexpr int8_t rpc_status_of(std::string_view text) {
  if (text.size() == 1 && text[0] >= '0' && text[0] <= '9') return static_cast<int8_t>(text[0] - '0');
  if (text.size() == 2 && text[0] == '1' && text[1] >= '0' && text[1] <= '6') return static_cast<int8_t>(10 + text[1] - '0');
  return kOddRpcStatus;
}

}  // namespace clew::protocols::http
