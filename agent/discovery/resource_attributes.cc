// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/resource_attributes.h"

#include <fmt/format.h>

#include <algorithm>

namespace clew::discovery {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// False if a '%' is not followed by two hexadecimal digits.
bool percent_decode(std::string_view text, std::string& into) {
  into.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      into.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return false;
    into.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

}  // namespace

base::Result<AttributeList> parse_resource_attributes(std::string_view text) {
  AttributeList attributes;
  size_t position = 0;
  while (position < text.size()) {
    const size_t comma = std::min(text.find(',', position), text.size());
    const std::string_view member = trimmed(text.substr(position, comma - position));
    const auto wrong = [&](std::string_view what) {
      return base::fail(fmt::format("OTEL_RESOURCE_ATTRIBUTES: {} at position {}: the variable is ignored", what, position));
    };
    if (member.empty()) {  // a comma too many: common in scripts that append, and nothing is lost by it
      position = comma + 1;
      continue;
    }
    const size_t equals = member.find('=');
    if (equals == std::string_view::npos) return wrong("no '='");
    std::string key;
    std::string value;
    if (!percent_decode(trimmed(member.substr(0, equals)), key) || !percent_decode(trimmed(member.substr(equals + 1)), value))
      return wrong("'%' without two hexadecimal digits");
    if (key.empty()) return wrong("no key");
    const auto found = std::ranges::find(attributes, key, &AttributeList::value_type::first);
    if (found != attributes.end()) {
      found->second = std::move(value);
    } else {
      attributes.emplace_back(std::move(key), std::move(value));
    }
    position = comma + 1;
  }
  return attributes;
}

std::string_view find_attribute(const AttributeList& attributes, std::string_view key) {
  const auto found = std::ranges::find_if(attributes, [&](const auto& pair) { return pair.first == key; });
  return found == attributes.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace clew::discovery
