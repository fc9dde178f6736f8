// SPDX-License-Identifier: Apache-2.0
// The words for exchanges over HTTP, whether they are calls or not: what HTTP/1 and HTTP/2 have in common as protocols.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/protocol.h"

namespace clew::protocols::grpc {

/// CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE. Other methods are `_OTHER` in attributes, so that they are few.
std::vector<std::string> default_known_methods();

/// A Protocol but for its classifier and parser.
class HttpWords : public Protocol {
 public:
  explicit HttpWords(std::vector<std::string> known_methods = default_known_methods());

  /// "grpc" or "connect" for a call.
  std::string_view name_of(const Head* request, const Head* response) const override;
  Description describe(const ExchangeFacts& facts) const override;
  /// OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS, a list with commas, replaces the known methods. Case counts.
  void configure(const std::function<const char*(const char*)>& lookup) override;

 private:
  std::vector<std::string> known_methods_;
};

}  // namespace clew::protocols::grpc
