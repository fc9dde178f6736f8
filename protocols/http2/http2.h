// SPDX-License-Identifier: Apache-2.0
// HTTP/2, RFC 9113, in clear text: classifier and parser.
#pragma once

#include <memory>
#include <string_view>

#include "protocols/grpc/http_words.h"

namespace clew::protocols::http2 {

class Http2 final : public grpc::HttpWords {
 public:
  using HttpWords::HttpWords;

  std::string_view name() const override { return "http2"; }
  /// Strong: the client's preface, the server's first SETTINGS, three frames in a row. Weak: one or two frames.
  Claim classify(Sender sender, std::string_view bytes) const override;
  std::unique_ptr<Parser> make_parser(bool from_start) const override;
};

}  // namespace clew::protocols::http2
