// SPDX-License-Identifier: Apache-2.0
// The encoded form of attributes that several spans share, so that it is made once and copied then.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/base/attributes.h"
#include "exporter/buffer.h"

namespace clew::exporter {

class AttributesCache {
 public:
  /// Appends what `encode(attributes, out)` appends.
  template <class Encode>
  void append(const base::Attributes& attributes, Buffer& out, Encode encode) {
    if (!attributes.is_shared()) return encode(attributes, out);
    Entry& entry = entries_[slot_of(attributes.address())];
    if (entry.attributes.is_same_as(attributes)) return out.append(entry.text);
    const size_t begin = out.view().size();
    encode(attributes, out);
    entry.text = out.view().substr(begin);
    entry.attributes = attributes;  // so that its memory does not become that of others
  }

 private:
  static constexpr size_t kEntries = 256;  // about 1.5 KB each; of connections that are busy at one time
  struct Entry {
    base::Attributes attributes;
    std::string text;
  };
  static size_t slot_of(const void* address) {
    return static_cast<size_t>(reinterpret_cast<uintptr_t>(address) * 0x9e3779b97f4a7c15ULL >> 32U) % kEntries;
  }

  std::array<Entry, kEntries> entries_;
};

}  // namespace clew::exporter
