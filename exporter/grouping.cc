// SPDX-License-Identifier: Apache-2.0
#include "exporter/grouping.h"

namespace clew::exporter {

std::span<const ByResource::Part> ByResource::group(const SpanGroup& group) {
  index_.clear();
  size_t used = 0;
  const Resource* last = nullptr;
  size_t last_index = 0;
  for (const SpanSlice& slice : group) {
    for (const Span& span : slice.spans()) {
      if (span.resource.get() != last || used == 0) {
        last = span.resource.get();
        const auto [found, is_new] = index_.try_emplace(last, used);
        last_index = found->second;
        if (is_new) {
          if (used == parts_.size()) parts_.emplace_back();
          parts_[used].resource = &span.resource;
          parts_[used].spans.clear();
          ++used;
        }
      }
      parts_[last_index].spans.push_back(&span);
    }
  }
  return std::span(parts_).first(used);
}

}  // namespace clew::exporter
