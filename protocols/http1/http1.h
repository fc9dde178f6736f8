// SPDX-License-Identifier: Apache-2.0
// HTTP/1.0 and HTTP/1.1, RFC 9112: classifier and parser.
#pragma once

#include <memory>
#include <string_view>

#include "protocols/grpc/http_words.h"

namespace clew::protocols::http1 {

class Http1 final : public grpc::HttpWords {
 public:
  using HttpWords::HttpWords;

  std::string_view name() const override { return "http"; }
  /// Never weak: a whole start line with "HTTP/1." in it is strong, anything else is no.
  Claim classify(Sender sender, std::string_view bytes) const override;
  std::unique_ptr<Parser> make_parser(bool from_start) const override;
};

}  // namespace clew::protocols::http1
