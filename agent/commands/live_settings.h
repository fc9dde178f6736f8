// SPDX-License-Identifier: Apache-2.0
// The options of `clew trace` as the parts of it want them: whom to select, what the kernel side is to do.
#pragma once

#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/capture/kernel_source.h"
#include "agent/cli/environment.h"
#include "agent/cli/options.h"
#include "agent/commands/pipeline.h"
#include "agent/correlation/ids.h"
#include "agent/discovery/cgroup_mounts.h"
#include "agent/discovery/selection.h"

namespace clew::commands {

/// Never clew itself.
discovery::SelectionRules rules_of(const cli::SelectOptions& select);
/// The same in words, for `clew status`.
std::string selection_text(const cli::SelectOptions& select);

/// An error: this machine lacks what injection needs.
base::Result<capture::KernelSettings> kernel_settings(const cli::Options& options, const cli::EnvironmentLookup& environment,
                                                      const discovery::Selection& selection,
                                                      const std::vector<discovery::CgroupMount>& mounts, const TraceSettings& traces,
                                                      const correlation::Seed& seed);

}  // namespace clew::commands
