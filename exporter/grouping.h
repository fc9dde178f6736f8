// SPDX-License-Identifier: Apache-2.0
// The spans of a group, sorted by Resource: OTLP says each resource once per request.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "exporter/queue.h"

namespace clew::exporter {

/// Keep one and call group() again and again: it keeps its memory.
class ByResource {
 public:
  struct Part {
    const std::shared_ptr<const Resource>* resource;
    std::vector<const Span*> spans;  // in order of submission
  };

  /// Parts in order of first appearance; valid until the next call and while `group` lives.
  std::span<const Part> group(const SpanGroup& group);

 private:
  std::vector<Part> parts_;
  std::unordered_map<const Resource*, size_t> index_;
};

}  // namespace clew::exporter
