// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/live_settings.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "agent/sampling/probability.h"

namespace clew::commands {
namespace {

// What it needs to give requests the contexts that their spans will have.
base::Result<capture::InjectionSettings> injection_settings(const cli::TraceOptions& trace,
                                                            const std::vector<discovery::CgroupMount>& mounts, const TraceSettings& traces,
                                                            const correlation::Seed& seed) {
  const auto root = std::ranges::find_if(mounts, [](const auto& mount) { return mount.controllers.empty(); });
  if (root == mounts.end())
    return base::fail("injection needs the cgroup v2 hierarchy, which is mounted nowhere: mount -t cgroup2 none DIR");
  using Kind = sampling::SamplerSettings::Kind;
  const sampling::SamplerSettings& sampler = traces.sampler;
  const auto& propagators = traces.propagators;
  const auto w3c = std::ranges::find(propagators, correlation::propagation::Propagator::kTraceContext);
  capture::InjectionSettings settings;
  settings.seed = seed.key;
  settings.header = trace.inject_header;
  settings.tcp_option = trace.inject_tcp_option;
  settings.sampling_threshold =
      sampler.kind == Kind::kAlwaysOn ? 0 : sampling::threshold_of(sampler.kind == Kind::kAlwaysOff ? 0 : sampler.ratio);
  settings.sampling_by_parent = sampler.parent_based;
  settings.sampling_by_state = !sampler.parent_based && sampler.kind == Kind::kTraceIdRatio;
  settings.reads_traceparent = w3c == propagators.end() ? 0 : w3c == propagators.begin() ? 2 : 1;
  for (const auto propagator : propagators)
    if (propagator != correlation::propagation::Propagator::kTraceContext)
      settings.reads_forms = static_cast<uint8_t>(settings.reads_forms | 1U << static_cast<unsigned>(propagator));
  settings.cgroup_directory = root->mount_point;
  return settings;
}

}  // namespace

discovery::SelectionRules rules_of(const cli::SelectOptions& select) {
  const auto ranges = [](const std::vector<cli::PortRange>& in) {
    std::vector<discovery::PortRange> out;
    for (const cli::PortRange& range : in) out.push_back({range.first, range.last});
    return out;
  };
  discovery::SelectionRules rules;
  rules.process_ids = select.process_ids;
  rules.exe_globs = select.exe_globs;
  rules.ports = ranges(select.ports);
  rules.cgroups = select.cgroups;
  rules.containers = select.containers;
  rules.not_exe_globs = select.not_exe_globs;
  rules.not_ports = ranges(select.not_ports);
  rules.never_process_ids = {static_cast<uint32_t>(getpid())};
  return rules;
}

std::string selection_text(const cli::SelectOptions& select) {
  std::vector<std::string> words;
  for (const uint32_t id : select.process_ids) words.push_back(fmt::format("--pid {}", id));
  for (const std::string& glob : select.exe_globs) words.push_back("--exe " + glob);
  for (const cli::PortRange& range : select.ports)
    words.push_back("--port " + discovery::to_string(discovery::PortRange{range.first, range.last}));
  for (const std::string& path : select.cgroups) words.push_back("--cgroup " + path);
  for (const std::string& id : select.containers) words.push_back("--container " + id);
  if (!select.command.empty()) words.push_back(fmt::format("-- {}", fmt::join(select.command, " ")));
  return fmt::format("{}", fmt::join(words, " "));
}

base::Result<capture::KernelSettings> kernel_settings(const cli::Options& options, const cli::EnvironmentLookup& environment,
                                                      const discovery::Selection& selection,
                                                      const std::vector<discovery::CgroupMount>& mounts, const TraceSettings& traces,
                                                      const correlation::Seed& seed) {
  const cli::TraceOptions& trace = options.trace;
  const char* const backend = environment ? environment("CLEW_BACKEND") : nullptr;
  capture::KernelSettings settings;
  settings.watch_exec = selection.waits_for_processes();
  settings.executables = selection.plain_executables();
  settings.watch_cgroup = !trace.select.cgroups.empty() || !trace.select.containers.empty();
  settings.force_sys_exit = backend != nullptr && std::string_view(backend) == "sys_exit";
  for (const cli::PortRange& range : trace.select.ports) settings.listen_ports.emplace_back(range.first, range.last);
  if (!trace.inject) return settings;
  auto injection = injection_settings(trace, mounts, traces, seed);
  if (!injection) return std::unexpected(std::move(injection).error());
  settings.inject = std::move(*injection);
  return settings;
}

}  // namespace clew::commands
