// SPDX-License-Identifier: Apache-2.0
// Chooses between the words for HTTP and those for calls.
#include "protocols/grpc/http_words.h"

#include <algorithm>
#include <utility>

#include "protocols/grpc/describe.h"
#include "protocols/http/characters.h"
#include "protocols/http/describe.h"

namespace clew::protocols::grpc {

std::vector<std::string> default_known_methods() {
  return {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"};
}

HttpWords::HttpWords(std::vector<std::string> known_methods) : known_methods_(std::move(known_methods)) {}

std::string_view HttpWords::name_of(const Head* request, const Head* response) const {
  switch (rpc_of(request, response)) {
    case http::Rpc::kNone: break;
    case http::Rpc::kGrpc:
    case http::Rpc::kGrpcWeb: return "grpc";
    case http::Rpc::kConnect:
    case http::Rpc::kConnectStreams: return "connect";
  }
  return name();
}

Description HttpWords::describe(const ExchangeFacts& facts) const {
  const http::Rpc rpc = rpc_of(facts.request, facts.response);
  return rpc == http::Rpc::kNone ? http::describe(facts, known_methods_) : grpc::describe(facts, rpc);
}

void HttpWords::configure(const std::function<const char*(const char*)>& lookup) {
  const char* const value = lookup("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS");
  if (value == nullptr) return;
  std::vector<std::string> methods;
  for (std::string_view rest = value; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    if (const std::string_view method = http::trim(rest.substr(0, comma)); !method.empty()) methods.emplace_back(method);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!methods.empty()) known_methods_ = std::move(methods);  // an empty value is an unset one
}

}  // namespace clew::protocols::grpc
