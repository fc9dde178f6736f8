// SPDX-License-Identifier: Apache-2.0
// One pass over /proc when clew starts: which of the running processes are selected, and which rules match nothing yet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/process_info.h"
#include "agent/discovery/selection.h"

namespace clew::discovery {

struct ScanMatch {
  ProcessInfo process;  // the fields that the rules needed, no more
  std::vector<uint16_t> listening_ports;
  Verdict verdict;
};

struct ScanResult {
  std::vector<ScanMatch> selected;
  std::vector<ScanMatch> excluded;     // matched a rule, then an exclusion: said, so that nobody wonders
  std::vector<std::string> unmatched;  // options that match nothing yet: "--exe nginx"; to be said, then waited for
  uint32_t examined = 0;
  uint32_t vanished = 0;  // ended while we looked
};

/// Finds the processes that are selected now. Reads only what the rules need; with --pid and COMMAND alone it does not list /proc.
/// A prefix of --container that fits one container is pinned in `selection`. An Error: --pid of no process, an ambiguous prefix, or an
/// unreadable /proc.
base::Result<ScanResult> scan(const ProcFs& proc, Selection& selection);

}  // namespace clew::discovery
