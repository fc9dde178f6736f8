// SPDX-License-Identifier: Apache-2.0
// The encoded form of each Resource that is in use, so that it is encoded once and not with every request.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "exporter/span.h"

namespace clew::exporter {

class ResourceCache {
 public:
  /// The text kept for `resource`, made by `encode(const Resource&, std::string&)` if need be. Valid until the next call.
  template <class Encode>
  const std::string& get(const std::shared_ptr<const Resource>& resource, Encode encode) {
    if (entries_.size() >= kMaxEntries) shrink();
    Entry& entry = entries_[resource.get()];
    // An address may come again for another Resource: the weak pointer tells.
    if (entry.alive.lock() != resource) {
      entry.alive = resource;
      entry.text.clear();
      encode(*resource, entry.text);
    }
    return entry.text;
  }

 private:
  static constexpr size_t kMaxEntries = 1024;
  struct Entry {
    std::weak_ptr<const Resource> alive;
    std::string text;
  };
  void shrink() {
    std::erase_if(entries_, [](const auto& entry) { return entry.second.alive.expired(); });
    if (entries_.size() >= kMaxEntries) entries_.clear();
  }
  std::unordered_map<const Resource*, Entry> entries_;
};

}  // namespace clew::exporter
