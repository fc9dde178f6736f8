// SPDX-License-Identifier: Apache-2.0
// The requests whose final response is still to come, oldest first: of each only what the framing of its response depends on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "protocols/http1/framing.h"

namespace clew::protocols::http1 {

/// A ring that grows to kLimit; then the oldest request is forgotten for each new one (its responses were evidently never shown).
class Outstanding {
 public:
  static constexpr size_t kLimit = 4096;

  bool empty() const { return count_ == 0; }
  size_t size() const { return count_; }
  RequestKind oldest() const { return ring_[first_]; }
  RequestKind newest() const { return ring_[(first_ + count_ - 1) & (ring_.size() - 1)]; }

  void push(RequestKind kind) {
    if (count_ == ring_.size() && !grow()) pop();
    ring_[(first_ + count_) & (ring_.size() - 1)] = kind;
    ++count_;
  }
  void pop() {
    first_ = (first_ + 1) & (ring_.size() - 1);
    --count_;
  }
  void clear() { first_ = count_ = 0; }
  void keep_newest() {
    while (count_ > 1) pop();
  }
  size_t memory_bytes() const { return ring_.capacity(); }

 private:
  bool grow() {
    if (ring_.size() >= kLimit) return false;
    std::vector<RequestKind> larger(ring_.empty() ? 8 : ring_.size() * 2);
    for (size_t i = 0; i < count_; ++i) larger[i] = ring_[(first_ + i) & (ring_.size() - 1)];
    ring_ = std::move(larger);
    first_ = 0;
    return true;
  }

  std::vector<RequestKind> ring_;  // its size is a power of two
  size_t first_ = 0;
  size_t count_ = 0;
};

}  // namespace clew::protocols::http1
