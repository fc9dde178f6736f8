// SPDX-License-Identifier: Apache-2.0
// Probes in single processes: other processes that run the same file do not pay for them.
#pragma once

#include <cstdint>
#include <future>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/result.h"

struct bpf_link;
struct bpf_program;

namespace clew::capture {

/// At most kProcessesMax processes; what does not fit is an error of attach().
class ProcessProbes {
 public:
  static constexpr size_t kProcessesMax = 4096;

  ProcessProbes() = default;
  ProcessProbes(const ProcessProbes&) = delete;
  ProcessProbes& operator=(const ProcessProbes&) = delete;
  ~ProcessProbes() { clear(); }

  /// `offset`: of the instruction in `file`. All threads of the process, not its children. `cookie`: what the program is told of the probe.
  base::Result<void> attach(bpf_program* program, uint32_t process_id, const std::string& file, uint64_t offset, bool at_return,
                            uint64_t cookie = 0);
  /// At once for the caller: the kernel waits for all CPUs, tens of milliseconds, in a thread of its own.
  void detach(uint32_t process_id);
  void clear();

 private:
  std::unordered_map<uint32_t, std::vector<bpf_link*>> links_;
  std::vector<bpf_link*> old_;    // to be destroyed, when …
  std::future<void> destroying_;  // … the thread is done with those before
};

}  // namespace clew::capture
