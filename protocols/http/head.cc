// SPDX-License-Identifier: Apache-2.0
// Packs a head into one allocation.
#include "protocols/http/head.h"

#include <algorithm>
#include <cstring>

namespace clew::protocols::http {

HeadPointer MessageHead::make(const HeadParts& parts) {
  size_t text_bytes = 0;
  for (const std::string_view& field : parts.fields) text_bytes = std::min(text_bytes + field.size(), kTextMax);
  std::unique_ptr<MessageHead> head(new (TextBytes{text_bytes}) MessageHead);
  head->status_ = parts.status;
  head->version_ = parts.version;
  head->rpc_ = parts.rpc;
  head->rpc_status_ = parts.rpc_status;
  head->is_partial_ = parts.is_partial;
  if (text_bytes == 0) return head;
  char* const text = head->text();
  size_t end = 0;
  for (size_t i = 0; i < kFieldCount; ++i) {
    const std::string_view field = parts.fields[i].substr(0, text_bytes - end);
    if (!field.empty()) std::memcpy(text + end, field.data(), field.size());
    end += field.size();
    head->ends_[i] = static_cast<uint16_t>(end);
  }
  return head;
}

HeadParts MessageHead::parts() const {
  HeadParts parts{.status = status_, .version = version_, .rpc = rpc_, .rpc_status = rpc_status_, .is_partial = is_partial_};
  for (size_t i = 0; i < kFieldCount; ++i) parts.fields[i] = (*this)[static_cast<Field>(i)];
  return parts;
}

}  // namespace clew::protocols::http
