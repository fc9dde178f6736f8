// SPDX-License-Identifier: Apache-2.0
// Go over HTTP/2: which goroutine serves a stream that another one has read, and which one wants a stream that another one sends.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "agent/correlation/execution/execution.h"

namespace clew::correlation {

/// Told by probes (bpf/execution/go_streams.bpf.c). Streams are named by their number and a goroutine of their connection: of a process the
/// numbers of goroutines are never used again. Bounded by settings: what does not fit is refused or forgotten, and counted.
class GoroutineStreams {
 public:
  explicit GoroutineStreams(const ExecutionSettings& settings) : max_(settings.threads_max), full_(settings.full) {}

  /// What a probe tells, as the kernel side packs it.
  struct Note {
    uint64_t goroutine = 0;
    uint64_t origin = 0;  // Caller::execution[1]
    uint64_t writer = 0;  // whom it has asked; 0: one that it starts itself
    uint64_t stream = 0;
    static Note decode(const std::array<uint64_t, 3>& words);
  };

  /// A goroutine, started by `parent`, has read the head of `request`.
  void read(const RequestKey& request, uint64_t reader, uint64_t parent);
  /// A goroutine begins to serve the stream: its parent is who has read it; or, where `beside`, may also be the parent of that one. Once.
  std::optional<RequestKey> serve(uint64_t parent, uint64_t stream, bool beside);
  void done(const RequestKey& request);

  void ask(const Note& note);
  /// Who wants the stream that `sender`, started by `parent`, sends: that one's number and origin. Once.
  std::optional<std::array<uint64_t, 2>> asker(uint64_t sender, uint64_t parent, uint64_t stream);

 private:
  struct Name {
    uint64_t goroutine = 0;
    uint64_t stream = 0;
    bool operator==(const Name&) const = default;
  };
  struct NameHash {
    size_t operator()(const Name& name) const { return std::hash<uint64_t>()(name.goroutine * 0x9e3779b97f4a7c15 ^ name.stream); }
  };
  struct Readers {
    uint64_t reader = 0;
    uint64_t parent = 0;
  };
  struct Waiting {
    uint64_t origin = 0;
    uint32_t streams = 0;  // that it has asked for, and nobody has sent yet
  };
  using Unserved = std::unordered_map<Name, RequestKey, NameHash>;

  template <class Map>
  void make_room(Map& map) const;
  static void put(Unserved& unserved, const Name& name, const RequestKey& request);

  size_t max_;
  base::Counter* full_;
  std::unordered_map<RequestKey, Readers, KeyHash> open_;
  Unserved by_reader_;  // a request without a connection: two of that name, and nobody knows which
  Unserved by_parent_;
  std::unordered_map<Name, std::array<uint64_t, 2>, NameHash> asked_;  // by writer → goroutine and origin
  std::unordered_map<uint64_t, Waiting> waiting_;                      // by goroutine
};

}  // namespace clew::correlation
