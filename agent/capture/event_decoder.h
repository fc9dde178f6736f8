// SPDX-License-Identifier: Apache-2.0
// From the kernel's events (bpf/events.h) to what the pipeline is told. The same for the live ring buffer and for a recording.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "agent/base/counters.h"
#include "agent/capture/source.h"

namespace clew::capture {

struct ProcessChange {
  enum class Kind : uint8_t { kFork = 1, kExec = 2, kExit = 3, kListen = 4, kCgroup = 5, kTls = 6, kRuntime = 7 };
  Kind kind = Kind::kFork;
  uint32_t process_id = 0;
  uint32_t parent_process_id = 0;  // kFork
  uint16_t port = 0;               // kListen
  bool selected = false;           // the kernel has decided already
  std::string_view comm;
  uint64_t time_ns = 0;
};

class ProcessSink {
 public:
  virtual ~ProcessSink() = default;
  virtual void process(const ProcessChange& change) = 0;
};

class EventDecoder {
 public:
  EventDecoder(Sink& sink, ProcessSink& processes, base::Counters& counters);

  /// CLOCK_REALTIME minus CLOCK_MONOTONIC in ns; set before the first event, and again now and then.
  void set_clock_offset(uint64_t offset_ns) { offset_ns_ = offset_ns; }
  /// One event as the kernel wrote it. False: not an event (a damaged recording).
  bool decode(std::span<const std::byte> event);

 private:
  uint64_t unix_time(uint64_t monotonic_ns) const { return monotonic_ns == 0 ? 0 : monotonic_ns + offset_ns_; }
  bool data(std::span<const std::byte> event);
  bool connection(std::span<const std::byte> event);
  bool end(std::span<const std::byte> event);
  bool process(std::span<const std::byte> event);
  bool connect(std::span<const std::byte> event);
  bool runtime(std::span<const std::byte> event);
  bool carried(std::span<const std::byte> event);

  Sink& sink_;
  ProcessSink& processes_;
  base::Counter& events_;
  base::Counter& tls_events_;
  uint64_t offset_ns_ = 0;
};

}  // namespace clew::capture
