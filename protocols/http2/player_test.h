// SPDX-License-Identifier: Apache-2.0
// A player of conversations that says in words what the parser says. Only for tests.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocols/http/head.h"
#include "protocols/http2/frames_test.h"
#include "protocols/http2/parser.h"

namespace clew::protocols::http2 {

using Kind = Step::Kind;

/// Feeds a parser as the agent does. What it says, a word a step.
class Player {
 public:
  explicit Player(Http2Parser::Begin begin) : parser(begin) {}
  std::string operator()(Sender sender, std::string_view bytes) {
    std::string& pending = pending_[static_cast<size_t>(sender)];
    uint64_t& skip = skip_[static_cast<size_t>(sender)];
    pending += bytes;
    std::string said;
    for (;;) {
      const auto passed = std::min<uint64_t>(skip, pending.size());
      pending.erase(0, passed);
      skip -= passed;
      if (skip > 0) return said;
      const Step step = parser.parse(sender, pending);
      pending.erase(0, step.consumed);
      if (step.kind == Kind::kSkip) skip = step.skip;
      if (step.kind == Kind::kNeedMore) return said;
      if (step.kind == Kind::kHead) {
        said += "head" + std::to_string(step.stream_id) + (step.is_partial ? "? " : " ");
        path = http::as_message(step.head.get())->parts().fields[static_cast<size_t>(http::Field::kTarget)];
      }
      if (step.kind == Kind::kEnd) said += "end" + std::to_string(step.stream_id) + " ";
      if (step.kind == Kind::kAbort) said += "abort" + std::to_string(step.stream_id) + " ";
      if (step.kind == Kind::kInvalid) said += std::string(step.reason) + " ";
      if (step.kind == Kind::kInvalid && step.stream_id == 0) pending.erase(0, parser.resync(sender, pending));
      if (step.kind == Kind::kAwaitPeer) return said + "await ";
      if (step.kind == Kind::kOpaque) return said + "opaque(" + std::string(step.reason) + ") ";
    }
  }
  Http2Parser parser;
  std::string path;

 private:
  std::string pending_[2];
  uint64_t skip_[2] = {0, 0};
};

inline Player begun() {
  Player player(Http2Parser::Begin::kStart);
  player(Sender::kClient, hello());
  player(Sender::kServer, kEmptySettings);
  return player;
}

}  // namespace clew::protocols::http2
