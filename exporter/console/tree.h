// SPDX-License-Identifier: Apache-2.0
// One trace as a waterfall: a row per span under its parent, with a bar where it lies in the trace's time.
#pragma once

#include <string>

#include "exporter/console/console.h"
#include "exporter/console/traces.h"

namespace clew::exporter::console {

/// Rows with line ends. Spans whose parent is not there are shown at the top level, marked. Spans that name each other as parent
/// are shown too. Depth is bounded: deeper spans are drawn at the deepest level.
std::string format_tree(const Trace& trace, const Style& style);

}  // namespace clew::exporter::console
