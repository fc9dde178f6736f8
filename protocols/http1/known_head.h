// SPDX-License-Identifier: Apache-2.0
// The latest head of one direction. Whoever asks for the same again and again (a health check, a poll, a server's answers within one
// second) sends the same bytes, and then they need not be taken apart again.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "protocols/http/head.h"
#include "protocols/http1/framing.h"

namespace clew::protocols::http1 {

class KnownHead {
 public:
  /// A longer one is not kept: it seldom comes twice, and this memory is there for each connection.
  static constexpr size_t kLengthMax = 512;

  /// Do the bytes begin with it?
  bool begins(std::string_view bytes) const { return !bytes_.empty() && bytes.starts_with(bytes_); }
  size_t length() const { return bytes_.size(); }
  const Framing& framing() const { return framing_; }
  const HeadPointer& head() const { return head_; }

  /// `bytes` are a whole head without secrets, and all that it says is in the other two.
  void learn(std::string_view bytes, const Framing& framing, const HeadPointer& head) {
    if (bytes.size() > kLengthMax) return;
    bytes_.assign(bytes);
    framing_ = framing;
    head_ = head;
  }
  size_t memory_bytes() const { return bytes_.capacity(); }

 private:
  std::string bytes_;  // empty: none yet
  Framing framing_;
  HeadPointer head_;
};

}  // namespace clew::protocols::http1
