// SPDX-License-Identifier: Apache-2.0
// The SELECT rules of the command line, compiled: is this process traced, and by which rule.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/cgroup_mounts.h"
#include "agent/discovery/glob.h"
#include "agent/discovery/process_info.h"

namespace clew::discovery {

struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;  // inclusive
  bool contains(uint16_t port) const { return first <= port && port <= last; }
};

/// As the user wrote them; nothing here is checked yet.
struct SelectionRules {
  std::vector<uint32_t> process_ids = {};        // --pid
  std::vector<std::string> exe_globs = {};       // --exe
  std::vector<PortRange> ports = {};             // --port
  std::vector<std::string> cgroups = {};         // --cgroup
  std::vector<std::string> containers = {};      // --container: id or prefix
  std::optional<uint32_t> command_root = {};     // -- COMMAND: the process that we started
  std::vector<std::string> not_exe_globs = {};   // --not-exe
  std::vector<PortRange> not_ports = {};         // --not-port
  std::vector<uint32_t> never_process_ids = {};  // clew itself, so that it never traces its own export
};

struct Verdict {
  enum class Outcome : uint8_t { kSelected, kExcluded, kNoMatch };
  Outcome outcome = Outcome::kNoMatch;
  std::string reason;  // "--exe nginx*", "--not-port 9000-9100 (it listens on 9090)", "no rule matches"

  bool selected() const { return outcome == Outcome::kSelected; }
};

class Selection {
 public:
  /// An Error names the option and value that is wrong.
  static base::Result<Selection> compile(SelectionRules rules, const std::vector<CgroupMount>& mounts);

  /// `listening_ports`: those of the process; needed only if uses_ports(). Exclusions win. Kernel threads are never selected.
  /// Children of a selected process are the kernel side's matter: fork hands the selection on.
  Verdict decide(const ProcessInfo& process, std::span<const uint16_t> listening_ports) const;

  /// Every rule that the process matches, as on the command line ("--exe nginx*"), exclusions aside.
  std::vector<std::string> matching_rules(const ProcessInfo& process, std::span<const uint16_t> listening_ports) const;
  /// All rules that wait for processes, written likewise.
  std::vector<std::string> waiting_rules() const;

  /// Executables (paths, or names without '/') that a process need only execute to be selected. Others are patterns, or may be excluded.
  std::vector<std::string> plain_executables() const;

  /// What decide() looks at, so that a scan reads no more (Fields).
  uint32_t needed_fields() const;
  bool uses_ports() const { return !rules_.ports.empty() || !rules_.not_ports.empty(); }
  bool wants_port(uint16_t port) const;
  /// False: the rules name processes by number only, there is nothing to look for.
  bool needs_scan() const;
  /// True if a process can come to match later by exec, listen or a move between cgroups; false with --pid and COMMAND only.
  bool waits_for_processes() const { return needs_scan(); }

  /// The one container that `prefix` stands for among `ids`: its id; empty if there is none yet; an Error that lists the candidates
  /// if there are several.
  static base::Result<std::string> unique_container(const std::string& prefix, std::span<const std::string> ids);
  /// From now on `prefix` means this container alone.
  void pin_container(const std::string& prefix, const std::string& id);

  const SelectionRules& rules() const { return rules_; }
  const std::vector<CgroupSubtree>& cgroups() const { return cgroups_; }

 private:
  Selection() = default;
  SelectionRules rules_;
  std::vector<Glob> exe_;
  std::vector<Glob> not_exe_;
  std::vector<CgroupSubtree> cgroups_;
  std::vector<std::string> container_ids_;  // parallel to rules_.containers: the pinned id, or the prefix itself
};

/// "8080" or "9000-9100".
std::string to_string(PortRange range);

}  // namespace clew::discovery
