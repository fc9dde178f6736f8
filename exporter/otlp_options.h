// SPDX-License-Identifier: Apache-2.0
// Where and how OTLP is sent: the command line over OTEL_EXPORTER_OTLP_TRACES_* over OTEL_EXPORTER_OTLP_*, and OTEL_BSP_*.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/result.h"

namespace clew::exporter {

enum class OtlpProtocol : uint8_t { kGrpc, kHttpProtobuf, kHttpJson };
enum class Compression : uint8_t { kNone, kGzip };

struct OtlpOptions {
  OtlpProtocol protocol = OtlpProtocol::kGrpc;
  /// gRPC: host:port. HTTP: the whole URL of the request.
  std::string target;
  bool tls = false;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds timeout{10000};  // of one request
  Compression compression = Compression::kNone;
  std::string ca_file;           // PEM; empty: the system's
  std::string client_key_file;   // PEM
  std::string client_cert_file;  // PEM

  // OTEL_BSP_*. The queue is larger than an SDK's 2048: clew speaks for many processes at once.
  std::chrono::milliseconds schedule_delay{5000};
  std::chrono::milliseconds export_timeout{30000};  // of one batch, all tries together
  size_t max_queue_size = 8192;
  size_t max_batch_size = 512;

  // Not to be set by users; tests shorten them.
  std::chrono::milliseconds backoff_initial{1000};
  std::chrono::milliseconds backoff_max{5000};
  size_t max_request_bytes = size_t{64} << 20;  // before compression
  size_t max_response_bytes = size_t{4} << 20;
};

/// What the command line says; empty: not given.
struct OtlpArguments {
  std::string url = {};       // --otlp
  std::string protocol = {};  // --otlp-protocol
};

/// A variable of the environment, or nullopt.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The settings, or what is wrong with them. What can be ignored is ignored and told in `warnings`.
base::Result<OtlpOptions> parse_otlp_options(const OtlpArguments& arguments, const Environment& environment,
                                             std::vector<std::string>& warnings);

}  // namespace clew::exporter
