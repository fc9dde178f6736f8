// SPDX-License-Identifier: Apache-2.0
// Readers of the Forwarded family.
#include "protocols/http/forwarded.h"

#include "protocols/http/characters.h"

namespace clew::protocols::http {
namespace {

/// The length of the piece of `text` before an unquoted ',' or ';'.
size_t piece_length(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted && text[i] == '\\') ++i;
    if (!quoted && i < text.size() && (text[i] == ',' || text[i] == ';')) return i;
  }
  return text.size();
}

std::string_view unquote(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') return value.substr(1, value.size() - 2);
  return value;
}

}  // namespace

std::string_view forwarded_parameter(std::string_view forwarded, std::string_view name) {
  for (;;) {
    const size_t length = piece_length(forwarded);
    const std::string_view pair = trim(forwarded.substr(0, length));
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && equals_ignoring_case(trim(pair.substr(0, equals)), name))
      return unquote(trim(pair.substr(equals + 1)));
    if (length >= forwarded.size() || forwarded[length] == ',') return {};
    forwarded.remove_prefix(length + 1);
  }
}

std::string_view first_of_list(std::string_view list) { return trim(list.substr(0, list.find(','))); }

std::string_view node_address(std::string_view node) {
  if (equals_ignoring_case(node, "unknown")) return {};
  if (node.starts_with('[')) {
    const size_t close = node.find(']');
    return close == std::string_view::npos ? std::string_view{} : node.substr(1, close - 1);
  }
  const size_t colon = node.find(':');
  const bool has_port = colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos;
  return has_port ? node.substr(0, colon) : node;
}

}  // namespace clew::protocols::http
