// SPDX-License-Identifier: Apache-2.0
// One request (or one message of a protocol that is not HTTP) of a connection: its bytes, where a line may be added, and its answer.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "plan.h"

namespace torture {

inline constexpr size_t kNowhere = static_cast<size_t>(-1);

struct Item {
  std::string bytes;
  std::string path;              // unique in the run; empty if this is no request
  size_t insert_at = kNowhere;   // before the empty line that ends the head; kNowhere: nothing may be added to this item
  size_t head_end = 0;           // behind that empty line; 0 if there is no head
  size_t interim_at = kNowhere;  // the server says `interim` when it has read so far, and the client waits for it
  std::string interim;
  std::string answer;
  bool barrier = false;       // nothing is sent behind it before its answer has come
  std::vector<size_t> marks;  // where a cut is awkward: line ends, chunk sizes, things that look like requests
};

Item make_item(const Plan& plan, uint32_t index);

}  // namespace torture
