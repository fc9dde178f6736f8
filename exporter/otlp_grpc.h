// SPDX-License-Identifier: Apache-2.0
// OTLP/gRPC over one channel; nothing of gRPC runs, and none of its threads exist, before the first send().
#pragma once

#include "exporter/otlp_transport.h"

namespace clew::exporter {

/// What a gRPC status means; apart from the channel, for tests. `details`: of grpc-status-details-bin.
OtlpReply judge_grpc_status(int code, std::string_view message, std::string_view details);

}  // namespace clew::exporter
