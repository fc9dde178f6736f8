// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/scan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "agent/discovery/listening.h"

namespace clew::discovery {
namespace {

constexpr size_t kMaxProcesses = size_t{1} << 22;  // PID_MAX_LIMIT

/// The process that task `id` is a thread of: itself for a process. 0 if there is no such task.
uint32_t process_of_thread(const ProcFs& proc, uint32_t id) {
  std::string text;
  const auto directory = Directory::open(fmt::format("{}/{}", proc.root, id));
  if (!directory) return 0;
  directory->read("status", 4096, text);
  static constexpr std::string_view kLabel = "\nTgid:\t";
  const size_t at = text.find(kLabel);
  uint32_t process_id = id;
  if (at != std::string::npos) std::from_chars(text.data() + at + kLabel.size(), text.data() + text.size(), process_id);
  return process_id;
}

base::Result<void> check_process_ids(const ProcFs& proc, const Selection& selection) {
  for (const uint32_t id : selection.rules().process_ids) {
    const auto process = read_process(proc, id, kStatOnly);
    if (!process) return base::fail(fmt::format("--pid {}: {}", id, process.error().message));
    if (process->zombie) return base::fail(fmt::format("--pid {}: the process has ended, its parent has yet to notice", id));
    if (process->kernel_thread) return base::fail(fmt::format("--pid {}: {} is a kernel thread", id, process->comm));
    if (const uint32_t owner = process_of_thread(proc, id); owner != id && owner != 0)
      return base::fail(fmt::format("--pid {0}: that is a thread of process {1}; try --pid {1}", id, owner));
  }
  return {};
}

class Pass {
 public:
  Pass(const ProcFs& proc, const Selection& selection) : proc_(proc), selection_(selection), sockets_(proc) {}

  void examine(uint32_t process_id) {
    auto process = read_process(proc_, process_id, selection_.needed_fields());
    if (!process) {
      ++result.vanished;
      return;
    }
    ++result.examined;
    if (process->kernel_thread || process->zombie) return;
    if (!process->container.id.empty()) containers.insert(process->container.id);

    ScanMatch match;
    // Looking through its file descriptors is what costs most: not for --not-port alone if nothing else selects the process.
    if (selection_.uses_ports() && (!selection_.rules().ports.empty() || !selection_.matching_rules(*process, {}).empty()))
      match.listening_ports = sockets_.ports_of(process_id, [this](uint16_t port) { return selection_.wants_port(port); });
    for (std::string& rule : selection_.matching_rules(*process, match.listening_ports)) matched.insert(std::move(rule));
    match.verdict = selection_.decide(*process, match.listening_ports);
    if (match.verdict.outcome == Verdict::Outcome::kNoMatch) return;
    match.process = std::move(*process);
    auto& list = match.verdict.selected() ? result.selected : result.excluded;
    list.push_back(std::move(match));
  }

  ScanResult result;
  std::set<std::string> containers;
  std::set<std::string> matched;

 private:
  const ProcFs& proc_;
  const Selection& selection_;
  ListeningSockets sockets_;
};

}  // namespace

base::Result<ScanResult> scan(const ProcFs& proc, Selection& selection) {
  if (auto good = check_process_ids(proc, selection); !good) return std::unexpected(good.error());

  Pass pass(proc, selection);
  if (selection.needs_scan()) {
    CLEW_TRY(const Directory root, Directory::open(proc.root));
    std::vector<uint32_t> ids = numbered_entries(root, kMaxProcesses);
    std::ranges::sort(ids);
    for (const uint32_t id : ids) pass.examine(id);
  } else {
    for (const uint32_t id : selection.rules().process_ids) pass.examine(id);
    if (const auto command = selection.rules().command_root) pass.examine(*command);
  }

  const std::vector<std::string> containers(pass.containers.begin(), pass.containers.end());
  for (const std::string& prefix : std::vector<std::string>(selection.rules().containers)) {
    CLEW_TRY(const std::string id, Selection::unique_container(prefix, containers));
    if (!id.empty()) selection.pin_container(prefix, id);
  }
  for (std::string& rule : selection.waiting_rules()) {
    if (!pass.matched.contains(rule)) pass.result.unmatched.push_back(std::move(rule));
  }
  return std::move(pass.result);
}

}  // namespace clew::discovery
