// SPDX-License-Identifier: Apache-2.0
// Splits URLs, and takes secrets out of queries.
#include "protocols/http/url.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "protocols/http/characters.h"

namespace clew::protocols::http {
namespace {

/// OpenTelemetry's list for url.full and url.query (v1.44 and the two that came back after it), then keys that carry credentials
/// or personal numbers by custom. In order of bytes.
constexpr std::array kSecretKeys = std::to_array<std::string_view>({
    "AWSAccessKeyId",
    "SAMLResponse",
    "SecurityToken",
    "Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Signature",
    "access_token",
    "api_key",
    "apikey",
    "assertion",
    "card",
    "cc",
    "client_secret",
    "cvv",
    "id_token",
    "invite_token",
    "jwt",
    "mfa_code",
    "otp",
    "pan",
    "pass",
    "password",
    "pwd",
    "refresh_token",
    "reset_token",
    "secret",
    "session",
    "sid",
    "sig",
    "signature",
    "ssn",
    "tax_id",
    "token",
    "totp",
    "verification_code",
    "verify_token",
});
static_assert(std::is_sorted(kSecretKeys.begin(), kSecretKeys.end()));
constexpr size_t kSecretKeyLengthMax = 32;

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// The key is compared as the application will read it, that is without percent-encoding.
bool is_secret_key(std::string_view key) {
  std::array<char, kSecretKeyLengthMax> decoded;
  size_t length = 0;
  for (size_t i = 0; i < key.size(); ++i) {
    if (length == decoded.size()) return false;
    char c = key[i];
    if (c == '%' && i + 2 < key.size() && hex_value(key[i + 1]) >= 0 && hex_value(key[i + 2]) >= 0) {
      c = static_cast<char>(hex_value(key[i + 1]) * 16 + hex_value(key[i + 2]));
      i += 2;
    }
    decoded[length++] = c;
  }
  return std::binary_search(kSecretKeys.begin(), kSecretKeys.end(), std::string_view(decoded.data(), length));
}

constexpr auto kHostBytes = [] {
  std::array<bool, 256> table{};
  for (size_t c = 0; c < 256; ++c) table[c] = is_digit(static_cast<char>(c)) || is_alpha(static_cast<char>(c)) || c >= 0x80;
  for (char c : std::string_view("-._~!$&'()*+;=%")) table[static_cast<uint8_t>(c)] = true;
  return table;
}();
bool is_host_byte(char c) { return kHostBytes[static_cast<uint8_t>(c)]; }

bool is_address_byte(char c) { return hex_value(c) >= 0 || c == ':' || c == '.' || c == '%' || is_alpha(c) || is_digit(c); }

bool parse_port(std::string_view text, uint16_t& port) {
  if (text.empty()) return true;  // "host:" means the default port, RFC 3986 §3.2.3
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && stop == end;
}

std::string_view without_userinfo(std::string_view text) {
  const void* const at = text.empty() ? nullptr : memrchr(text.data(), '@', text.size());
  return at == nullptr ? text : text.substr(static_cast<size_t>(static_cast<const char*>(at) - text.data()) + 1);
}

}  // namespace

Authority parse_authority(std::string_view text) {
  if (text.empty()) return {};
  text = without_userinfo(text);
  Authority authority;
  std::string_view after;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return {};
    authority.host = text.substr(1, close - 1);
    after = text.substr(close + 1);
    if (!std::all_of(authority.host.begin(), authority.host.end(), is_address_byte)) return {};
  } else {
    size_t length = 0;
    while (length < text.size() && is_host_byte(text[length])) ++length;
    authority.host = text.substr(0, length);
    after = text.substr(length);
  }
  if (authority.host.empty()) return {};
  if (!after.empty() && (after.front() != ':' || !parse_port(after.substr(1), authority.port))) return {};
  return authority;
}

Target parse_target(std::string_view target, bool is_connect) {
  Target parts;
  target = target.substr(0, target.find('#'));
  if (is_connect && !target.starts_with('/')) {  // one with a :protocol has a path (RFC 8441)
    parts.authority = without_userinfo(target);
    return parts;
  }
  if (const size_t colon = target.starts_with('/') ? std::string_view::npos : target.find("://");
      colon != std::string_view::npos && is_alpha(target[0])) {
    const size_t end = std::min(target.find_first_of("/?", colon + 3), target.size());
    const std::string_view authority = target.substr(colon + 3, end - colon - 3);
    parts.scheme = target.substr(0, colon);
    parts.authority = without_userinfo(authority);
    if (parts.authority.size() < authority.size()) parts.userinfo = authority.substr(0, authority.size() - parts.authority.size() - 1);
    target.remove_prefix(end);
    parts.path = "/";
  }
  const size_t mark = target.find('?');
  if (const std::string_view path = target.substr(0, mark); !path.empty()) parts.path = path;
  if (mark != std::string_view::npos) parts.query = target.substr(mark + 1);
  return parts;
}

void append_redacted_query(std::string_view query, bool only_secrets, std::string& out) {
  for (;;) {
    const size_t end = query.find('&');
    const std::string_view parameter = query.substr(0, end);
    const size_t equals = parameter.find('=');
    const std::string_view key = parameter.substr(0, equals);
    if (parameter.empty() || (only_secrets && (equals == std::string_view::npos || !is_secret_key(key)))) {
      out.append(parameter);
    } else if (equals == std::string_view::npos) {
      out.append("REDACTED");
    } else {
      out.append(key).append("=REDACTED");
    }
    if (end == std::string_view::npos) return;
    out.push_back('&');
    query.remove_prefix(end + 1);
  }
}

}  // namespace clew::protocols::http
