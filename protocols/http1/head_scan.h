// SPDX-License-Identifier: Apache-2.0
// From bytes to a head: a pure function, and the memory that keeps it linear when a head comes in small pieces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "protocols/http/head.h"
#include "protocols/http1/framing.h"
#include "protocols/http1/start_line.h"

namespace clew::protocols::http1 {

using http::Field;
using http::Fields;

/// A head with its empty line. Servers stop earlier: nginx at 32 KiB, Node at 16 KiB, Go at 1 MiB.
inline constexpr size_t kHeadLengthMax = 65536;

/// Views point into the bytes that were scanned.
struct HeadScan {
  /// tracestate may come on several lines, and has at most 32 members.
  static constexpr size_t kContextFieldsMax = 64;

  enum class Status : uint8_t { kComplete, kIncomplete, kInvalid };
  Status status = Status::kIncomplete;
  bool has_start_line = false;  // its line is whole and good, even if the head is not whole
  bool has_upgrade = false;
  bool upgrades_to_http2 = false;  // it names h2c
  bool has_secret = false;         // cookies or credentials: no byte of it is to be kept
  /// A line that is no header field; nginx and CPython pass over such lines, and so does the scan. Looked for with `strict` only.
  bool has_malformed_line = false;
  size_t length = 0;        // kComplete: of the head with its empty line
  std::string_view reason;  // kInvalid: a literal
  StartLine start_line;
  Fields fields;
  BodyFields body;
  http::Rpc rpc = http::Rpc::kNone;
  int8_t rpc_status = http::kNoRpcStatus;
  std::vector<HeaderField> context_fields;  // of a request; at most kContextFieldsMax
};

/// How far an incomplete head has been looked at; all zero at the start of a message.
struct HeadProgress {
  size_t searched = 0;
  bool has_start_line = false;
};

/// `bytes` begin with a message; `progress` is what the scan of fewer of the same bytes left. `strict` looks at all lines
/// for has_malformed_line.
HeadScan scan_head(Sender sender, std::string_view bytes, bool strict, HeadProgress& progress);

}  // namespace clew::protocols::http1
