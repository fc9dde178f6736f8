// SPDX-License-Identifier: Apache-2.0
// Joins classifier and parser.
#include "protocols/http1/http1.h"

#include "protocols/http1/head_scan.h"
#include "protocols/http1/parser.h"
#include "protocols/http1/start_line.h"

namespace clew::protocols::http1 {

Claim Http1::classify(Sender sender, std::string_view bytes) const {
  bytes = bytes.substr(0, kHeadLengthMax);
  const size_t begin = bytes.find_first_not_of("\r\n");
  if (begin == std::string_view::npos) return bytes.size() < kHeadLengthMax ? Claim::kNeedMore : Claim::kNo;
  bytes.remove_prefix(begin);
  const size_t lf = bytes.find('\n');
  if (lf == std::string_view::npos) {
    const bool may_become = bytes.size() < kHeadLengthMax && may_become_start_line(sender, bytes);
    return may_become ? Claim::kNeedMore : Claim::kNo;
  }
  std::string_view line = bytes.substr(0, lf);
  if (line.ends_with('\r')) line.remove_suffix(1);
  StartLine start_line;
  return parse_start_line(sender, line, start_line) ? Claim::kStrong : Claim::kNo;
}

std::unique_ptr<Parser> Http1::make_parser(bool from_start) const { return std::make_unique<Http1Parser>(from_start); }

}  // namespace clew::protocols::http1
