// SPDX-License-Identifier: Apache-2.0
// Probes in the TLS libraries of the processes that are followed: attached per file and process, when the file is seen to be mapped.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/base/counters.h"
#include "agent/capture/kernel_source.h"
#include "agent/commands/log.h"
#include "agent/discovery/proc_fs.h"
#include "agent/tls/process_probes.h"

namespace clew::commands {

class LiveTls {
 public:
  explicit LiveTls(const Messages& messages) : messages_(messages) {}

  void set_source(capture::KernelSource* source) { source_ = source; }

  /// Looks at the files that the process has mapped now, and attaches to those that are new. `again`: some more times in the next
  /// seconds, for it has just begun.
  void look(uint32_t process_id, bool again = false);
  /// The kernel side has seen it begin a connection with a handshake of TLS: looks, and says so once if nothing is found.
  void speaks_tls(uint32_t process_id);
  /// It is going to execute that program, and has not begun: its libraries are attached to before it can load them.
  void expect(uint32_t process_id, const std::string& program);
  /// It executes another program now: attaches to what that one is about to load.
  void begin(uint32_t process_id);
  /// It has ended.
  void forget(uint32_t process_id);
  /// Looks that are due. Call at least every kLookInterval while one is waited for.
  void tick();
  bool is_waiting() const { return !due_.empty(); }
  static constexpr std::chrono::milliseconds kLookInterval{10};

 private:
  void attach(uint32_t process_id, const std::string& program, const std::vector<tls::MappedFile>& files);
  void refused(uint32_t process_id, const std::string& why);
  std::string program_of(uint32_t process_id) const;

  const Messages& messages_;
  discovery::ProcFs proc_ = discovery::ProcFs::of_this_machine();
  capture::KernelSource* source_ = nullptr;
  tls::FileCache files_;
  struct Attached {
    std::unordered_set<std::string> keys;  // of files
    uint64_t since_ns = 0;                 // when the latest was attached to
    uint32_t kinds = 0;                    // enum clew_process_tls
    uint32_t shared = 0;                   // clew_process.tls_shared
    bool is_said = false;                  // that nothing is seen of its TLS
  };
  void tell(uint32_t process_id, const Attached& attached, uint32_t kinds = 0);
  std::unordered_map<uint32_t, Attached> attached_;  // by process
  struct Due {
    std::chrono::steady_clock::time_point at;
    std::chrono::milliseconds interval;
  };
  std::unordered_map<uint32_t, Due> due_;
  bool was_refused_ = false;
};

}  // namespace clew::commands
