// SPDX-License-Identifier: Apache-2.0
// `clew doctor` and `clew status`: what this machine allows, and what the clews that run here say.
#pragma once

#include "agent/cli/options.h"

namespace clew::commands {

/// Both return the exit status of the program.
int doctor(bool json, const cli::EnvironmentLookup& environment);
int status(bool json, const cli::EnvironmentLookup& environment);

}  // namespace clew::commands
