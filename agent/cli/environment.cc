// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/cli/edit_distance.h"

namespace clew::cli {
namespace {

constexpr size_t kAttributesMax = 128;  // as OTEL_ATTRIBUTE_COUNT_LIMIT's default

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

std::string_view trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// Of the value, or -1.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_digit(text[i + 1]);
    const int low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

/// Well-formed UTF-8 (RFC 3629, section 4): OTLP strings must be, and %ff decodes to something else.
bool is_utf8(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    for (size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return false;
    const auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
    const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
    const bool no_character = (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
    if (overlong || no_character) return false;
    i += length;
  }
  return true;
}

class Reader {
 public:
  explicit Reader(const EnvironmentLookup& lookup) : lookup_(lookup) {}

  Environment read() {
    read_disabled();
    read_resource();
    read_log_level();
    read_exporters();
    read_sampler();
    result_.otlp_endpoint_set = !get("OTEL_EXPORTER_OTLP_ENDPOINT").empty() || !get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").empty();
    return std::move(result_);
  }

 private:
  /// Empty means unset (specification: "Parsing empty value").
  std::string get(const char* name) const {
    const char* value = lookup_ ? lookup_(name) : nullptr;
    return value == nullptr ? std::string() : std::string(trim(value));
  }

  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    result_.warnings.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  void read_disabled() {
    const std::string value = get("OTEL_SDK_DISABLED");
    result_.sdk_disabled = lower(value) == "true";
    if (!value.empty() && !result_.sdk_disabled && lower(value) != "false")
      warn("OTEL_SDK_DISABLED={} ignored: only \"true\" disables", value);
  }

  void read_resource() {
    const std::string text = get("OTEL_RESOURCE_ATTRIBUTES");
    if (!text.empty()) {
      auto parsed = parse_resource_attributes(text);
      if (parsed)
        result_.resource_attributes = *std::move(parsed);
      else
        warn("OTEL_RESOURCE_ATTRIBUTES ignored as a whole: {}", parsed.error().message);
    }
    const auto found = std::ranges::find(result_.resource_attributes, "service.name", &NamedValues::value_type::first);
    if (found != result_.resource_attributes.end()) {
      result_.service_name = found->second;
      result_.resource_attributes.erase(found);
    }
    std::string name = get("OTEL_SERVICE_NAME");
    if (!name.empty()) result_.service_name = std::move(name);
  }

  void read_log_level() {
    struct Name {
      std::string_view name;
      LogLevel level;
    };
    constexpr std::array kLevels = {Name{"none", LogLevel::kNone},   Name{"off", LogLevel::kNone},     Name{"error", LogLevel::kError},
                                    Name{"warn", LogLevel::kWarn},   Name{"warning", LogLevel::kWarn}, Name{"info", LogLevel::kInfo},
                                    Name{"debug", LogLevel::kDebug}, Name{"trace", LogLevel::kTrace},  Name{"all", LogLevel::kTrace}};
    const std::string value = get("OTEL_LOG_LEVEL");
    if (value.empty()) return;
    const auto* found = std::ranges::find(kLevels, std::string_view(lower(value)), &Name::name);
    if (found != kLevels.end())
      result_.log_level = found->level;
    else
      warn("OTEL_LOG_LEVEL={} ignored: it is none, error, warn, info, debug or trace", value);
  }

  void read_exporters() {
    const std::string value = get("OTEL_TRACES_EXPORTER");
    std::string_view rest = value;
    bool none = false;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      read_exporter(lower(trim(rest.substr(0, comma))), none);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    if (none) result_.exporter_otlp = result_.exporter_console = false;
    result_.traces_exporter_set = none || result_.exporter_otlp || result_.exporter_console;
  }

  void read_exporter(const std::string& name, bool& none) {
    constexpr std::array<std::string_view, 3> kKnown = {"otlp", "console", "none"};
    if (name == "otlp") {
      result_.exporter_otlp = true;
    } else if (name == "console" || name == "logging") {
      result_.exporter_console = true;
    } else if (name == "none") {
      none = true;
    } else if (!name.empty()) {
      const std::string hint = did_you_mean(name, kKnown);
      warn("OTEL_TRACES_EXPORTER={} ignored{}", name, hint.empty() ? ": clew knows otlp, console and none" : hint);
    }
  }

  void read_sampler() {
    constexpr std::array<std::string_view, 9> kKnown = {"always_on",
                                                        "always_off",
                                                        "traceidratio",
                                                        "parentbased_always_on",
                                                        "parentbased_always_off",
                                                        "parentbased_traceidratio",
                                                        "jaeger_remote",
                                                        "parentbased_jaeger_remote",
                                                        "xray"};
    const std::string name = lower(get("OTEL_TRACES_SAMPLER"));
    if (name.empty()) return;
    if (std::ranges::find(kKnown, name) == kKnown.end()) {
      warn("OTEL_TRACES_SAMPLER={} ignored{}", name, did_you_mean(name, kKnown));
      return;
    }
    if (name.ends_with("jaeger_remote") || name == "xray") {
      warn("OTEL_TRACES_SAMPLER={} asks a server, which clew cannot: every trace is kept that no parent refuses", name);
      return;
    }
    using Kind = sampling::SamplerSettings::Kind;
    result_.sampler.parent_based = name.starts_with("parentbased_");
    result_.sampler.kind = name.ends_with("always_on")    ? Kind::kAlwaysOn
                           : name.ends_with("always_off") ? Kind::kAlwaysOff
                                                          : Kind::kTraceIdRatio;
    if (result_.sampler.kind == Kind::kTraceIdRatio) read_ratio(get("OTEL_TRACES_SAMPLER_ARG"));
  }

  /// The ratio's default is 1.0; a bad one counts as unset.
  void read_ratio(const std::string& text) {
    if (text.empty()) return;
    double ratio = 1;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, ratio);
    if (parsed.ec == std::errc{} && parsed.ptr == end && ratio >= 0 && ratio <= 1)
      result_.sampler.ratio = ratio;
    else
      warn("OTEL_TRACES_SAMPLER_ARG={} ignored: a ratio lies between 0 and 1; every trace is kept", text);
  }

  const EnvironmentLookup& lookup_;
  Environment result_;
};

}  // namespace

base::Result<NamedValues> parse_resource_attributes(std::string_view text) {
  NamedValues values;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = trim(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (pair.empty() && (text.empty() || values.empty())) continue;  // a comma too many at either end is common and harmless
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return base::fail(fmt::format("\"{}\" has no '='", pair));
    std::optional<std::string> key = percent_decode(trim(pair.substr(0, equals)));
    std::optional<std::string> value = percent_decode(trim(pair.substr(equals + 1)));
    if (!key || !value) return base::fail(fmt::format("bad percent-encoding in \"{}\"", pair));
    if (key->empty()) return base::fail(fmt::format("\"{}\" has no key", pair));
    if (!is_utf8(*key) || !is_utf8(*value)) return base::fail(fmt::format("\"{}\" is not UTF-8 once decoded", pair));
    const auto found = std::ranges::find(values, *key, &NamedValues::value_type::first);
    if (found != values.end()) {
      found->second = *std::move(value);
    } else {
      if (values.size() == kAttributesMax) return base::fail(fmt::format("more than {} attributes", kAttributesMax));
      values.emplace_back(*std::move(key), *std::move(value));
    }
  }
  return values;
}

Environment read_environment(const EnvironmentLookup& lookup) { return Reader(lookup).read(); }

}  // namespace clew::cli
