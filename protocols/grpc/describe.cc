// SPDX-License-Identifier: Apache-2.0
// Attributes of RPC server and client spans.
#include "protocols/grpc/describe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/grpc/status.h"
#include "protocols/grpc/timeout.h"
#include "protocols/http/head.h"
#include "protocols/http/url.h"

namespace clew::protocols::grpc {
namespace {

using http::as_message;
using http::Field;
using http::MessageHead;
using http::Rpc;

/// The client gives up a little before its timer's time is seen here, at the most. gRPC's core rounds what it says up, by 1 % at the most.
constexpr uint64_t kTimerSlackNs = 2'000'000;
constexpr uint64_t kRounding = 100;

bool is_connect(Rpc rpc) { return rpc == Rpc::kConnect || rpc == Rpc::kConnectStreams; }

/// "pkg.Service/Method"; empty if the path is not known, or none of a call.
std::string_view method_of(const MessageHead* request) {
  if (request == nullptr) return {};
  std::string_view path = http::parse_target((*request)[Field::kTarget], false).path;
  if (!path.starts_with('/')) return {};
  path.remove_prefix(1);
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash == 0 || slash + 1 == path.size() ? std::string_view() : path;
}

Status of_number(int8_t number) { return number >= 0 ? static_cast<Status>(number) : Status::kUnknown; }

bool is_out_of_time(const MessageHead* request, const ExchangeFacts& facts) {
  if (request == nullptr) return false;
  const auto timeout = timeout_ns((*request)[Field::kTimeout]);
  return timeout && facts.duration_ns + std::max(kTimerSlackNs, *timeout / kRounding) >= *timeout;
}

Status status_of_reset(const MessageHead* request, const ExchangeFacts& facts) {
  const Status status = facts.reset_by_client ? Status::kCancelled : of_reset(facts.reset);
  // A server cancels when its time is over, too; clients take it for that.
  return status == Status::kCancelled && is_out_of_time(request, facts) ? Status::kDeadlineExceeded : status;
}

/// The connection has ended first. A client that does it gives its calls up: over HTTP/1 there is no other way.
Status status_of_failure(const MessageHead* request, const ExchangeFacts& facts) {
  if (facts.failure.empty()) return Status::kNone;
  if (is_out_of_time(request, facts)) return Status::kDeadlineExceeded;
  if (!facts.is_client_side) return Status::kNone;
  return facts.closed_by_client ? Status::kCancelled : Status::kUnavailable;
}

/// kNone: it has none, or nobody knows it.
Status status_of(const ExchangeFacts& facts, Rpc rpc) {
  const MessageHead* const response = as_message(facts.response);
  const MessageHead* const tail = as_message(facts.response_tail);
  if (tail != nullptr && tail->rpc_status() != http::kNoRpcStatus) return of_number(tail->rpc_status());
  if (response != nullptr && response->rpc_status() != http::kNoRpcStatus) return of_number(response->rpc_status());
  if (!facts.reset.empty()) return status_of_reset(as_message(facts.request), facts);
  if (!facts.response_complete) return status_of_failure(as_message(facts.request), facts);
  const uint16_t http_status = response == nullptr ? 0 : response->status();
  if (rpc == Rpc::kConnect) return of_connect(http_status);
  if (http_status != 0 && http_status != 200) return of_http(http_status);
  // The others have their trailers in the body. A field that was sent as an entry of a table which is not known may be the status.
  if (rpc != Rpc::kGrpc || response == nullptr || response->is_partial() || (tail != nullptr && tail->is_partial())) return Status::kNone;
  return Status::kUnknown;
}

void add_outcome(const ExchangeFacts& facts, Rpc rpc, Description& out) {
  const Status status = status_of(facts, rpc);
  if (status == Status::kNone) {
    const MessageHead* const response = as_message(facts.response);
    if (!facts.response_complete && !facts.failure.empty()) {
      out.is_error = true;
      out.attributes.add("error.type", facts.failure);
    } else if (response != nullptr && response->status() >= (facts.is_client_side ? 400 : 500)) {
      std::array<char, 8> digits;
      const auto end = std::to_chars(digits.begin(), digits.end(), response->status()).ptr;
      out.is_error = true;
      out.attributes.add("error.type", std::string_view(digits.data(), static_cast<size_t>(end - digits.data())));
    }
    return;
  }
  const std::string_view name = is_connect(rpc) ? connect_name_of(status) : name_of(status);
  // What it is called has changed in the conventions behind v1.44: to be switched here.
  if (!is_connect(rpc) || status != Status::kOk) out.attributes.add("rpc.response.status_code", name);
  out.is_error = is_error(status, facts.is_client_side);
  if (out.is_error) out.attributes.add("error.type", name);
}

void add_server(const MessageHead* request, const ExchangeFacts& facts, Description& out) {
  const http::Authority named = request != nullptr ? http::parse_authority((*request)[Field::kHost]) : http::Authority();
  if (!named.host.empty()) {
    const bool is_https = request != nullptr && (*request)[Field::kScheme] == "https";
    out.attributes.add("server.address", named.host);
    if (named.port != 0)
      out.attributes.add("server.port", static_cast<int64_t>(named.port));
    else if (facts.server_port != 0)  // a Unix socket has none, whatever the authority that gRPC makes up for it
      out.attributes.add("server.port", static_cast<int64_t>(is_https ? 443 : 80));
  } else if (!facts.server_address.empty()) {
    out.attributes.add("server.address", facts.server_address);
    if (facts.server_port != 0) out.attributes.add("server.port", static_cast<int64_t>(facts.server_port));
  }
}

void add_timeout(const MessageHead* request, Description& out) {
  const std::string_view timeout = request != nullptr ? (*request)[Field::kTimeout] : std::string_view();
  if (is_connect_timeout(timeout))
    out.attributes.add("rpc.request.metadata.connect-timeout-ms", std::vector<std::string_view>{timeout});
  else if (!timeout.empty())
    out.attributes.add("rpc.request.metadata.grpc-timeout", std::vector<std::string_view>{timeout});
}

constexpr size_t kAttributesMax = 14;  // with all that the agent adds

}  // namespace

Rpc rpc_of(const Head* request, const Head* response) {
  if (request != nullptr && as_message(request)->rpc() != Rpc::kNone) return as_message(request)->rpc();
  if (response == nullptr || (request != nullptr && !as_message(request)->is_partial())) return Rpc::kNone;
  return as_message(response)->rpc();
}

Description describe(const ExchangeFacts& facts, Rpc rpc) {
  const MessageHead* const request = as_message(facts.request);
  Description out;
  const std::string_view method = method_of(request);
  const std::string_view system = is_connect(rpc) ? "connectrpc" : "grpc";
  out.attributes.reserve(kAttributesMax, 96 + method.size() + facts.client_address.size() + facts.server_address.size());
  out.name = method.empty() ? system : method;
  out.attributes.add("rpc.system.name", system);
  if (!method.empty()) {
    out.attributes.add("rpc.method", method);
  } else if (request != nullptr && !(*request)[Field::kTarget].empty()) {
    out.attributes.add("rpc.method", "_OTHER");
    out.attributes.add("rpc.method_original", http::parse_target((*request)[Field::kTarget], false).path);
  }
  add_server(request, facts, out);
  add_timeout(request, out);
  add_outcome(facts, rpc, out);
  if (request != nullptr) out.attributes.add("http.request.body.size", facts.request_body_bytes);
  if (facts.response != nullptr) out.attributes.add("http.response.body.size", facts.response_body_bytes);
  return out;
}

}  // namespace clew::protocols::grpc
