// SPDX-License-Identifier: Apache-2.0
// Probes in single processes: other processes that run the same file do not pay for them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/base/result.h"
#include "agent/capture/link_destroyer.h"

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
  /// Many of one program at once, since Linux 6.10; `program` was loaded for that (BPF_TRACE_UPROBE_MULTI).
  base::Result<void> attach_all(bpf_program* program, uint32_t process_id, const std::string& file, const std::vector<uint64_t>& offsets,
                                const std::vector<uint64_t>& cookies, bool at_return);
  /// At once for the caller.
  void detach(uint32_t process_id);
  void clear();

 private:
  base::Result<void> keep(bpf_link* link, uint32_t process_id);

  std::unordered_map<uint32_t, std::vector<bpf_link*>> links_;
  LinkDestroyer destroyer_;
};

}  // namespace clew::capture
