// SPDX-License-Identifier: Apache-2.0
// Where in a function a probe sees its arguments as its caller gave them, and costs least.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "agent/tls/instruction.h"

namespace clew::tls {

struct Place {
  size_t offset = 0;      // of the instruction in the function
  bool emulated = false;  // by the kernel; else it is single-stepped
};

/// `code`: of the whole function, at `address`. `intact`: registers that must hold what they held at the entry; with kRsp also the return
/// address is where a return probe looks for it. The first emulated instruction that is reached from the entry in a straight line, passed
/// once in each call, before any of these is written; else the entry, which is always right. Looks at some 16 instructions, and at all for
/// jumps into them.
Place find_place(std::span<const uint8_t> code, uint64_t address, uint8_t intact);

/// The function that this one, called with (session, buffer, size[, pointer to size]), hands its arguments to first of all: unchanged but
/// for a size that is widened to 64 bits.
struct Forwarding {
  uint64_t target = 0;
  bool own_pointer = false;  // the fourth argument is the caller's own variable; else it is passed on, too
};
std::optional<Forwarding> find_forwarding(std::span<const uint8_t> code, uint64_t address);

}  // namespace clew::tls
