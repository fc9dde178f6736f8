// SPDX-License-Identifier: Apache-2.0
// Lines of a head, and the few header fields among them that matter.
#include "protocols/http1/head_scan.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "protocols/http/characters.h"
#include "protocols/http1/body_fields.h"

namespace clew::protocols::http1 {
namespace {

using http::equals_ignoring_case;
using http::is_space;
using http::is_token_byte;
using http::trim;

using Status = HeadScan::Status;

/// An unfinished start line is judged by its first bytes only, so that a long one that trickles in costs no more than its length.
constexpr size_t kJudgedBeginning = 64;

enum class Use : uint8_t { kKeep, kContentLength, kTransferEncoding, kUpgrade, kSecret, kContext, kContentType, kConnect, kRpcStatus };
struct KnownField {
  std::string_view name;  // in lower case
  Use use;
  Field field = Field::kMethod;
};
constexpr std::array kOwnFields = {
    KnownField{"host", Use::kKeep, Field::kHost},
    KnownField{"user-agent", Use::kKeep, Field::kUserAgent},
    KnownField{"forwarded", Use::kKeep, Field::kForwarded},
    KnownField{"x-forwarded-for", Use::kKeep, Field::kXForwardedFor},
    KnownField{"x-forwarded-host", Use::kKeep, Field::kXForwardedHost},
    KnownField{"x-forwarded-proto", Use::kKeep, Field::kXForwardedProto},
    KnownField{"grpc-timeout", Use::kKeep, Field::kTimeout},
    KnownField{"connect-timeout-ms", Use::kKeep, Field::kTimeout},
    KnownField{"content-type", Use::kContentType},
    KnownField{"connect-protocol-version", Use::kConnect},
    KnownField{"grpc-status", Use::kRpcStatus},
    KnownField{"content-length", Use::kContentLength},
    KnownField{"transfer-encoding", Use::kTransferEncoding},
    KnownField{"upgrade", Use::kUpgrade},
    KnownField{"authorization", Use::kSecret},
    KnownField{"proxy-authorization", Use::kSecret},
    KnownField{"cookie", Use::kSecret},
    KnownField{"set-cookie", Use::kSecret},
};

constexpr auto kHeaderFields = [] {
  std::array<KnownField, kOwnFields.size() + std::size(kContextFieldNames)> all{};
  auto* const rest = std::copy(kOwnFields.begin(), kOwnFields.end(), all.begin());
  std::transform(std::begin(kContextFieldNames), std::end(kContextFieldNames), rest,
                 [](std::string_view name) { return KnownField{name, Use::kContext}; });
  return all;
}();

constexpr size_t letter_of(char c) { return static_cast<uint8_t>(c) & 0x1fU; }  // the same for both cases
/// Bit i of the mask of a letter: kHeaderFields[i] begins with it.
constexpr std::array<uint32_t, 32> kFieldsOfLetter = [] {
  static_assert(kHeaderFields.size() <= 32);
  std::array<uint32_t, 32> masks{};
  for (size_t i = 0; i < kHeaderFields.size(); ++i) masks[letter_of(kHeaderFields[i].name.front())] |= 1U << i;
  return masks;
}();

/// The field that a line holds, and where its colon is; null if it is none of those that matter. Most lines are told by their first
/// letter and by what stands where the name of such a field would end.
const KnownField* find_field(std::string_view line, size_t& colon) {
  for (uint32_t mask = kFieldsOfLetter[letter_of(line.front())]; mask != 0; mask &= mask - 1) {
    const KnownField& field = kHeaderFields[static_cast<size_t>(__builtin_ctz(mask))];
    colon = field.name.size();
    if (line.size() <= colon || line[colon] > ':') continue;  // a letter: the name goes on
    // "Name :" is malformed, but those who take it take it for the name without the space.
    while (colon < line.size() && is_space(line[colon])) ++colon;
    if (colon < line.size() && line[colon] == ':' && equals_ignoring_case(line.substr(0, field.name.size()), field.name)) return &field;
  }
  return nullptr;
}

bool is_well_formed(std::string_view line) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view name = is_space(line[colon - 1]) ? trim(line.substr(0, colon)) : line.substr(0, colon);
  return std::all_of(name.begin(), name.end(), is_token_byte);
}

const char* find_lf(const char* from, const char* end) {
  return static_cast<const char*>(std::memchr(from, '\n', static_cast<size_t>(end - from)));
}

std::string_view without_cr(const char* begin, const char* lf) {
  if (lf != begin && lf[-1] == '\r') --lf;
  return {begin, static_cast<size_t>(lf - begin)};
}

void take_field(std::string_view line, bool strict, HeadScan& scan) {
  if (strict && !is_well_formed(line)) scan.has_malformed_line = true;
  // The first line only, as others would continue the one before: it counts if there is white space behind the name, too.
  const bool is_indented = is_space(line.front());
  if (is_indented) line = trim(line);
  if (line.empty()) return;
  size_t colon = 0;
  const KnownField* const wanted = find_field(line, colon);
  if (wanted == nullptr || (is_indented && !is_space(line[colon - 1]))) return;
  const std::string_view value = trim(line.substr(colon + 1));
  switch (wanted->use) {
    case Use::kKeep: {
      std::string_view& kept = scan.fields[static_cast<size_t>(wanted->field)];
      if (kept.empty()) kept = value;
      break;
    }
    case Use::kContentLength:
      if (const std::string_view reason = take_content_length(value, scan.body); !reason.empty()) scan.reason = reason;
      break;
    case Use::kTransferEncoding: take_transfer_encoding(value, scan.body); break;
    case Use::kUpgrade:
      scan.has_upgrade = true;
      scan.upgrades_to_http2 = equals_ignoring_case(value, "h2c");
      break;
    case Use::kSecret: scan.has_secret = true; break;
    case Use::kContentType:
      if (const http::Rpc rpc = http::rpc_of_content_type(value); rpc != http::Rpc::kNone) scan.rpc = rpc;
      break;
    case Use::kConnect:
      if (scan.rpc == http::Rpc::kNone) scan.rpc = http::Rpc::kConnect;
      break;
    case Use::kRpcStatus: scan.rpc_status = http::rpc_status_of(value); break;
    case Use::kContext:
      if (!scan.start_line.method.empty() && scan.context_fields.size() < HeadScan::kContextFieldsMax)
        scan.context_fields.push_back({line.substr(0, wanted->name.size()), value});
      break;
  }
}

bool has_head_end(std::string_view bytes, size_t from) {
  const char* const end = bytes.data() + bytes.size();
  const char* p = bytes.data() + from;
  while ((p = find_lf(p, end)) != nullptr) {
    ++p;
    if (p == end) return false;
    if (*p == '\n' || (*p == '\r' && p + 1 != end && p[1] == '\n')) return true;
  }
  return false;
}

void invalid(HeadScan& scan, std::string_view reason) {
  scan.status = Status::kInvalid;
  scan.reason = reason;
}

void scan_fields(const char* p, std::string_view bytes, bool strict, HeadScan& scan) {
  const char* const end = bytes.data() + bytes.size();
  for (;;) {
    if (p == end) return;
    if (*p == '\n') break;
    if (*p == '\r') {
      if (p + 1 == end) return;
      if (p[1] == '\n') {
        ++p;
        break;
      }
    }
    const char* lf = find_lf(p, end);
    while (lf != nullptr && lf + 1 != end && (lf[1] == ' ' || lf[1] == '\t')) lf = find_lf(lf + 1, end);  // RFC 9112 §5.2
    if (lf == nullptr || lf + 1 == end) return;
    take_field(without_cr(p, lf), strict, scan);
    p = lf + 1;
  }
  scan.length = static_cast<size_t>(p + 1 - bytes.data());
  if (!scan.reason.empty())
    scan.status = Status::kInvalid;
  else if (std::memchr(bytes.data(), '\0', scan.length) != nullptr)
    invalid(scan, "nul_in_head");
  else
    scan.status = Status::kComplete;
}

/// Is there something in the bytes after `progress.searched` that a new scan could find?
bool worth_scanning(std::string_view bytes, const HeadProgress& progress) {
  if (progress.searched == 0) return true;
  if (progress.has_start_line) return has_head_end(bytes, progress.searched < 2 ? 0 : progress.searched - 2);
  return progress.searched < kJudgedBeginning || find_lf(bytes.data() + progress.searched, bytes.data() + bytes.size()) != nullptr;
}

}  // namespace

HeadScan scan_head(Sender sender, std::string_view bytes, bool strict, HeadProgress& progress) {
  HeadScan scan;
  const bool full = bytes.size() >= kHeadLengthMax;
  bytes = bytes.substr(0, kHeadLengthMax);
  if (worth_scanning(bytes, progress)) {
    const char* const lf = find_lf(bytes.data(), bytes.data() + bytes.size());
    if (lf == nullptr) {
      if (!may_become_start_line(sender, bytes.substr(0, kJudgedBeginning))) invalid(scan, "bad_start_line");
    } else if (parse_start_line(sender, without_cr(bytes.data(), lf), scan.start_line)) {
      scan.has_start_line = true;
      scan.fields[static_cast<size_t>(Field::kMethod)] = scan.start_line.method;
      scan.fields[static_cast<size_t>(Field::kTarget)] = scan.start_line.target;
      if (scan.start_line.method == "GET" && http::is_connect_get(scan.start_line.target)) scan.rpc = http::Rpc::kConnect;
      scan_fields(lf + 1, bytes, strict, scan);
    } else {
      invalid(scan, "bad_start_line");
    }
  } else {
    scan.has_start_line = progress.has_start_line;
  }
  if (scan.status == Status::kIncomplete) {
    progress = {bytes.size(), scan.has_start_line};
    if (full) invalid(scan, "head_too_long");
  }
  if (scan.status != Status::kIncomplete) progress = {};
  return scan;
}

}  // namespace clew::protocols::http1
