// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/live_processes.h"

#include <fmt/format.h>

#include <algorithm>

namespace clew::commands {

using capture::ProcessChange;
using capture::SelectedBy;

// How long a program may take until its runtime shows its executions: some 30 looks in five minutes.
constexpr uint64_t kFirstRuntimeWaitNs = 100'000'000;
constexpr uint64_t kLastRuntimeWaitNs = 60'000'000'000;

void LiveProcesses::select(uint32_t process_id, SelectedBy by) {
  if (const auto done = source_->select(process_id, by); !done) {
    messages_.warn(done.error().message);
    return;
  }
  selected_.insert(process_id);
  read_runtime(process_id);
}

// How its executions are told apart, if its runtime shows them. One that has just begun does not yet.
void LiveProcesses::read_runtime(uint32_t process_id) {
  runtimes_to_read_.erase(process_id);
  if (!try_runtime(process_id)) runtimes_to_read_[process_id] = {.next_ns = 0, .wait_ns = kFirstRuntimeWaitNs};
}

// False: to be tried again.
bool LiveProcesses::try_runtime(uint32_t process_id) {
  const runtime::Layout layout = runtime::find_layout(proc_, process_id);
  messages_.debug(fmt::format("process {}: {}", process_id, layout.description));
  if (layout.later) return false;
  if (layout.runtime == 0) return true;
  if (const auto done = source_->set_runtime(process_id, layout.runtime, layout.values); !done) messages_.warn(done.error().message);
  return true;
}

void LiveProcesses::tick(uint64_t now_ns) {
  for (auto next = runtimes_to_read_.begin(); next != runtimes_to_read_.end();) {
    const auto entry = next++;
    RuntimeWait& wait = entry->second;
    if (wait.next_ns == 0) wait.next_ns = now_ns + wait.wait_ns;
    if (now_ns < wait.next_ns) continue;
    wait.next_ns = now_ns + wait.wait_ns;
    wait.wait_ns += wait.wait_ns / 4;
    if (!selected_.contains(entry->first) || wait.wait_ns > kLastRuntimeWaitNs || try_runtime(entry->first)) runtimes_to_read_.erase(entry);
  }
}

// --pid means later children; that a server's workers are there already surprises people.
void LiveProcesses::mention_children(const discovery::ProcFs& proc, uint32_t process_id) const {
  const auto task = discovery::Directory::open(fmt::format("{0}/{1}/task/{1}", proc.root, process_id));
  std::string children;
  if (!task || task->read("children", 4096, children).error != 0) return;
  const auto count = std::ranges::count(children, ' ');
  if (count > 0)
    messages_.info(fmt::format("process {} has {} children already, which are not traced; to trace them too: --pid {}", process_id, count,
                               children.substr(0, children.find(' '))));
}

base::Result<void> LiveProcesses::select_running(const discovery::ProcFs& proc) {
  CLEW_TRY(discovery::ScanResult found, discovery::scan(proc, selection_));
  for (const discovery::ScanMatch& match : found.selected) {
    const uint32_t id = match.process.process_id;
    bool by_number = false;
    for (const uint32_t wanted : selection_.rules().process_ids) by_number |= wanted == id;
    select(id, by_number ? SelectedBy::kTree : SelectedBy::kRule);
    if (by_number) mention_children(proc, id);
    for (const uint16_t port : match.listening_ports) table_.on_listen(id, port, 0);
    table_.resource_of(id, match.process.comm, 0);
    messages_.debug(fmt::format("process {} ({}): {}", id, match.process.comm, match.verdict.reason));
  }
  for (const discovery::ScanMatch& match : found.excluded)
    messages_.info(fmt::format("process {} ({}) is left out: {}", match.process.process_id, match.process.comm, match.verdict.reason));
  for (const std::string& rule : found.unmatched) messages_.info(fmt::format("{} matches nothing yet; waiting for it", rule));
  if (const auto looked = source_->look_at_open_sockets(0); !looked) messages_.warn(looked.error().message);
  return {};
}

base::Result<void> LiveProcesses::select_command(uint32_t process_id) {
  auto done = source_->select(process_id, SelectedBy::kTree);
  if (done) selected_.insert(process_id);
  return done;
}

// After an exec, a listen or a move: is it (still) wanted?
void LiveProcesses::decide(uint32_t process_id, bool already_selected) {
  const discovery::Verdict verdict = table_.decide(selection_, process_id);
  const bool in_tree = already_selected && source_->selected_by_tree(process_id);
  if (verdict.outcome == discovery::Verdict::Outcome::kExcluded || (already_selected && !in_tree && !verdict.selected())) {
    if (already_selected) source_->deselect(process_id);
    selected_.erase(process_id);
    return;
  }
  if (!verdict.selected() || already_selected) return;
  select(process_id, SelectedBy::kRule);
  if (const auto looked = source_->look_at_open_sockets(process_id); !looked) messages_.warn(looked.error().message);
  messages_.info(fmt::format("process {}: {}", process_id, verdict.reason));
}

void LiveProcesses::process(const ProcessChange& change) {
  const uint32_t id = change.process_id;
  switch (change.kind) {
    case ProcessChange::Kind::kFork:
      table_.on_fork(change.parent_process_id, id, change.time_ns);
      if (change.selected) selected_.insert(id);
      break;
    case ProcessChange::Kind::kExec:
      table_.on_exec(id, change.time_ns);
      if (source_ != nullptr) decide(id, change.selected);
      if (change.selected || selected_.contains(id)) {
        table_.resource_of(id, change.comm, change.time_ns);  // while it lives: it may be gone when its first span is
        if (source_ != nullptr && change.selected) read_runtime(id);
        if (new_program_) new_program_(id);
      }
      break;
    case ProcessChange::Kind::kListen:
      table_.on_listen(id, change.port, change.time_ns);
      selected_.insert(id);
      if (source_ != nullptr) decide(id, true);
      table_.resource_of(id, change.comm, change.time_ns);
      break;
    case ProcessChange::Kind::kCgroup:
      if (source_ != nullptr) decide(id, selected_.contains(id));
      break;
    case ProcessChange::Kind::kExit:
      table_.on_exit(id, change.time_ns);
      selected_.erase(id);
      if (new_program_) new_program_(id);
      break;
  }
}

}  // namespace clew::commands
