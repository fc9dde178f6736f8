// SPDX-License-Identifier: Apache-2.0
// OTLP/HTTP, protobuf or JSON, over libcurl with one connection that is kept.
#pragma once

#include "exporter/otlp_transport.h"

namespace clew::exporter {

/// What an answer means; apart from libcurl, for tests.
OtlpReply judge_http_answer(long status, std::string_view content_type, std::string_view retry_after, std::string_view body);

}  // namespace clew::exporter
