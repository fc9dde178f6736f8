// SPDX-License-Identifier: Apache-2.0
#include "agent/base/counters.h"

namespace clew::base {

Counter& Counters::get(std::string_view name, std::string_view labels) {
  std::lock_guard lock(mutex_);
  auto& slot = by_name_[{std::string(name), std::string(labels)}];
  if (slot == nullptr) slot = &counters_.emplace_back();
  return *slot;
}

Counter& Counters::lost(std::string_view where, std::string_view reason) {
  std::string labels = "where=\"";
  labels.append(where).append("\",reason=\"").append(reason).append("\"");
  return get("clew_lost_total", labels);
}

std::vector<Counters::Sample> Counters::snapshot() const {
  std::lock_guard lock(mutex_);
  std::vector<Sample> samples;
  samples.reserve(by_name_.size());
  for (const auto& [name, counter] : by_name_) samples.push_back({name.first, name.second, counter->value()});
  return samples;
}

}  // namespace clew::base
