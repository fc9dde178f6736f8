// SPDX-License-Identifier: Apache-2.0
#include "exporter/otlp_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <string_view>

namespace clew::exporter {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kTracesPath = "/v1/traces";

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

/// A token of RFC 9110 5.6.2.
bool is_header_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view value) {
  return std::ranges::all_of(value, [](unsigned char c) { return c >= 0x20 && c != 0x7F; });
}

struct Url {
  std::string scheme;  // lower case; empty: none was given
  std::string host_port;
  std::string path;  // with its slash, and with the query; may be empty
};

/// What stands after the host, which may be "[::1]", and its colon; nullopt: no port is given.
std::optional<std::string_view> port_in(std::string_view host_port) {
  const size_t colon = host_port.rfind(':');
  if (colon == std::string_view::npos || host_port.find(']', colon) != std::string_view::npos) return std::nullopt;
  return host_port.substr(colon + 1);
}

bool is_port(std::string_view text) {
  uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value != 0;
}

base::Result<Url> parse_url(const std::string& from, std::string_view text) {
  Url url;
  if (const size_t colon = text.find("://"); colon != std::string_view::npos) {
    url.scheme = lower(text.substr(0, colon));
    text.remove_prefix(colon + 3);
  }
  const size_t path = text.find_first_of("/?#");
  url.host_port = text.substr(0, path);
  if (path != std::string_view::npos) url.path = text.substr(path);
  const bool odd = std::ranges::any_of(url.host_port + url.path, [](unsigned char c) { return c <= 0x20 || c == 0x7F; });
  if (url.host_port.empty() || url.host_port.front() == ':' || odd || url.path.starts_with('#'))
    return base::fail(fmt::format("{}: not a URL like http://host:4317", from));
  if (const auto port = port_in(url.host_port); port && !is_port(*port))
    return base::fail(fmt::format("{}: a port is a whole number from 1 to 65535", from));
  return url;
}

class Parser {
 public:
  Parser(const OtlpArguments& arguments, const Environment& environment, std::vector<std::string>& warnings)
      : arguments_(arguments), environment_(environment), warnings_(warnings) {}

  base::Result<OtlpOptions> parse() {
    if (auto chosen = parse_protocol(); !chosen) return std::unexpected(chosen.error());
    if (auto found = parse_endpoint(); !found) return std::unexpected(found.error());
    parse_headers();
    parse_compression();
    options_.timeout = parse_ms(signal_name("TIMEOUT"), options_.timeout);
    options_.ca_file = signal("CERTIFICATE").value_or("");
    options_.client_key_file = signal("CLIENT_KEY").value_or("");
    options_.client_cert_file = signal("CLIENT_CERTIFICATE").value_or("");
    parse_batching();
    return std::move(options_);
  }

 private:
  /// A variable; empty is as good as unset.
  std::optional<std::string> get(const std::string& name) const {
    std::optional<std::string> value = environment_(name);
    if (!value || trim(*value).empty()) return std::nullopt;
    return std::string(trim(*value));
  }
  /// The variable for traces if it is set, else the one for all signals.
  std::string signal_name(const std::string& suffix) const {
    const std::string traces = "OTEL_EXPORTER_OTLP_TRACES_" + suffix;
    return get(traces) ? traces : "OTEL_EXPORTER_OTLP_" + suffix;
  }
  std::optional<std::string> signal(const std::string& suffix) const { return get(signal_name(suffix)); }

  void warn(const std::string& name, std::string_view value, std::string_view why) {
    warnings_.push_back(fmt::format("{}={} is ignored: {}", name, value, why));
  }

  base::Result<bool> parse_protocol() {
    const auto set = [&](std::string_view text) {
      if (text == "grpc")
        options_.protocol = OtlpProtocol::kGrpc;
      else if (text == "http/protobuf")
        options_.protocol = OtlpProtocol::kHttpProtobuf;
      else if (text == "http/json")
        options_.protocol = OtlpProtocol::kHttpJson;
      else
        return false;
      return true;
    };
    constexpr std::string_view kExpected = "expected grpc, http/protobuf or http/json";
    if (!arguments_.protocol.empty()) {
      if (set(arguments_.protocol)) return true;
      return base::fail(fmt::format("--otlp-protocol {}: {}", arguments_.protocol, kExpected));
    }
    const std::optional<std::string> value = signal("PROTOCOL");
    if (value && !set(*value)) warn(signal_name("PROTOCOL"), *value, kExpected);
    return true;
  }

  base::Result<bool> parse_endpoint() {
    const bool grpc = options_.protocol == OtlpProtocol::kGrpc;
    std::string from = "--otlp " + arguments_.url;
    std::string text = arguments_.url;
    bool path_as_is = false;
    if (text.empty()) {
      const std::string name = signal_name("ENDPOINT");
      path_as_is = name == "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
      text = get(name).value_or(grpc ? "http://localhost:4317" : "http://localhost:4318");
      from = name + "=" + text;
    }
    CLEW_TRY(Url url, parse_url(from, text));
    return grpc ? set_grpc_target(from, url) : set_http_target(from, url, path_as_is);
  }

  base::Result<bool> set_grpc_target(const std::string& from, const Url& url) {
    if (!url.scheme.empty() && url.scheme != "http" && url.scheme != "https")
      return base::fail(fmt::format("{}: the scheme must be http (plain) or https (TLS)", from));
    // Only an endpoint without scheme leaves it to the variable.
    options_.tls = url.scheme.empty() ? lower(signal("INSECURE").value_or("false")) != "true" : url.scheme == "https";
    options_.target = url.host_port;
    if (!port_in(url.host_port)) options_.target += url.scheme.empty() ? ":4317" : url.scheme == "https" ? ":443" : ":80";
    return true;
  }

  base::Result<bool> set_http_target(const std::string& from, const Url& url, bool path_as_is) {
    if (url.scheme != "http" && url.scheme != "https")
      return base::fail(fmt::format("{}: OTLP over HTTP needs a URL that starts with http:// or https://", from));
    options_.tls = url.scheme == "https";
    std::string path = url.path;
    if (path_as_is) {
      if (path.empty()) path = "/";
    } else if (!path.ends_with(kTracesPath)) {
      while (path.ends_with('/')) path.pop_back();
      path += kTracesPath;
    }
    options_.target = fmt::format("{}://{}{}", url.scheme, url.host_port, path);
    return true;
  }

  void parse_headers() {
    const std::optional<std::string> list = signal("HEADERS");
    if (!list) return;
    std::string_view rest = *list;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      const std::string_view pair = trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      if (!pair.empty()) add_header(pair);
    }
  }

  void add_header(std::string_view pair) {
    const size_t equals = pair.find('=');
    const std::string name = lower(trim(pair.substr(0, equals)));
    const auto value = equals == std::string_view::npos ? std::nullopt : percent_decode(trim(pair.substr(equals + 1)));
    if (value && is_header_name(name) && is_header_value(*value))
      options_.headers.emplace_back(name, *value);
    else  // the value may be a secret
      warnings_.push_back(fmt::format("{}: the header {} is ignored: expected name=value, percent-encoded", signal_name("HEADERS"), name));
  }

  void parse_compression() {
    const std::optional<std::string> value = signal("COMPRESSION");
    if (!value || *value == "none") return;
    if (*value == "gzip")
      options_.compression = Compression::kGzip;
    else
      warn(signal_name("COMPRESSION"), *value, "expected gzip or none");
  }

  std::optional<int64_t> parse_number(const std::string& name, int64_t least) {
    const std::optional<std::string> text = get(name);
    if (!text) return std::nullopt;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error == std::errc{} && end == text->data() + text->size() && value >= least && value <= std::numeric_limits<int32_t>::max())
      return value;
    warn(name, *text, fmt::format("expected a whole number from {} up", least));
    return std::nullopt;
  }

  milliseconds parse_ms(const std::string& name, milliseconds otherwise) {
    const std::optional<int64_t> value = parse_number(name, 0);
    return value ? milliseconds(*value) : otherwise;
  }

  void parse_batching() {
    options_.schedule_delay = parse_ms("OTEL_BSP_SCHEDULE_DELAY", options_.schedule_delay);
    options_.export_timeout = parse_ms("OTEL_BSP_EXPORT_TIMEOUT", options_.export_timeout);
    // 0 means no limit, for both timeouts; a day is as good and keeps arithmetic simple.
    for (milliseconds* limit : {&options_.timeout, &options_.export_timeout})
      if (limit->count() == 0) *limit = std::chrono::hours(24);
    options_.max_queue_size =
        static_cast<size_t>(parse_number("OTEL_BSP_MAX_QUEUE_SIZE", 1).value_or(static_cast<int64_t>(options_.max_queue_size)));
    options_.max_batch_size =
        static_cast<size_t>(parse_number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 1).value_or(static_cast<int64_t>(options_.max_batch_size)));
    if (options_.max_batch_size <= options_.max_queue_size) return;
    if (get("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"))
      warn("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", fmt::format("{}", options_.max_batch_size),
           "it may not exceed the queue; the queue's size is used");
    options_.max_batch_size = options_.max_queue_size;
  }

  const OtlpArguments& arguments_;
  const Environment& environment_;
  std::vector<std::string>& warnings_;
  OtlpOptions options_;
};

}  // namespace

base::Result<OtlpOptions> parse_otlp_options(const OtlpArguments& arguments, const Environment& environment,
                                             std::vector<std::string>& warnings) {
  return Parser(arguments, environment, warnings).parse();
}

}  // namespace clew::exporter
