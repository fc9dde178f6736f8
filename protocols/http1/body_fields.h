// SPDX-License-Identifier: Apache-2.0
// Content-Length and Transfer-Encoding: what they say, and when they contradict themselves. RFC 9112 §6.
#pragma once

#include <string_view>

#include "protocols/http1/framing.h"

namespace clew::protocols::http1 {

/// Takes one more value ("5" or "5, 5"). Returns a reason, as a literal, if the head cannot be framed by it, else nothing.
std::string_view take_content_length(std::string_view value, BodyFields& body);

/// Takes one more value ("gzip, chunked"); several fields are one list.
void take_transfer_encoding(std::string_view value, BodyFields& body);

}  // namespace clew::protocols::http1
