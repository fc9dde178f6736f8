// SPDX-License-Identifier: Apache-2.0
// Spans as the bytes of one opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest.
#pragma once

#include "exporter/attributes_cache.h"
#include "exporter/buffer.h"
#include "exporter/grouping.h"
#include "exporter/queue.h"
#include "exporter/resource_cache.h"

namespace clew::exporter::protobuf {

class Writer {
 public:
  /// Appends the request; nothing for no spans.
  void append(const SpanGroup& group, Buffer& out);

 private:
  ByResource by_resource_;
  ResourceCache resources_;
  AttributesCache attributes_;
};

}  // namespace clew::exporter::protobuf
