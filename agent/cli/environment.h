// SPDX-License-Identifier: Apache-2.0
// The variables of the OpenTelemetry SDK specification that clew itself heeds; OTEL_EXPORTER_OTLP_* and OTEL_BSP_* are the exporter's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/base/result.h"
#include "agent/sampling/sampler.h"

namespace clew::cli {

enum class LogLevel : uint8_t { kNone, kError, kWarn, kInfo, kDebug, kTrace };

/// As ::getenv: null when there is no such variable.
using EnvironmentLookup = std::function<const char*(const char*)>;

using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// Where OTEL_TRACES_EXPORTER sends spans. Unset (all false and `traces_exporter_set` false): the defaults of clew.
struct Environment {
  bool sdk_disabled = false;        // OTEL_SDK_DISABLED: nothing is to be traced or exported
  std::string service_name;         // OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES, else empty
  NamedValues resource_attributes;  // OTEL_RESOURCE_ATTRIBUTES in its order, decoded, without service.name
  std::optional<LogLevel> log_level;
  bool traces_exporter_set = false;  // OTEL_TRACES_EXPORTER says where spans go when no option does
  bool exporter_otlp = false;
  bool exporter_console = false;
  bool otlp_endpoint_set = false;     // OTEL_EXPORTER_OTLP_ENDPOINT or …_TRACES_ENDPOINT is there
  sampling::SamplerSettings sampler;  // OTEL_TRACES_SAMPLER and its argument
  std::vector<std::string> warnings;
};

/// Never fails: what cannot be understood is ignored as the specification demands, with a warning.
Environment read_environment(const EnvironmentLookup& lookup);

/// `key=value,key2=value2`, percent-encoded. Any error discards the whole: an error comes back. A key given twice: the last wins.
/// Also right for OTEL_RESOURCE_ATTRIBUTES of a traced process.
base::Result<NamedValues> parse_resource_attributes(std::string_view text);

}  // namespace clew::cli
