// SPDX-License-Identifier: Apache-2.0
// Where a process's runtime keeps what names its executions, so that the kernel side can read it (bpf/execution).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/proc_fs.h"
#include "agent/discovery/runtime.h"

namespace clew::runtime {

/// A probe in the process that the layout needs; the kernel side has a program of that name for it.
struct Probe {
  std::string program;
  std::string file;  // to open the probed file by
  uint64_t offset = 0;
  bool at_return = false;
};

struct Layout {
  uint32_t runtime = 0;              // enum clew_runtime; 0: its executions are not read
  std::array<uint64_t, 8> values{};  // struct clew_runtime_layout, by the runtime's own file there
  std::string description;           // for `clew explain`: "go1.24.4, goroutines at offset 160"; or why there is none
  std::vector<Probe> probes{};       // without them `values` are of no use
  bool not_yet = false;              // none now; perhaps when the program has started: worth another look
};

/// What can be read of the process. Never a guess: what is not certain is left out, and `description` says why.
/// May read a few MiB of files and of the process's memory: call once for each program.
Layout find_layout(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
