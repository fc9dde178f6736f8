// SPDX-License-Identifier: Apache-2.0
// Request targets and authorities in their parts, and queries without their secrets. RFC 9112 §3.2, RFC 3986 §3.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clew::protocols::http {

/// Empty host: there is none, or it is no host.
struct Authority {
  std::string_view host;  // an IPv6 address without its brackets
  uint16_t port = 0;      // 0: not given
};

/// "[user@]host[:port]".
Authority parse_authority(std::string_view text);

/// A request target. What its form does not have is empty.
struct Target {
  std::string_view scheme;
  std::string_view userinfo;
  std::string_view authority;  // without userinfo
  std::string_view path;       // "*" of the asterisk form, "/" if the absolute form has none
  std::string_view query;      // without '?'
};

/// `is_connect`: the target is an authority, unless it is a path.
Target parse_target(std::string_view target, bool is_connect);

/// Appends the query with the value of each parameter replaced by REDACTED; with `only_secrets`, of those whose key is known for
/// secrets. Keys stay as they are. A word without '=' may be a key or a value ("/reset?3f9a51"): it is kept only with `only_secrets`.
void append_redacted_query(std::string_view query, bool only_secrets, std::string& out);

}  // namespace clew::protocols::http
