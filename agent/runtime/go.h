// SPDX-License-Identifier: Apache-2.0
// Go: where its goroutines keep their ids, by version; where net/http's client can be asked who wants a request.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "agent/discovery/elf_file.h"
#include "agent/runtime/go_functions.h"
#include "agent/runtime/layout.h"

namespace clew::runtime {

/// Offsets in bytes, and a number; they hold for all patch releases of a version.
struct GoOffsets {
  unsigned minor;         // of Go 1.minor
  uint64_t goid;          // in runtime.g
  uint64_t parent_goid;   // in runtime.g; 0: not there
  uint64_t m_p;           // of p in runtime.m
  uint64_t goid_cache;    // in runtime.p
  uint64_t chan_receive;  // runtime.waitReasonChanReceive
};

/// By what .go.buildinfo says ("go1.24.4", "go1.22.1 X:boringcrypto"); none for versions that are not known, previews and development
/// builds.
std::optional<GoOffsets> go_offsets(std::string_view version);

/// From the function's entry to an instruction behind the check of the stack's size where the arguments are untouched, and which the kernel
/// can emulate: `push %rbp`, else the check's jump. None if these are not the first bytes of a Go function.
std::optional<size_t> go_probe_offset(std::span<const uint8_t> code);

/// The address of runtime.sched.goidgen, from the code of runtime.newproc1 at `address`, which takes 16 ids from it.
std::optional<uint64_t> go_id_counter(std::span<const uint8_t> code, uint64_t address);

Layout go_layout(const discovery::ProcFs& proc, uint32_t process_id, const std::string& version);

}  // namespace clew::runtime
