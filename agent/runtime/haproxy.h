// SPDX-License-Identifier: Apache-2.0
// HAProxy 2.2 and later: by which steps one comes from a connection to a server to the client whose request it serves.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/discovery/proc_fs.h"
#include "agent/runtime/layout.h"

namespace clew::runtime {

/// Offsets in bytes; all others have been the same in all these versions (bpf/execution/haproxy.bpf.h), which proves each step as well: a
/// build that differs gives no parents, not wrong ones.
struct HaproxyOffsets {
  uint64_t h1s = 0;      // in struct h1c
  uint64_t session = 0;  // of sess in struct h1s
  bool operator==(const HaproxyOffsets&) const = default;
};

/// By its version as the program has it ("2.6.12-1+deb12u4", "3.5-dev5"); none for those before 2.2 and after 3.5.
std::optional<HaproxyOffsets> haproxy_offsets(std::string_view version);

/// `values`: {address of fdtab, offsets}.
Layout haproxy_layout(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
