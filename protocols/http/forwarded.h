// SPDX-License-Identifier: Apache-2.0
// What proxies say of the request that they passed on: Forwarded (RFC 7239) and the X-Forwarded-* fields before it.
#pragma once

#include <string_view>

namespace clew::protocols::http {

/// The value of `name` ("for", "host", "proto") in the first element of a Forwarded field, unquoted; empty if it is not there.
std::string_view forwarded_parameter(std::string_view forwarded, std::string_view name);

/// The first value of a comma-separated list.
std::string_view first_of_list(std::string_view list);

/// The address in "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1" or "_hidden"; empty for "unknown".
std::string_view node_address(std::string_view node);

}  // namespace clew::protocols::http
