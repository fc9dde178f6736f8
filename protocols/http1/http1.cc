// SPDX-License-Identifier: Apache-2.0
// Joins classifier, parser and description.
#include "protocols/http1/http1.h"

#include <algorithm>
#include <utility>

#include "protocols/http1/characters.h"
#include "protocols/http1/describe.h"
#include "protocols/http1/head_scan.h"
#include "protocols/http1/parser.h"
#include "protocols/http1/start_line.h"

namespace clew::protocols::http1 {

std::vector<std::string> default_known_methods() {
  return {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"};
}

Http1::Http1(std::vector<std::string> known_methods) : known_methods_(std::move(known_methods)) {}

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

void Http1::configure(const std::function<const char*(const char*)>& lookup) {
  const char* const value = lookup("OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS");
  if (value == nullptr) return;
  std::vector<std::string> methods;
  for (std::string_view rest = value; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    if (const std::string_view method = trim(rest.substr(0, comma)); !method.empty()) methods.emplace_back(method);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!methods.empty()) known_methods_ = std::move(methods);  // an empty value is an unset one
}

Description Http1::describe(const ExchangeFacts& facts) const { return http1::describe(facts, known_methods_); }

}  // namespace clew::protocols::http1
