// SPDX-License-Identifier: Apache-2.0
// HTTP/1.0 and HTTP/1.1, RFC 9112: classifier, parser, and the words for its spans.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/protocol.h"

namespace clew::protocols::http1 {

/// CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE. Other methods are `_OTHER` in attributes, so that they are few.
std::vector<std::string> default_known_methods();

class Http1 final : public Protocol {
 public:
  explicit Http1(std::vector<std::string> known_methods = default_known_methods());

  std::string_view name() const override { return "http"; }
  /// Never weak: a whole start line with "HTTP/1." in it is strong, anything else is no.
  Claim classify(Sender sender, std::string_view bytes) const override;
  std::unique_ptr<Parser> make_parser(bool from_start) const override;
  Description describe(const ExchangeFacts& facts) const override;
  /// OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS, a list with commas, replaces the known methods. Case counts.
  void configure(const std::function<const char*(const char*)>& lookup) override;

 private:
  std::vector<std::string> known_methods_;
};

}  // namespace clew::protocols::http1
