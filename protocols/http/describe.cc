// SPDX-License-Identifier: Apache-2.0
// Attributes of HTTP server and client spans.
#include "protocols/http/describe.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "protocols/http/characters.h"
#include "protocols/http/forwarded.h"
#include "protocols/http/head.h"
#include "protocols/http/url.h"

namespace clew::protocols::http {
namespace {

/// A small number as text, without an allocation.
struct Decimal {
  explicit Decimal(uint32_t value) : end(std::to_chars(digits.begin(), digits.end(), value).ptr) {}
  std::string_view text() const { return {digits.data(), static_cast<size_t>(end - digits.data())}; }
  std::array<char, 12> digits;
  char* end;
};

bool is_scheme(std::string_view text) {
  const auto is_scheme_byte = [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  return !text.empty() && is_alpha(text.front()) && std::all_of(text.begin(), text.end(), is_scheme_byte);
}

uint16_t default_port(std::string_view scheme) {
  return equals_ignoring_case(scheme, "https") || equals_ignoring_case(scheme, "wss") ? 443 : 80;
}

/// Where the client wanted to go, from the first source that says it.
Authority find_server(const MessageHead& request, const Target& target, bool is_client_side) {
  Authority found;
  if (!is_client_side && request.is_forwarded()) {
    found = parse_authority(forwarded_parameter(request[Field::kForwarded], "host"));
    if (found.host.empty()) found = parse_authority(first_of_list(request[Field::kXForwardedHost]));
  }
  if (found.host.empty()) found = parse_authority(target.authority);
  if (found.host.empty()) found = parse_authority(request[Field::kHost]);
  return found;
}

std::string_view scheme_on_wire(const ExchangeFacts& facts) { return facts.is_encrypted ? "https" : "http"; }

std::string_view find_scheme(const MessageHead& request, const Target& target, const ExchangeFacts& facts) {
  if (request.is_forwarded()) {
    if (const auto proto = forwarded_parameter(request[Field::kForwarded], "proto"); is_scheme(proto)) return proto;
    if (const auto proto = first_of_list(request[Field::kXForwardedProto]); is_scheme(proto)) return proto;
  }
  if (is_scheme(target.scheme)) return target.scheme;
  return is_scheme(request[Field::kScheme]) ? request[Field::kScheme] : scheme_on_wire(facts);
}

std::string_view find_client(const MessageHead& request, const ExchangeFacts& facts) {
  if (!request.is_forwarded()) return facts.client_address;
  if (const auto node = node_address(forwarded_parameter(request[Field::kForwarded], "for")); !node.empty()) return node;
  if (const auto node = node_address(first_of_list(request[Field::kXForwardedFor])); !node.empty()) return node;
  return facts.client_address;
}

void add_server_address(const Authority& server, std::string_view scheme, const ExchangeFacts& facts, base::Attributes& out) {
  if (!server.host.empty()) {
    out.add("server.address", server.host);
    out.add("server.port", server.port != 0 ? server.port : default_port(scheme));
  } else if (!facts.server_address.empty()) {
    out.add("server.address", facts.server_address);
    if (facts.server_port != 0) out.add("server.port", facts.server_port);
  }
}

void append_query(std::string_view query, bool capture, std::string& out) { append_redacted_query(query, capture, out); }

void add_server_attributes(const MessageHead& request, const Target& target, const ExchangeFacts& facts, base::Attributes& out) {
  const std::string_view scheme = find_scheme(request, target, facts);
  if (std::ranges::all_of(scheme, [](char c) { return c == to_lower(c); })) {
    out.add("url.scheme", scheme);
  } else {
    std::string lower(scheme);
    std::ranges::transform(lower, lower.begin(), to_lower);
    out.add("url.scheme", lower);
  }
  if (!target.path.empty() || !request.is_partial()) out.add("url.path", target.path);  // else nobody knows it
  if (!target.query.empty()) {
    std::string query;
    append_query(target.query, facts.capture_query, query);
    out.add("url.query", query);
  }
  add_server_address(find_server(request, target, false), scheme, facts, out);
  if (const std::string_view client = find_client(request, facts); !client.empty()) out.add("client.address", client);
  if (const std::string_view agent = request[Field::kUserAgent]; !agent.empty()) out.add("user_agent.original", agent);
}

/// A Unix socket's name as the host of a URL: as it is, it would be read as the beginning of the path.
std::string percent_encoded(std::string_view name) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  for (const char c : name) {
    if (is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~') {
      text += c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      text.append({'%', kHex[byte >> 4U], kHex[byte & 15U]});
    }
  }
  return text;
}

/// "host:port" as it stands in a URL.
std::string socket_authority(const ExchangeFacts& facts) {
  if (facts.server_port == 0) return percent_encoded(facts.server_address);
  std::string text(facts.server_address);
  if (text.find(':') != std::string::npos) text = '[' + text + ']';
  if (facts.server_port != default_port(scheme_on_wire(facts))) text.append(":").append(Decimal(facts.server_port).text());
  return text;
}

std::string full_url(const MessageHead& request, const Target& target, const ExchangeFacts& facts) {
  const std::string_view scheme = is_scheme(target.scheme) ? target.scheme : request[Field::kScheme];
  std::string url(is_scheme(scheme) ? scheme : scheme_on_wire(facts));
  url += "://";
  if (!target.userinfo.empty()) url += target.userinfo.find(':') == std::string_view::npos ? "REDACTED@" : "REDACTED:REDACTED@";
  if (!target.authority.empty())
    url += target.authority;
  else if (!parse_authority(request[Field::kHost]).host.empty())
    url += request[Field::kHost].substr(request[Field::kHost].rfind('@') + 1);
  else
    url += socket_authority(facts);
  if (target.path != "*") url += target.path;
  if (!target.query.empty()) {
    url += '?';
    append_query(target.query, facts.capture_query, url);
  }
  return url;
}

void add_client_attributes(const MessageHead& request, const Target& target, const ExchangeFacts& facts, base::Attributes& out) {
  std::string_view scheme = is_scheme(target.scheme) ? target.scheme : request[Field::kScheme];
  if (!is_scheme(scheme)) scheme = scheme_on_wire(facts);
  add_server_address(find_server(request, target, true), scheme, facts, out);
  if (!request.is_partial() || !target.path.empty()) out.add("url.full", full_url(request, target, facts));
}

/// 4xx is the client's error: a server span is fine with it.
bool is_error_status(uint16_t status, bool is_client_side) { return status >= (is_client_side ? 400 : 500); }

void add_outcome(const MessageHead* response, const ExchangeFacts& facts, Description& out) {
  if (response != nullptr && response->status() != 0) {
    out.attributes.add("http.response.status_code", response->status());
    if (is_error_status(response->status(), facts.is_client_side)) {
      out.is_error = true;
      out.attributes.add("error.type", Decimal(response->status()).text());
      return;
    }
  }
  if (facts.response_complete) return;
  // A client that does not want the answer any more has not failed.
  const bool is_cancelled = facts.reset_by_client && (facts.reset == "CANCEL" || facts.reset == "NO_ERROR");
  const std::string_view failure = is_cancelled ? std::string_view() : !facts.reset.empty() ? facts.reset : facts.failure;
  if (failure.empty()) return;
  out.is_error = true;
  out.attributes.add("error.type", failure);
}

/// Of a server span with all that the agent adds.
constexpr size_t kAttributesMax = 20;

/// About as much text as the attributes have; less costs another allocation, no more.
size_t text_size(const MessageHead* request, const ExchangeFacts& facts) {
  constexpr size_t kWords = 64;  // methods, schemes, versions, evidence
  size_t size = kWords + 2 * facts.client_address.size() + facts.server_address.size();
  if (request != nullptr)
    for (const Field field : {Field::kMethod, Field::kTarget, Field::kHost, Field::kUserAgent}) size += (*request)[field].size();
  return size;
}

}  // namespace

Description describe(const ExchangeFacts& facts, const std::vector<std::string>& known_methods) {
  const MessageHead* const request = as_message(facts.request);
  const MessageHead* const response = as_message(facts.response);
  Description out;
  std::string_view name = "HTTP";
  out.attributes.reserve(kAttributesMax, text_size(request, facts));
  if (request != nullptr) {
    const std::string_view method = (*request)[Field::kMethod];
    const bool is_known = std::find(known_methods.begin(), known_methods.end(), method) != known_methods.end();
    if (is_known) name = method;
    if (!method.empty()) {
      out.attributes.add("http.request.method", is_known ? method : "_OTHER");
      if (!is_known) out.attributes.add("http.request.method_original", method);
    }
    const Target target = parse_target((*request)[Field::kTarget], method == "CONNECT");
    if (facts.is_client_side)
      add_client_attributes(*request, target, facts, out.attributes);
    else
      add_server_attributes(*request, target, facts, out.attributes);
    out.attributes.add("http.request.body.size", facts.request_body_bytes);
  }
  add_outcome(response, facts, out);
  if (response != nullptr) out.attributes.add("http.response.body.size", facts.response_body_bytes);
  if (const MessageHead* const head = request != nullptr ? request : response; head != nullptr) {
    static constexpr std::array kVersions =
        std::to_array<std::string_view>({"1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8", "1.9"});
    out.attributes.add("network.protocol.version", head->version() == kHttp2 ? "2" : kVersions[head->version()]);
  }
  out.name = name;
  return out;
}

}  // namespace clew::protocols::http
