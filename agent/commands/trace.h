// SPDX-License-Identifier: Apache-2.0
// `clew trace`: follow chosen processes in the foreground.
#pragma once

#include "agent/cli/options.h"
#include "agent/commands/log.h"

namespace clew::commands {

/// Returns the exit status of the program.
int trace(const cli::Options& options, const cli::EnvironmentLookup& environment, const Messages& messages);

}  // namespace clew::commands
