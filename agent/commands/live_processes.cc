// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/live_processes.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/correlation/execution_model.h"
#include "agent/discovery/runtime.h"
#include "agent/tls/needed_files.h"
#include "bpf/events.h"

namespace clew::commands {

using capture::ProcessChange;
using capture::SelectedBy;

namespace {

constexpr uint32_t kLibrariesTicks = 10;  // of 0.2 s: by then a program has loaded most of what it asks sockets with
constexpr uint32_t kScriptTicks = 1;      // … an interpreter asks with nothing but what scripts load, before they connect:
constexpr auto kScriptLook = std::chrono::milliseconds(20);       // looked at first when it can have loaded something, …
constexpr auto kScriptLookLast = std::chrono::milliseconds(160);  // … then at growing intervals, and last after twice this
constexpr uint32_t kLooksPerTick = 4;                             // at most so many connections that it begins are a reason to look
constexpr uint32_t kLibrariesTicksMax = 64;                       // at most so long between two looks at what it has loaded
constexpr uint32_t kNotesWithoutUse = 4096;                       // heads and probes; who calls others under load has done so by then
constexpr uint32_t kTicksMax = 1024;                              // of 0.2 s: ten looks, the last some seven minutes after the first

bool runs_scripts(const std::string& executable) {
  using Runtime = discovery::Executable::Runtime;
  const auto inspected = discovery::inspect_executable(executable);
  return inspected && (inspected->runtime == Runtime::kCpython || inspected->runtime == Runtime::kNode);
}

}  // namespace

void LiveProcesses::select(uint32_t process_id, SelectedBy by) {
  if (const auto done = source_->select(process_id, by); !done) {
    messages_.warn(done.error().message);
    return;
  }
  selected_.insert(process_id);
  set_rule(process_id);
  release_held(process_id);
  read_runtime(process_id);
  tls_.look(process_id, true);
}

// What the kernel may say of the process's requests without user space.
void LiveProcesses::set_rule(uint32_t process_id, bool just_begun) {
  if (source_ == nullptr || !source_->injection().attached()) return;
  uint32_t rule = CLEW_RULE_UNKNOWN;
  switch (correlation::model_of(*table_.resource_of(process_id, {}, 0))) {
    case correlation::ExecutionModel::kThreads: rule = CLEW_RULE_THREADS; break;
    case correlation::ExecutionModel::kEventLoop: rule = CLEW_RULE_LOOP; break;
    case correlation::ExecutionModel::kPools: rule = CLEW_RULE_POOLS; break;
    default: break;
  }
  const bool misreports = source_->injection().misreports_readable();
  bool once = false;
  if (misreports) {
    Loaded& loaded = loaded_[process_id];
    const bool asked = loaded.answer && loaded.answer->asks;
    if (just_begun) {
      const std::string executable = fmt::format("{}/{}/exe", proc_.root, process_id);
      const bool script = runs_scripts(executable);
      loaded = {.answer = runtime::ReadableBytes::Answer{.asks = readable_bytes_.will_be_asked(executable,
                                                                                               tls::all_needed_files(proc_, process_id))},
                .ticks = script ? kScriptTicks : kLibrariesTicks};
      if (script) loaded.soon = {.at = std::chrono::steady_clock::now() + kScriptLook, .interval = kScriptLook};
      looks_soon_ = looks_soon_ || script;
    } else {
      loaded.answer = readable_bytes_.may_be_asked(proc_, process_id, loaded.answer);
    }
    once = loaded.answer->asks;
    if (once && !asked)
      messages_.debug(
          fmt::format("process {}: asks sockets how much they hold (FIONREAD), which this kernel answers wrongly for those that are "
                      "injected into: only the first request of a connection is",
                      process_id));
  }
  if (const auto done = source_->set_rule(process_id, rule, once); !done) messages_.warn(done.error().message);
}

// What it has been given, or has inherited over its exec, was connected by a program that did not ask.
void LiveProcesses::release_held(uint32_t process_id) {
  const auto found = loaded_.find(process_id);
  if (found != loaded_.end() && found->second.answer->asks) source_->release_held(process_id);
}

// Libraries and modules come as long as a program runs: those that ask with them are let go of.
void LiveProcesses::look_at_loaded(uint32_t process_id, Loaded& loaded) {
  const runtime::ReadableBytes::Answer before = *loaded.answer;
  const auto now = readable_bytes_.may_be_asked(proc_, process_id, before);
  const bool same = now.files == before.files;
  loaded.before = same ? std::min(std::max(loaded.before, 1U) * 2, kLibrariesTicksMax) : kScriptTicks;
  loaded.ticks = loaded.before;
  if (same) return;
  set_rule(process_id);
  if (before.asks || !now.asks) return;
  source_->release_askers();
  source_->release_held(process_id);
}

// How its executions are told apart, if its runtime shows them. One that has not started yet is looked at again, at growing intervals.
void LiveProcesses::read_runtime(uint32_t process_id, uint32_t ticks_before) {
  const runtime::Layout layout = runtime::find_layout(proc_, process_id);
  if (!layout.description.empty()) messages_.debug(fmt::format("process {}: {}", process_id, layout.description));
  if (layout.not_yet && ticks_before < kTicksMax) looks_[process_id] = {.ticks = ticks_before * 2 + 1, .before = ticks_before * 2 + 1};
  if (layout.runtime == 0) return;
  source_->forget_probes(process_id);
  Read& read = read_[process_id];
  read.layout = layout;
  looks_.erase(process_id);
  begin_reading(process_id, read);
}

bool LiveProcesses::begin_reading(uint32_t process_id, Read& read) {
  read.notes = 0;
  read.paused = false;
  for (const runtime::Probe& probe : read.layout.probes)
    if (const auto done = source_->attach_probe(process_id, probe.program, probe.file, probe.offset, probe.at_return); !done) {
      messages_.warn(done.error().message);
      return false;
    }
  const auto done = source_->set_runtime(process_id, read.layout.runtime, read.layout.values);
  if (!done) messages_.warn(done.error().message);
  return done.has_value();
}

void LiveProcesses::noted(uint32_t process_id) {
  if (latest_.second == nullptr || latest_.first != process_id) {
    const auto found = read_.find(process_id);
    if (found == read_.end()) return;
    latest_ = {process_id, &found->second};
  }
  Read& read = *latest_.second;
  if (read.sends || read.paused || ++read.notes < kNotesWithoutUse) return;
  const bool injects = source_->injection().attached();
  if (injects && read.layout.runtime != CLEW_RUNTIME_GO) return;  // the kernel has to know whom they serve when the first one is sent
  read.sends = senders_.contains(process_id);
  if (read.sends) return;
  read.paused = true;
  source_->forget_probes(process_id);
  if (const auto done = source_->set_runtime(process_id, injects ? CLEW_RUNTIME_GO_IDLE : CLEW_RUNTIME_NONE, {}); !done)
    messages_.warn(done.error().message);
  messages_.debug(fmt::format("process {}: sends no requests; nothing is read of its runtime until it does", process_id));
  if (tell_runtime_) tell_runtime_(process_id);
}

void LiveProcesses::sends(uint32_t process_id) {
  if (!senders_.insert(process_id).second) return;
  const auto found = read_.find(process_id);
  if (found == read_.end() || !found->second.paused || !begin_reading(process_id, found->second)) return;
  messages_.debug(fmt::format("process {}: sends requests; its runtime is read again", process_id));
  if (tell_runtime_) tell_runtime_(process_id);
}

// What it has loaded for this connection is seen at once, if few are begun. One that has just begun waits for its look.
void LiveProcesses::connects(uint32_t process_id) {
  if (loaded_.empty()) return;
  const auto found = loaded_.find(process_id);
  if (found == loaded_.end() || found->second.answer->files == 0) return;
  if (++found->second.looks > kLooksPerTick) {
    found->second.ticks = 1;
    return;
  }
  look_at_loaded(process_id, found->second);
}

void LiveProcesses::look_soon() {
  if (!looks_soon_) return;
  looks_soon_ = false;
  const auto now = std::chrono::steady_clock::now();
  for (auto& [process_id, loaded] : loaded_) {
    if (loaded.soon.interval.count() == 0) continue;
    if (loaded.soon.at <= now) {
      look_at_loaded(process_id, loaded);
      loaded.soon.interval = loaded.soon.interval < kScriptLookLast ? loaded.soon.interval * 2 : std::chrono::milliseconds(0);
      loaded.soon.at = now + loaded.soon.interval;
    }
    looks_soon_ = looks_soon_ || loaded.soon.interval.count() != 0;
  }
}

void LiveProcesses::tick() {
  for (auto& [process_id, loaded] : loaded_) {
    loaded.looks = 0;
    if (loaded.ticks == 0 || --loaded.ticks == 0) look_at_loaded(process_id, loaded);
  }
  std::vector<std::pair<uint32_t, uint32_t>> due;
  for (auto& [process_id, look] : looks_)
    if (--look.ticks == 0) due.emplace_back(process_id, look.before);
  for (const auto& [process_id, before] : due) {
    looks_.erase(process_id);
    read_runtime(process_id, before);
  }
}

void LiveProcesses::forget_runtime(uint32_t process_id) {
  looks_.erase(process_id);
  loaded_.erase(process_id);
  senders_.erase(process_id);
  latest_ = {};
  if (read_.erase(process_id) != 0 && source_ != nullptr) source_->forget_probes(process_id);
}

// --pid means later children; that a server's workers are there already surprises people.
void LiveProcesses::mention_children(const discovery::ProcFs& proc, uint32_t process_id) const {
  const auto task = discovery::Directory::open(fmt::format("{0}/{1}/task/{1}", proc.root, process_id));
  std::string children;
  if (!task || task->read("children", 4096, children).error != 0) return;
  const auto count = std::ranges::count(children, ' ');
  if (count > 0)
    messages_.info(fmt::format("process {} has {} already, not traced; to trace {} too: --pid {}", process_id,
                               count == 1 ? "a child" : fmt::format("{} children", count), count == 1 ? "it" : "them",
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

base::Result<void> LiveProcesses::select_command(uint32_t process_id, const std::string& program) {
  auto done = source_->select(process_id, SelectedBy::kTree);
  if (!done) return done;
  selected_.insert(process_id);
  tls_.expect(process_id, program);
  const capture::Injection& injection = source_->injection();
  if (injection.attached() && injection.misreports_readable() &&  // it may connect before we hear of its exec
      !readable_bytes_.will_be_asked(tls::program_file(program), tls::all_needed_files(proc_, process_id, program)))
    return source_->set_rule(process_id, CLEW_RULE_AWAITED, false);
  return done;
}

// After an exec, a listen or a move: is it (still) wanted? If not, nothing is left in it.
bool LiveProcesses::decide(uint32_t process_id, bool already_selected) {
  const discovery::Verdict verdict = table_.decide(selection_, process_id);
  const bool in_tree = already_selected && source_->selected_by_tree(process_id);
  if (verdict.outcome == discovery::Verdict::Outcome::kExcluded || (already_selected && !in_tree && !verdict.selected())) {
    if (already_selected) {
      tls_.forget(process_id);
      source_->deselect(process_id);
      source_->release_held(process_id);
    }
    forget_runtime(process_id);
    selected_.erase(process_id);
    return false;
  }
  if (!verdict.selected() || already_selected) return already_selected;
  select(process_id, SelectedBy::kRule);
  if (const auto looked = source_->look_at_open_sockets(process_id); !looked) messages_.warn(looked.error().message);
  messages_.info(fmt::format("process {}: {}", process_id, verdict.reason));
  return true;
}

void LiveProcesses::process(const ProcessChange& change) {
  const uint32_t id = change.process_id;
  switch (change.kind) {
    case ProcessChange::Kind::kFork:
      table_.on_fork(change.parent_process_id, id, change.time_ns);
      if (change.selected) {
        selected_.insert(id);
        set_rule(id);  // its parent may have had none yet
        tls_.look(id, true);
      }
      if (change.selected && senders_.contains(change.parent_process_id)) senders_.insert(id);  // by connections that both have
      if (const auto parent = read_.find(change.parent_process_id);
          change.selected && parent != read_.end() && (!parent->second.layout.probes.empty() || parent->second.paused))
        looks_[id] = {.ticks = 1};  // it inherits what is read by the kernel alone
      break;
    case ProcessChange::Kind::kExec: {
      forget_runtime(id);
      table_.on_exec(id, change.time_ns);
      if (source_ != nullptr && change.selected && source_->injection().attached()) {  // first of all: it may connect at once …
        table_.resource_of(id, change.comm, change.time_ns);
        set_rule(id, true);
        release_held(id);
      }
      const bool goes_on = (source_ == nullptr || decide(id, change.selected)) && change.selected;
      if (goes_on) tls_.begin(id);                                         // … and is loading its libraries
      if (goes_on && selected_.insert(id).second && source_ != nullptr) {  // by the file that it executes: it may have sockets already
        if (const auto looked = source_->look_at_open_sockets(id); !looked) messages_.warn(looked.error().message);
      }
      if (change.selected || selected_.contains(id)) {
        table_.resource_of(id, change.comm, change.time_ns);  // while it lives: it may be gone when its first span is
        if (source_ != nullptr && goes_on) read_runtime(id);
        if (new_program_) new_program_(id);
      }
      break;
    }
    case ProcessChange::Kind::kListen:
      table_.on_listen(id, change.port, change.time_ns);
      selected_.insert(id);
      if (source_ != nullptr) {
        if (!decide(id, true)) break;  // the kernel has gone by the port alone
        set_rule(id);
      }
      if (source_ != nullptr && !read_.contains(id)) read_runtime(id);  // chosen by the kernel, or not started when it was looked at
      tls_.look(id, true);
      table_.resource_of(id, change.comm, change.time_ns);
      break;
    case ProcessChange::Kind::kTls: tls_.speaks_tls(id); break;
    case ProcessChange::Kind::kRuntime:
      if (runtime_changed_) runtime_changed_(id, change.time_ns);
      break;
    case ProcessChange::Kind::kCgroup:
      if (source_ != nullptr) decide(id, selected_.contains(id));
      break;
    case ProcessChange::Kind::kExit:
      table_.on_exit(id, change.time_ns);
      selected_.erase(id);
      forget_runtime(id);
      tls_.forget(id);
      if (new_program_) new_program_(id);
      break;
  }
}

}  // namespace clew::commands
