// SPDX-License-Identifier: Apache-2.0
// The first line of a message: what is one, what may become one, and what is certainly none. RFC 9112 §3, §4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocols/message.h"

namespace clew::protocols::http1 {

/// A longer method is taken for another protocol. The longest registered one has 17 letters (UPDATEREDIRECTREF).
inline constexpr size_t kMethodLengthMax = 64;

struct StartLine {
  std::string_view method;  // request only, as is target
  std::string_view target;
  uint16_t status = 0;  // response only: 100…999
  uint8_t minor_version = 0;
};

/// `line` is whole, without CR LF. A client's line must be `token SP target SP HTTP/1.x`, a server's `HTTP/1.x SP 3DIGIT [SP reason]`.
bool parse_start_line(Sender sender, std::string_view line, StartLine& out);

/// May `beginning`, which has no LF yet, become such a line?
bool may_become_start_line(Sender sender, std::string_view beginning);

}  // namespace clew::protocols::http1
