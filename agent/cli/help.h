// SPDX-License-Identifier: Apache-2.0
// The texts of `clew --help` and `clew COMMAND --help`: examples first, at most 80 columns.
#pragma once

#include <string_view>

#include "agent/cli/options.h"

namespace clew::cli {

/// Ends in a newline. kHelp and kVersion give the overview.
std::string_view help_text(Command command);

extern const std::string_view kHelpOverview;
extern const std::string_view kHelpTrace;
extern const std::string_view kHelpReplay;
extern const std::string_view kHelpAgent;
extern const std::string_view kHelpDoctor;
extern const std::string_view kHelpStatus;
extern const std::string_view kHelpExplain;

/// Said when `clew trace` is given nothing to select.
extern const std::string_view kNothingSelected;

}  // namespace clew::cli
