// SPDX-License-Identifier: Apache-2.0
// OTEL_RESOURCE_ATTRIBUTES: "key=value,…" with percent-encoding, by the OpenTelemetry resource SDK specification.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/result.h"

namespace clew::discovery {

using AttributeList = std::vector<std::pair<std::string, std::string>>;

/// Pairs in the order given, the last value of a repeated key. Any error discards the whole variable, as the specification asks;
/// the Error says where. Empty text gives no pairs.
base::Result<AttributeList> parse_resource_attributes(std::string_view text);

/// The value of that key, or empty.
std::string_view find_attribute(const AttributeList& attributes, std::string_view key);

}  // namespace clew::discovery
