// SPDX-License-Identifier: Apache-2.0
// One span, one line: time, service, direction, status, duration, sizes, what, with whom.
#pragma once

#include <string>

#include "exporter/console/console.h"
#include "exporter/console/summary.h"

namespace clew::exporter::console {

/// With its line end. Cut to the width if the style says so.
std::string format_line(const Summary& span, const Style& style);

}  // namespace clew::exporter::console
