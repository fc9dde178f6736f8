// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace clew::discovery {
namespace {

constexpr size_t kIdLength = 64;
constexpr std::string_view kHexDigits = "0123456789abcdef";

base::Result<std::vector<Glob>> compile_globs(std::string_view option, const std::vector<std::string>& patterns) {
  std::vector<Glob> globs;
  for (const std::string& pattern : patterns) {
    auto glob = Glob::compile(pattern);
    if (!glob) return base::fail(fmt::format("{} {}: {}", option, pattern, glob.error().message));
    globs.push_back(std::move(*glob));
  }
  return globs;
}

base::Result<void> check_ports(std::string_view option, const std::vector<PortRange>& ranges) {
  for (const PortRange& range : ranges) {
    if (range.first == 0 || range.first > range.last)
      return base::fail(fmt::format("{} {}: ports go from 1 to 65535, the lower one first", option, to_string(range)));
  }
  return {};
}

/// "containerd://<id>", as kubectl prints it, is accepted too.
std::string_view without_scheme(std::string_view id) {
  const size_t scheme = id.find("://");
  return scheme == std::string_view::npos ? id : id.substr(scheme + 3);
}

base::Result<void> check_container(const std::string& given, std::string_view id) {
  if (id.empty() || id.size() > kIdLength || id.find_first_not_of(kHexDigits) != std::string_view::npos)
    return base::fail(fmt::format("--container {}: not a container id or the beginning of one (up to 64 digits 0-9, a-f)", given));
  return {};
}

/// The first of `ports` in one of `ranges`, with that range.
struct PortMatch {
  uint16_t port = 0;
  PortRange range;
};
std::optional<PortMatch> find_port(const std::vector<PortRange>& ranges, std::span<const uint16_t> ports) {
  for (const PortRange& range : ranges) {
    for (const uint16_t port : ports) {
      if (range.contains(port)) return PortMatch{port, range};
    }
  }
  return std::nullopt;
}

bool contains(const std::vector<uint32_t>& ids, uint32_t id) { return std::ranges::find(ids, id) != ids.end(); }

}  // namespace

std::string to_string(PortRange range) {
  return range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
}

base::Result<Selection> Selection::compile(SelectionRules rules, const std::vector<CgroupMount>& mounts) {
  Selection selection;
  CLEW_TRY(selection.exe_, compile_globs("--exe", rules.exe_globs));
  CLEW_TRY(selection.not_exe_, compile_globs("--not-exe", rules.not_exe_globs));
  if (auto good = check_ports("--port", rules.ports); !good) return std::unexpected(good.error());
  if (auto good = check_ports("--not-port", rules.not_ports); !good) return std::unexpected(good.error());
  if (contains(rules.process_ids, 0)) return base::fail("--pid 0: process numbers begin at 1");
  for (const std::string& path : rules.cgroups) {
    auto subtree = CgroupSubtree::resolve(path, mounts);
    if (!subtree) return base::fail(fmt::format("--cgroup {}: {}", path, subtree.error().message));
    selection.cgroups_.push_back(std::move(*subtree));
  }
  for (const std::string& given : rules.containers) {
    const std::string_view id = without_scheme(given);
    if (auto good = check_container(given, id); !good) return std::unexpected(good.error());
    selection.container_ids_.emplace_back(id);
  }
  selection.rules_ = std::move(rules);
  return selection;
}

std::vector<std::string> Selection::matching_rules(const ProcessInfo& process, std::span<const uint16_t> listening_ports) const {
  std::vector<std::string> matching;
  if (process.kernel_thread) return matching;
  if (contains(rules_.process_ids, process.process_id)) matching.push_back(fmt::format("--pid {}", process.process_id));
  if (rules_.command_root == process.process_id) matching.emplace_back("-- COMMAND");
  for (const Glob& glob : exe_) {
    if (glob.matches(process.exe)) matching.push_back(fmt::format("--exe {}", glob.pattern()));
  }
  for (const PortRange& range : rules_.ports) {
    if (std::ranges::any_of(listening_ports, [&](uint16_t port) { return range.contains(port); }))
      matching.push_back(fmt::format("--port {}", to_string(range)));
  }
  for (size_t i = 0; i < cgroups_.size(); ++i) {
    if (cgroups_[i].contains(process)) matching.push_back(fmt::format("--cgroup {}", rules_.cgroups[i]));
  }
  for (size_t i = 0; i < container_ids_.size(); ++i) {
    if (!process.container.id.empty() && process.container.id.starts_with(container_ids_[i]))
      matching.push_back(fmt::format("--container {}", rules_.containers[i]));
  }
  return matching;
}

Verdict Selection::decide(const ProcessInfo& process, std::span<const uint16_t> listening_ports) const {
  using Outcome = Verdict::Outcome;
  if (process.kernel_thread) return {Outcome::kNoMatch, "it is a kernel thread"};
  const std::vector<std::string> matching = matching_rules(process, listening_ports);
  if (matching.empty()) return {Outcome::kNoMatch, "no rule matches"};
  const std::string& rule = matching.front();
  if (contains(rules_.never_process_ids, process.process_id)) return {Outcome::kExcluded, "it is clew itself"};
  for (const Glob& glob : not_exe_) {
    if (glob.matches(process.exe))
      return {Outcome::kExcluded, fmt::format("--not-exe {} (without it, {} would select it)", glob.pattern(), rule)};
  }
  if (const auto found = find_port(rules_.not_ports, listening_ports))
    return {Outcome::kExcluded,
            fmt::format("--not-port {}: it listens on {} (without it, {} would select it)", to_string(found->range), found->port, rule)};
  return {Outcome::kSelected, rule};
}

std::vector<std::string> Selection::waiting_rules() const {
  std::vector<std::string> waiting;
  waiting.reserve(rules_.exe_globs.size() + rules_.ports.size() + rules_.cgroups.size() + rules_.containers.size());
  for (const std::string& glob : rules_.exe_globs) waiting.push_back(fmt::format("--exe {}", glob));
  for (const PortRange& range : rules_.ports) waiting.push_back(fmt::format("--port {}", to_string(range)));
  for (const std::string& path : rules_.cgroups) waiting.push_back(fmt::format("--cgroup {}", path));
  for (const std::string& id : rules_.containers) waiting.push_back(fmt::format("--container {}", id));
  return waiting;
}

uint32_t Selection::needed_fields() const {
  uint32_t fields = kStatOnly;
  if (!exe_.empty() || !not_exe_.empty()) fields |= kExe;
  if (!cgroups_.empty() || !container_ids_.empty()) fields |= kCgroup;
  return fields;
}

bool Selection::wants_port(uint16_t port) const {
  const auto contains_it = [port](const PortRange& range) { return range.contains(port); };
  return std::ranges::any_of(rules_.ports, contains_it) || std::ranges::any_of(rules_.not_ports, contains_it);
}

std::vector<std::string> Selection::plain_executables() const {
  std::vector<std::string> plain;
  if (!not_exe_.empty()) return plain;
  for (const Glob& glob : exe_)
    if (glob.is_literal()) plain.push_back(glob.pattern());
  return plain;
}

bool Selection::needs_scan() const { return !exe_.empty() || !rules_.ports.empty() || !cgroups_.empty() || !container_ids_.empty(); }

base::Result<std::string> Selection::unique_container(const std::string& prefix, std::span<const std::string> ids) {
  const std::string_view wanted = without_scheme(prefix);
  std::set<std::string_view> candidates;
  for (const std::string& id : ids) {
    if (id.starts_with(wanted)) candidates.insert(id);
  }
  if (candidates.empty()) return std::string();
  if (candidates.size() == 1) return std::string(*candidates.begin());
  static constexpr size_t kShown = 10;
  std::string list;
  size_t shown = 0;
  for (const std::string_view id : candidates) {
    if (shown++ == kShown) break;
    list.append(list.empty() ? "" : ", ").append(id.substr(0, std::max<size_t>(12, wanted.size() + 4)));
  }
  if (candidates.size() > kShown) list.append(", …");
  return base::fail(fmt::format("--container {}: {} containers begin with that: {}", prefix, candidates.size(), list));
}

void Selection::pin_container(const std::string& prefix, const std::string& id) {
  for (size_t i = 0; i < container_ids_.size(); ++i) {
    if (rules_.containers[i] == prefix) container_ids_[i] = id;
  }
}

}  // namespace clew::discovery
