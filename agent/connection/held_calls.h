// SPDX-License-Identifier: Apache-2.0
// Calls of a direction that wait, in their order, for its parser, which waits for the other direction.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "agent/capture/source.h"
#include "agent/stream/stream.h"

namespace clew::connection {

/// Bounded: as many bytes as a stream may hold. Costs nothing while it is empty, as it is nearly always.
class HeldCalls {
 public:
  /// A call with its bytes, which the source has taken back.
  class Call {
   public:
    explicit Call(const capture::Bytes& call) : call_(call), bytes_(call.bytes) {}
    /// Valid as long as this object is, where it is.
    const capture::Bytes& get() {
      call_.bytes = bytes_;
      return call_;
    }
    uint64_t end() const { return std::max(call_.position + bytes_.size(), call_.advanced_to); }
    uint64_t other_position() const { return call_.other_position; }
    size_t memory_bytes() const { return sizeof(Call) + bytes_.size(); }

   private:
    capture::Bytes call_;
    std::string bytes_;
  };

  bool empty() const { return first_ == calls_.size(); }
  /// False: there is no room for it.
  bool keep(const capture::Bytes& call) {
    if (bytes_ + call.bytes.size() > stream::Stream::kBufferMax) return false;
    bytes_ += calls_.emplace_back(call).memory_bytes();
    return true;
  }
  const Call& front() const { return calls_[first_]; }
  Call take() {
    Call next = std::move(calls_[first_]);
    bytes_ -= next.memory_bytes();
    if (++first_ == calls_.size()) *this = {};
    return next;
  }
  size_t memory_bytes() const { return bytes_; }

 private:
  std::vector<Call> calls_;
  size_t first_ = 0;
  size_t bytes_ = 0;
};

}  // namespace clew::connection
