// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/layout.h"

#include <fmt/format.h>

#include "agent/runtime/node.h"

namespace clew::runtime {

Layout find_layout(const discovery::ProcFs& proc, uint32_t process_id) {
  const auto executable = discovery::inspect_executable(fmt::format("{}/{}/exe", proc.root, process_id));
  if (!executable) return {.description = executable.error().message};
  switch (executable->runtime) {
    case discovery::Executable::Runtime::kNode: return node_layout(proc, process_id);
    default: return {.description = fmt::format("{}: by threads", discovery::name_of(executable->runtime))};
  }
}

}  // namespace clew::runtime
