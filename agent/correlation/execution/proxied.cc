// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/execution/proxied.h"

#include <algorithm>

namespace clew::correlation {
namespace {

enum : uint64_t { kNotRead = 0, kTcp = 2 };  // enum haproxy_mux

}  // namespace

Proxied::Request* Proxied::find(const RequestKey& key) {
  const auto found = connections_.find(key.socket());
  if (found == connections_.end()) return nullptr;
  const auto request = std::ranges::find(found->second, key, &Request::key);
  return request == found->second.end() ? nullptr : &*request;
}

void Proxied::received(const RequestKey& request, const Caller& caller) {
  threads_.received(request, caller);
  if (request.stream_id != 0) return;  // HTTP/2: not one after the other
  if (connections_.size() >= settings_.connects_max && !connections_.contains(request.socket())) {
    std::erase_if(connections_, [](const auto& entry) { return entry.second.empty(); });
    if (connections_.size() >= settings_.connects_max) return settings_.full->add();
  }
  connections_[request.socket()].push_back({.key = request});
}

void Proxied::responding(const RequestKey& request, const Caller& /*caller*/) {
  if (Request* const found = find(request)) found->responds = true;
}

void Proxied::done(const RequestKey& request, uint64_t time_ns) {
  threads_.done(request, time_ns);
  const auto found = connections_.find(request.socket());
  if (found == connections_.end()) return;
  std::erase_if(found->second, [&request](const Request& each) { return each.key == request; });
}

// The first that no response was sent for. While the client has not taken all of an earlier response, that of the first may wait behind it,
// complete: then it is known only if there is no second.
std::optional<RequestKey> Proxied::next_of(uint64_t connection, bool in_order) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return std::nullopt;
  std::vector<Request>& requests = found->second;
  const auto waits = [in_order](const Request& each) { return !each.responds && !(in_order && each.passed); };
  const auto first = std::ranges::find_if(requests, waits);
  if (first == requests.end()) return std::nullopt;
  if (!in_order && first != requests.begin() && std::any_of(std::next(first), requests.end(), waits)) {
    settings_.ambiguous->add();
    return std::nullopt;
  }
  first->passed = true;
  return first->key;
}

std::optional<Cause> Proxied::sent(const RequestKey& request, const Caller& caller) {
  const auto [client, mux, unused] = caller.execution;
  if (mux == kNotRead) {
    settings_.unread->add();
    return threads_.sent(request, caller);
  }
  const std::optional<RequestKey> cause = client != 0 ? next_of(client, mux == kTcp) : std::nullopt;
  if (!cause) return std::nullopt;
  return Cause{.request = *cause, .evidence = Evidence::kExecution};
}

}  // namespace clew::correlation
