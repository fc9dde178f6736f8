// SPDX-License-Identifier: Apache-2.0
// Which field is which.
#include "protocols/http2/fields.h"

#include <algorithm>

namespace clew::protocols::http2 {
namespace {

using http::Field;

enum class Use : uint8_t { kNone, kKeep, kStatus, kHost, kContentType, kConnect, kRpcStatus, kContext };
struct KnownField {
  std::string_view name;
  Use use = Use::kNone;
  Field field = Field::kMethod;  // kKeep
};
constexpr std::array kOwnFields = {
    KnownField{":method", Use::kKeep, Field::kMethod},
    KnownField{":path", Use::kKeep, Field::kTarget},
    KnownField{":scheme", Use::kKeep, Field::kScheme},
    KnownField{":authority", Use::kKeep, Field::kHost},
    KnownField{":status", Use::kStatus},
    KnownField{"host", Use::kHost},
    KnownField{"user-agent", Use::kKeep, Field::kUserAgent},
    KnownField{"grpc-timeout", Use::kKeep, Field::kTimeout},
    KnownField{"connect-timeout-ms", Use::kKeep, Field::kTimeout},
    KnownField{"forwarded", Use::kKeep, Field::kForwarded},
    KnownField{"x-forwarded-for", Use::kKeep, Field::kXForwardedFor},
    KnownField{"x-forwarded-host", Use::kKeep, Field::kXForwardedHost},
    KnownField{"x-forwarded-proto", Use::kKeep, Field::kXForwardedProto},
    KnownField{"content-type", Use::kContentType},
    KnownField{"connect-protocol-version", Use::kConnect},
    KnownField{"grpc-status", Use::kRpcStatus},
};

constexpr size_t kNameLengthMax = 32;
/// In the order of their lengths.
constexpr auto kFields = [] {
  std::array<KnownField, kOwnFields.size() + std::size(kContextFieldNames)> all{};
  auto* const rest = std::copy(kOwnFields.begin(), kOwnFields.end(), all.begin());
  std::transform(std::begin(kContextFieldNames), std::end(kContextFieldNames), rest,
                 [](std::string_view name) { return KnownField{name, Use::kContext}; });
  std::sort(all.begin(), all.end(), [](const KnownField& a, const KnownField& b) { return a.name.size() < b.name.size(); });
  return all;
}();
/// Where those of a length begin.
constexpr auto kFirstOfLength = [] {
  std::array<uint8_t, kNameLengthMax + 2> first{};
  for (size_t length = 0; length < first.size(); ++length)
    first[length] =
        static_cast<uint8_t>(std::count_if(kFields.begin(), kFields.end(), [&](const KnownField& f) { return f.name.size() < length; }));
  return first;
}();

const KnownField* find_field(std::string_view name) {
  if (name.empty() || name.size() > kNameLengthMax) return nullptr;
  for (size_t i = kFirstOfLength[name.size()]; i < kFirstOfLength[name.size() + 1]; ++i)
    if (kFields[i].name.back() == name.back() && kFields[i].name == name) return &kFields[i];
  return nullptr;
}

/// "00-" 32 hex "-" 16 hex "-" 2 hex: nothing else in use looks so, whatever its name may be.
bool looks_like_traceparent(std::string_view value) {
  if (value.size() != 55) return false;
  for (size_t i = 0; i < value.size(); ++i) {
    const bool is_dash = i == 2 || i == 35 || i == 52;
    const char c = value[i];
    if (is_dash ? c != '-' : !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  }
  return value.starts_with("00-");
}

uint16_t status_of(std::string_view text) {
  if (text.size() != 3) return 0;
  uint16_t status = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return 0;
    status = static_cast<uint16_t>(status * 10 + (c - '0'));
  }
  return status;
}

}  // namespace

bool is_wanted(std::string_view name) { return find_field(name) != nullptr; }

void BlockFields::clear() {
  text_.clear();
  if (text_.capacity() > 4096) text_.shrink_to_fit();
  kept_ = {};
  contexts_.clear();
  host_ = {};
  status_ = 0;
  seen_ = 0;
  has_unknown_ = has_content_type_ = is_connect_ = is_too_large_ = false;
  rpc_ = http::Rpc::kNone;
  rpc_status_ = http::kNoRpcStatus;
}

BlockFields::Slice BlockFields::keep(std::string_view text) {
  if (text_.size() + text.size() > kTextMax) {
    is_too_large_ = true;
    return {};
  }
  const Slice slice{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size())};
  text_.append(text);
  return slice;
}

// The first of several.
void BlockFields::keep(Field field, std::string_view value) {
  Slice& slice = kept_[static_cast<size_t>(field)];
  if (slice.length == 0) slice = keep(value);
  switch (field) {
    case Field::kMethod: seen_ |= kMethodSeen; break;
    case Field::kTarget: seen_ |= kPathSeen; break;
    case Field::kScheme: seen_ |= kSchemeSeen; break;
    case Field::kHost: seen_ |= kAuthoritySeen; break;
    default: break;
  }
}

void BlockFields::field(const HpackField& field) {
  if (!field.is_name_known) {
    if (field.is_value_known && looks_like_traceparent(field.value) && contexts_.size() < kContextFieldsMax)
      contexts_.push_back({kContextFieldNames[0], keep(field.value)});
    has_unknown_ = true;
    return;
  }
  const KnownField* const known = find_field(field.name);
  if (known == nullptr) return;
  if (!field.is_value_known) {
    has_unknown_ = true;
    return;
  }
  switch (known->use) {
    case Use::kNone: break;
    case Use::kKeep: keep(known->field, field.value); break;
    case Use::kStatus:
      status_ = status_of(field.value);
      seen_ |= kStatusSeen;
      break;
    case Use::kHost: host_ = keep(field.value); break;
    case Use::kContentType:
      has_content_type_ = true;
      rpc_ = http::rpc_of_content_type(field.value);
      break;
    case Use::kConnect: is_connect_ = true; break;
    case Use::kRpcStatus: rpc_status_ = http::rpc_status_of(field.value); break;
    case Use::kContext:
      if (contexts_.size() < kContextFieldsMax) contexts_.push_back({known->name, keep(field.value)});
      break;
  }
}

http::HeadParts BlockFields::parts() const {
  http::HeadParts parts{.status = status_, .version = http::kHttp2, .rpc = rpc_, .rpc_status = rpc_status_};
  for (size_t i = 0; i < kept_.size(); ++i) parts.fields[i] = text(kept_[i]);
  if (std::string_view& host = parts.fields[static_cast<size_t>(Field::kHost)]; host.empty()) host = text(host_);
  // What is unknown may be one of those that matter, unless they are all there: a content type tells calls from other requests.
  constexpr uint8_t kAll = kMethodSeen | kPathSeen | kSchemeSeen | kAuthoritySeen;
  const std::string_view method = parts.fields[static_cast<size_t>(Field::kMethod)];
  const bool is_get = method == "GET";
  const bool has_body = !is_get && method != "HEAD";
  if (parts.rpc == http::Rpc::kNone && (is_connect_ || (is_get && http::is_connect_get(parts.fields[static_cast<size_t>(Field::kTarget)]))))
    parts.rpc = http::Rpc::kConnect;
  const bool is_whole = has_status() || ((seen_ & kAll) == kAll && (has_content_type_ || !has_body));
  parts.is_partial = has_unknown_ && !is_whole;
  return parts;
}

std::span<const HeaderField> BlockFields::context_fields() {
  fields_.clear();
  for (const Context& context : contexts_) fields_.push_back({context.name, text(context.value)});
  return fields_;
}

}  // namespace clew::protocols::http2
