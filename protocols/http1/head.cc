// SPDX-License-Identifier: Apache-2.0
// Packs a head into one allocation.
#include "protocols/http1/head.h"

#include <algorithm>
#include <cstring>

namespace clew::protocols::http1 {

HeadPointer MessageHead::make(const Fields& fields, uint16_t status, uint8_t minor_version) {
  size_t text_bytes = 0;
  for (const std::string_view& field : fields) text_bytes += field.size();
  std::unique_ptr<MessageHead> head(new (TextBytes{text_bytes}) MessageHead);
  head->status_ = status;
  head->minor_version_ = minor_version;
  if (text_bytes == 0) return head;
  char* const text = head->text();
  uint32_t end = 0;
  for (size_t i = 0; i < kFieldCount; ++i) {
    if (!fields[i].empty()) std::memcpy(text + end, fields[i].data(), fields[i].size());
    end += static_cast<uint32_t>(fields[i].size());
    head->ends_[i] = end;
  }
  return head;
}

}  // namespace clew::protocols::http1
