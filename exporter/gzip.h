// SPDX-License-Identifier: Apache-2.0
// One text as a gzip member (RFC 1952); equal input gives equal output.
#pragma once

#include <string>
#include <string_view>

namespace clew::exporter {

std::string gzip(std::string_view text);

}  // namespace clew::exporter
