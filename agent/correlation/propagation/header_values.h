// SPDX-License-Identifier: Apache-2.0
// What one request's head says about trace context: the values of its header fields, as views into the head.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "agent/correlation/propagation/header_name.h"

namespace clew::correlation::propagation {

/// tracestate may have no more members; so more lines than this with anything in them make it invalid.
inline constexpr size_t kTraceStateMembersMax = 32;

/// The bytes of the head must outlive it. Any number of lines may be added: what is kept is bounded, and enough to tell what is invalid.
class HeaderValues {
 public:
  /// In the order of the head, each line's value; spaces around it are taken off.
  void add(HeaderName name, std::string_view value);

  bool empty() const { return !any_; }
  bool has(HeaderName name) const { return fields_[index(name)].lines != Lines::kNone; }
  /// Two lines of one name. It cannot be known which of them is meant, so neither is; tracestate alone may be split.
  bool repeated(HeaderName name) const { return fields_[index(name)].lines == Lines::kMore; }
  /// The first line's value; empty when there is none.
  std::string_view value(HeaderName name) const { return fields_[index(name)].value; }

  /// The lines of tracestate that hold more than commas and spaces.
  std::span<const std::string_view> trace_state() const { return std::span(trace_state_).first(trace_state_lines_); }
  /// There were more of them than are kept.
  bool trace_state_overflow() const { return trace_state_overflow_; }

 private:
  enum class Lines : uint8_t { kNone, kOne, kMore };
  struct Field {
    std::string_view value;
    Lines lines = Lines::kNone;
  };
  static size_t index(HeaderName name) { return static_cast<size_t>(name); }

  std::array<Field, kHeaderNames.size()> fields_;
  std::array<std::string_view, kTraceStateMembersMax> trace_state_;
  uint8_t trace_state_lines_ = 0;
  bool trace_state_overflow_ = false;
  bool any_ = false;
};

}  // namespace clew::correlation::propagation
