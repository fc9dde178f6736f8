// SPDX-License-Identifier: Apache-2.0
// The head of a request.
#pragma once
#include <string>
#include <string_view>

#include "item.h"
#include "random.h"

namespace torture {

struct Head {
  std::string method = "GET", target, host = "localhost";
  std::string_view eol = "\r\n";
  std::string framing;       // lines that say how long the body is, or what is asked for
  size_t filler = 0;         // bytes of other lines, about
  bool own_context = false;  // and then nothing may be added
};

// Appends it to the item and sets insert_at, head_end, marks.
void append_head(Item& item, const Head& head, Random& random);

}  // namespace torture
