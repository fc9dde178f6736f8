// SPDX-License-Identifier: Apache-2.0
// An exchange in the words of OpenTelemetry's HTTP conventions, v1.44 (docs/http/http-spans.md).
#pragma once

#include <string>
#include <vector>

#include "protocols/message.h"

namespace clew::protocols::http {

/// Heads in `facts` are MessageHead. The span's name is the method alone: which route a path belongs to is not known here.
Description describe(const ExchangeFacts& facts, const std::vector<std::string>& known_methods);

}  // namespace clew::protocols::http
