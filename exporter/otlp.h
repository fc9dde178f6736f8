// SPDX-License-Identifier: Apache-2.0
// OTLP's rules, the same over gRPC and HTTP: batches, retries with backoff, partial success, limits, one message per trouble.
#pragma once

#include <memory>

#include "agent/base/result.h"
#include "exporter/otlp_options.h"
#include "exporter/wiring.h"

namespace clew::exporter {

/// Named "otlp_grpc" or "otlp_http". `seed`: of the jitter.
base::Result<std::unique_ptr<Exporter>> make_otlp_exporter(const OtlpOptions& options, const Wiring& wiring, uint64_t seed);

}  // namespace clew::exporter
