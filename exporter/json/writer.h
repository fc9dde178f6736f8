// SPDX-License-Identifier: Apache-2.0
// Spans as OTLP/JSON: one ExportTraceServiceRequest, with the fields in the order of the Collector's file exporter.
#pragma once

#include <string_view>

#include "exporter/attributes_cache.h"
#include "exporter/buffer.h"
#include "exporter/grouping.h"
#include "exporter/queue.h"
#include "exporter/resource_cache.h"

namespace clew::exporter::json {

class Writer {
 public:
  /// Appends the request, on one line, without a line end; nothing for no spans.
  void append(const SpanGroup& group, Buffer& out);

 private:
  ByResource by_resource_;
  ResourceCache resources_;
  AttributesCache attributes_;
};

}  // namespace clew::exporter::json
