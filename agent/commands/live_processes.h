// SPDX-License-Identifier: Apache-2.0
// Which processes are followed while clew runs: decided at start by a scan, later by what the kernel tells of forks, execs, listens.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "agent/capture/event_decoder.h"
#include "agent/capture/kernel_source.h"
#include "agent/commands/live_tls.h"
#include "agent/commands/log.h"
#include "agent/discovery/process_table.h"
#include "agent/discovery/scan.h"
#include "agent/discovery/selection.h"
#include "agent/runtime/layout.h"
#include "agent/runtime/readable_bytes.h"

namespace clew::commands {

class LiveProcesses final : public capture::ProcessSink {
 public:
  LiveProcesses(discovery::Selection& selection, discovery::ProcessTable& table, const Messages& messages)
      : selection_(selection), table_(table), messages_(messages), tls_(messages) {}

  void set_source(capture::KernelSource* source) {
    source_ = source;
    tls_.set_source(source);
  }
  /// Called with each process whose program changed, so that a recording can say so.
  void on_new_program(std::function<void(uint32_t)> callback) { new_program_ = std::move(callback); }
  /// `tell` is called when a process's runtime begins or ceases to be read under way, and puts an event in its place among the others;
  /// `changed` when that comes to process().
  void on_runtime(std::function<void(uint32_t)> tell, std::function<void(uint32_t, uint64_t)> changed) {
    tell_runtime_ = std::move(tell);
    runtime_changed_ = std::move(changed);
  }

  /// Selects what matches now. An Error is for the user.
  base::Result<void> select_running(const discovery::ProcFs& proc);
  base::Result<void> select_command(uint32_t process_id, const std::string& program);

  void process(const capture::ProcessChange& change) override;
  /// Something was read of its runtime. If it has sent no request while much was, that is for nothing, and ends …
  void noted(uint32_t process_id);
  /// … until it sends one.
  void sends(uint32_t process_id);
  void connects(uint32_t process_id);
  /// Each time that the loop comes round, which is to be soon if is_waiting(): looks at what interpreters have loaded that have just begun.
  void look_soon();
  bool is_waiting() const { return looks_soon_; }
  static constexpr std::chrono::milliseconds kLookInterval{10};
  /// Now and then: looks again at programs whose runtime had not started yet.
  void tick();
  LiveTls& tls() { return tls_; }
  size_t count() const { return selected_.size(); }
  std::vector<uint32_t> selected() const { return {selected_.begin(), selected_.end()}; }

 private:
  struct Read {
    runtime::Layout layout;
    uint32_t notes = 0;  // since it began
    bool sends = false;  // is among those that do
    bool paused = false;
  };

  struct Loaded {  // what a process has mapped
    std::optional<runtime::ReadableBytes::Answer> answer;
    uint32_t ticks = 0;   // until the next look
    uint32_t before = 0;  // as many were waited the last time
    uint32_t looks = 0;   // since the latest tick
    struct {
      std::chrono::steady_clock::time_point at;
      std::chrono::milliseconds interval{0};  // 0: there is none
    } soon;                                   // the next look at an interpreter that has just begun
  };

  bool decide(uint32_t process_id, bool already_selected);
  void select(uint32_t process_id, capture::SelectedBy by);
  void set_rule(uint32_t process_id, bool just_begun = false);
  void release_held(uint32_t process_id);
  void look_at_loaded(uint32_t process_id, Loaded& loaded);
  void read_runtime(uint32_t process_id, uint32_t ticks_before = 0);
  bool begin_reading(uint32_t process_id, Read& read);
  void forget_runtime(uint32_t process_id);
  void mention_children(const discovery::ProcFs& proc, uint32_t process_id) const;

  discovery::Selection& selection_;
  discovery::ProcessTable& table_;
  const Messages& messages_;
  LiveTls tls_;
  discovery::ProcFs proc_ = discovery::ProcFs::of_this_machine();
  capture::KernelSource* source_ = nullptr;
  std::function<void(uint32_t)> new_program_;
  std::function<void(uint32_t)> tell_runtime_;
  std::function<void(uint32_t, uint64_t)> runtime_changed_;
  runtime::ReadableBytes readable_bytes_;
  std::unordered_set<uint32_t> selected_;
  struct Look {
    uint32_t ticks = 0;   // to wait
    uint32_t before = 0;  // as many were waited the last time
  };
  std::unordered_map<uint32_t, Look> looks_;     // processes to look at again
  std::unordered_map<uint32_t, Loaded> loaded_;  // those that are injected into, where the kernel misreports
  bool looks_soon_ = false;
  std::unordered_map<uint32_t, Read> read_;  // those whose runtime is read
  std::unordered_set<uint32_t> senders_;     // have sent a request, whether their runtime was read then or not
  std::pair<uint32_t, Read*> latest_{};      // that something was read of
};

}  // namespace clew::commands
