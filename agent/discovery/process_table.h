// SPDX-License-Identifier: Apache-2.0
// The processes that we follow, as the kernel's events tell it: their Resource, kept a while after their end, never mixed up.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/base/counters.h"
#include "agent/discovery/process_info.h"
#include "agent/discovery/resource.h"
#include "agent/discovery/selection.h"
#include "agent/discovery/service_name.h"

namespace clew::discovery {

/// Times are Unix nanoseconds of the event in question; the table has no clock of its own. Not thread-safe: one thread owns it.
/// An unknown process costs one read of /proc at first need (some 50 µs), a known one a hash look-up.
class ProcessTable {
 public:
  struct Options {
    size_t capacity = 16384;              // beyond it, the process that was asked for longest ago goes
    uint64_t linger_ns = 10'000'000'000;  // how long a process that has ended is kept for late events
    size_t max_ports_per_process = 64;
  };

  ProcessTable(ProcFs proc, Host host, Options options, base::Counters& counters);

  void on_fork(uint32_t parent, uint32_t child, uint64_t time_ns);
  void on_exec(uint32_t process_id, uint64_t time_ns);
  void on_exit(uint32_t process_id, uint64_t time_ns);
  void on_listen(uint32_t process_id, uint16_t port, uint64_t time_ns);

  /// Who did what happened in `process_id` at `time_ns`. Never null. A process that ended before we could read it gets what is known: its
  /// number, its name `comm`, and, if it never called exec, its parent's program.
  std::shared_ptr<const exporter::Resource> resource_of(uint32_t process_id, std::string_view comm, uint64_t time_ns);

  /// Is this process selected, after an exec or a listen? Reads what the rules need.
  Verdict decide(const Selection& selection, uint32_t process_id);

  size_t size() const { return slots_.size(); }
  /// Forgets what ended more than linger_ns before `time_ns`. Called by the on_… functions too; a quiet agent may call it on a timer.
  void expire(uint64_t time_ns);

 private:
  /// One program in one process: from fork or exec to the next exec or to the end.
  struct Image {
    uint64_t start_ticks = 0;         // 0: not read from /proc
    uint64_t from_ns = 0;             // 0: before we looked
    std::optional<ProcessInfo> info;  // without argv, but argv[0]
    ServiceName service;
    std::shared_ptr<const exporter::Resource> resource;  // null: not asked for yet
  };
  struct Slot {
    uint32_t process_id = 0;
    uint32_t parent = 0;       // 0: unknown
    bool forked_only = false;  // the current image is its parent's: no exec since
    uint64_t exited_ns = 0;    // 0: lives
    Image current;
    std::optional<Image> previous;  // before the last exec, or of the last process of that number
    std::vector<uint16_t> ports;
  };
  using Slots = std::list<Slot>;  // most recently used first

  Slot& slot(uint32_t process_id);
  Slot* find(uint32_t process_id);
  void build(Slot& slot, std::string_view comm);
  std::optional<Image> inherited_by(const Slot& child);
  void begin_image(Slot& slot, uint64_t time_ns);
  bool reused(const Slot& slot) const;

  ProcFs proc_;
  Host host_;
  Options options_;
  Slots slots_;
  std::unordered_map<uint32_t, Slots::iterator> by_id_;
  std::list<std::pair<uint64_t, uint32_t>> ended_;  // (exited_ns, process_id), oldest first
  base::Counter& built_;
  base::Counter& gone_;
  base::Counter& evicted_;
  base::Counter& ports_dropped_;
  base::Counter& bad_attributes_;
};

}  // namespace clew::discovery
