// SPDX-License-Identifier: Apache-2.0
// `clew replay`: spans from recordings and packet captures. Needs no privilege.
#pragma once

#include "agent/cli/options.h"
#include "agent/commands/log.h"

namespace clew::commands {

/// Returns the exit status of the program.
int replay(const cli::Options& options, const cli::EnvironmentLookup& environment, const Messages& messages);

}  // namespace clew::commands
