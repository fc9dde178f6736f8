// SPDX-License-Identifier: Apache-2.0
// Node.js over HTTP/2: one read brings frames of many streams. For which request JavaScript runs after each, and what it asks for then.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

/// Told by probes (bpf/execution/node_streams.bpf.c). Which connection is a session's shows where a frame is handed on in the turn of a
/// read. Bounded by settings: where there is no room all is forgotten, and counted.
class NodeStreams {
 public:
  explicit NodeStreams(const ExecutionSettings& settings) : max_(settings.threads_max), full_(settings.full) {}

  /// Whose frame was handed on last, in the turn of a read.
  struct Frame {
    uint64_t turn = 0;                // the low bits of its number
    std::optional<RequestKey> owner;  // the request itself, or the one for which the stream was asked
    bool is_server = false;
  };
  /// What a probe tells, as the kernel side packs it.
  struct Note {
    uint64_t session = 0;
    uint64_t stream = 0;
    uint64_t turn = 0;
    bool in_turn = false;
    static Note decode(const std::array<uint64_t, 3>& words);
  };

  void received(const RequestKey& request);
  void done(const RequestKey& request);
  /// Every note, first of all: false where one before it is lost, and nothing is known of what runs now.
  bool in_order(const std::array<uint64_t, 3>& words);
  /// `read`: the connection of the turn's read.
  void handed_on(const Note& note, uint64_t read);
  const std::optional<Frame>& frame() const { return frame_; }
  /// Something is answered in it: what follows in the same callback may be done for whoever has waited for that.
  void answered() {
    if (frame_) frame_->owner.reset();
  }
  /// A request is given to a session, for `cause`; then the stream's number is told. One that is not `believed` is no parent, but shows
  /// whose answer it would be.
  void asks(const std::array<uint64_t, 3>& words, const std::optional<Cause>& cause, bool believed);
  void asked(const Note& note);
  /// A request that was asked for is sent.
  std::optional<Cause> sent(const RequestKey& request);
  /// The request to which a session responds.
  std::optional<RequestKey> answers(const Note& note) const;

 private:
  struct Name {
    uint64_t of = 0;  // a connection, or a session
    uint64_t stream = 0;
    bool operator==(const Name&) const = default;
  };
  struct NameHash {
    size_t operator()(const Name& name) const { return std::hash<uint64_t>()(name.of * 0x9e3779b97f4a7c15 ^ name.stream); }
  };
  struct Asking {
    uint64_t session = 0;
    std::optional<Cause> cause;  // always of those in `asked_`
    bool believed = false;
  };
  std::optional<Asking> take(uint64_t session, const Name& name);
  template <class Map>
  void make_room(Map& map) const;

  size_t max_;
  base::Counter* full_;
  uint64_t latest_ = 0;  // number of the latest note
  std::optional<Frame> frame_;
  std::optional<Asking> asking_;
  std::unordered_map<uint64_t, uint64_t> sessions_;        // → connection
  std::unordered_map<uint64_t, uint64_t> connections_;     // → session
  std::unordered_map<Name, RequestKey, NameHash> open_;    // by connection
  std::unordered_map<Name, Asking, NameHash> asked_;       // by session
  std::unordered_map<Name, RequestKey, NameHash> causes_;  // by connection: of streams that were sent, the latest
  std::deque<Name> causes_in_order_;
};

}  // namespace clew::correlation
