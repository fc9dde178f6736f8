// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_answer.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "exporter/protobuf/wire.h"

namespace clew::exporter {
namespace {

using protobuf::Decoder;
using protobuf::Field;
using protobuf::WireType;
using std::chrono::milliseconds;

constexpr milliseconds kLongestDelay = std::chrono::hours(24);

milliseconds delay(int64_t seconds, int64_t nanos) {
  const int64_t limit = std::chrono::duration_cast<std::chrono::seconds>(kLongestDelay).count();
  return std::chrono::seconds(std::clamp<int64_t>(seconds, 0, limit)) +
         milliseconds(std::clamp<int64_t>(nanos, 0, 999'999'999) / 1'000'000);
}

std::optional<milliseconds> parse_duration(std::string_view bytes) {
  Decoder decoder(bytes);
  int64_t seconds = 0;
  int64_t nanos = 0;
  while (const std::optional<Field> field = decoder.next()) {
    if (field->number == 1) seconds = static_cast<int64_t>(field->value);
    if (field->number == 2) nanos = static_cast<int64_t>(field->value);
  }
  if (!decoder.ok()) return std::nullopt;
  return delay(seconds, nanos);
}

/// google.protobuf.Any that holds a RetryInfo.
std::optional<milliseconds> parse_retry_info(std::string_view any) {
  Decoder decoder(any);
  std::string_view type;
  std::string_view value;
  while (const std::optional<Field> field = decoder.next()) {
    if (field->number == 1) type = field->bytes;
    if (field->number == 2) value = field->bytes;
  }
  if (!type.ends_with("/google.rpc.RetryInfo")) return std::nullopt;
  Decoder info(value);
  while (const std::optional<Field> field = info.next())
    if (field->number == 1 && field->type == WireType::kLength) return parse_duration(field->bytes);
  return std::nullopt;
}

nlohmann::json parse_json(std::string_view text) { return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false); }

std::string string_member(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

/// JSON's 64-bit numbers are strings, but plain numbers are to be accepted.
uint64_t count_member(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return 0;
  if (found->is_number_unsigned()) return found->get<uint64_t>();
  const std::string text = string_member(object, key);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::optional<PartialSuccess> parse_response_protobuf(std::string_view bytes) {
  PartialSuccess result;
  Decoder response(bytes);
  while (const std::optional<Field> field = response.next()) {
    if (field->number != 1 || field->type != WireType::kLength) continue;
    Decoder partial(field->bytes);
    while (const std::optional<Field> inner = partial.next()) {
      if (inner->number == 1 && static_cast<int64_t>(inner->value) > 0) result.rejected_spans = inner->value;
      if (inner->number == 2) result.message = inner->bytes;
    }
    if (!partial.ok()) return std::nullopt;
  }
  if (!response.ok()) return std::nullopt;
  return result;
}

std::optional<PartialSuccess> parse_response_json(std::string_view text) {
  const nlohmann::json response = parse_json(text);
  if (!response.is_object()) return std::nullopt;
  PartialSuccess result;
  const auto partial = response.find("partialSuccess");
  if (partial == response.end() || !partial->is_object()) return result;
  result.rejected_spans = count_member(*partial, "rejectedSpans");
  result.message = string_member(*partial, "errorMessage");
  return result;
}

std::optional<RpcStatus> parse_status_protobuf(std::string_view bytes) {
  RpcStatus status;
  Decoder decoder(bytes);
  while (const std::optional<Field> field = decoder.next()) {
    if (field->number == 2 && field->type == WireType::kLength) status.message = field->bytes;
    if (field->number == 3 && field->type == WireType::kLength)
      if (const std::optional<milliseconds> retry = parse_retry_info(field->bytes)) status.retry_delay = retry;
  }
  if (!decoder.ok()) return std::nullopt;
  return status;
}

std::optional<RpcStatus> parse_status_json(std::string_view text) {
  const nlohmann::json object = parse_json(text);
  if (!object.is_object()) return std::nullopt;
  return RpcStatus{.message = string_member(object, "message"), .retry_delay = std::nullopt};
}

std::optional<milliseconds> parse_retry_after(std::string_view value, std::time_t now) {
  int64_t seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error == std::errc::result_out_of_range) return kLongestDelay;
  if (error == std::errc{} && end == value.data() + value.size()) return seconds < 0 ? std::nullopt : std::optional(delay(seconds, 0));
  const std::time_t date = curl_getdate(std::string(value).c_str(), nullptr);
  if (date < 0) return std::nullopt;
  return delay(date - now, 0);
}

}  // namespace clew::exporter
