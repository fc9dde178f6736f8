// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/traces.h"

#include <utility>

namespace clew::exporter::console {

void Traces::add(Summary span, TimePoint now) {
  const auto [found, is_new] = by_id_.try_emplace(span.trace_id, entries_.end());
  if (is_new) {
    Entry& fresh = entries_.emplace_back();
    fresh.id = span.trace_id;
    fresh.first = now;
    found->second = std::prev(entries_.end());
  }
  Entry& entry = *found->second;
  entry.last = now;
  entry.has_root |= span.parent_span_id == SpanId{};
  entry.spans.push_back(std::move(span));
  ++span_count_;
}

bool Traces::is_ready(const Entry& entry, TimePoint now) const {
  return now - entry.last >= (entry.has_root ? limits_.quiet_with_root : limits_.quiet_without_root) || now - entry.first >= limits_.age;
}

Trace Traces::take(std::list<Entry>::iterator entry) {
  Trace spans = std::move(entry->spans);
  span_count_ -= spans.size();
  by_id_.erase(entry->id);
  entries_.erase(entry);
  return spans;
}

std::vector<Trace> Traces::take_ready(TimePoint now) {
  std::vector<Trace> ready;
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (is_ready(*entry, now) || span_count_ > limits_.spans) ready.push_back(take(entry));
    entry = next;
  }
  return ready;
}

std::vector<Trace> Traces::take_all() {
  std::vector<Trace> all;
  while (!entries_.empty()) all.push_back(take(entries_.begin()));
  return all;
}

}  // namespace clew::exporter::console
