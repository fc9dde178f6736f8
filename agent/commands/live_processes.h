// SPDX-License-Identifier: Apache-2.0
// Which processes are followed while clew runs: decided at start by a scan, later by what the kernel tells of forks, execs, listens.
#pragma once

#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/capture/event_decoder.h"
#include "agent/capture/kernel_source.h"
#include "agent/commands/log.h"
#include "agent/discovery/process_table.h"
#include "agent/discovery/scan.h"
#include "agent/discovery/selection.h"
#include "agent/runtime/layout.h"

namespace clew::commands {

class LiveProcesses final : public capture::ProcessSink {
 public:
  LiveProcesses(discovery::Selection& selection, discovery::ProcessTable& table, const Messages& messages)
      : selection_(selection), table_(table), messages_(messages) {}

  void set_source(capture::KernelSource* source) { source_ = source; }
  /// Called with each process whose program changed, so that a recording can say so.
  void on_new_program(std::function<void(uint32_t)> callback) { new_program_ = std::move(callback); }

  /// Selects what matches now. An Error is for the user.
  base::Result<void> select_running(const discovery::ProcFs& proc);
  base::Result<void> select_command(uint32_t process_id);

  void process(const capture::ProcessChange& change) override;
  /// Looks again at runtimes that had not come far enough.
  void tick(uint64_t now_ns);
  size_t count() const { return selected_.size(); }
  std::vector<uint32_t> selected() const { return {selected_.begin(), selected_.end()}; }

 private:
  struct RuntimeWait {
    uint64_t next_ns = 0;
    uint64_t wait_ns = 0;  // grows
  };
  void decide(uint32_t process_id, bool already_selected);
  void select(uint32_t process_id, capture::SelectedBy by);
  void read_runtime(uint32_t process_id);
  bool try_runtime(uint32_t process_id);
  void mention_children(const discovery::ProcFs& proc, uint32_t process_id) const;

  discovery::Selection& selection_;
  discovery::ProcessTable& table_;
  const Messages& messages_;
  discovery::ProcFs proc_ = discovery::ProcFs::of_this_machine();
  capture::KernelSource* source_ = nullptr;
  std::function<void(uint32_t)> new_program_;
  std::unordered_set<uint32_t> selected_;
  std::unordered_map<uint32_t, RuntimeWait> runtimes_to_read_;
};

}  // namespace clew::commands
