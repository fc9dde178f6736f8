// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/probe_place.h"

namespace clew::tls {
namespace {

using Flow = Instruction::Flow;

constexpr size_t kStraightMax = 16;  // instructions
constexpr size_t kForwardMax = 40;

// Is there a jump to somewhere in (0, last] of the function? By a sweep over all of it: what is not code may look like one, which only
// makes it more careful.
bool is_jumped_into(std::span<const uint8_t> code, uint64_t address, size_t last) {
  if (last == 0) return false;
  for (size_t at = 0; at < code.size();) {
    const auto instruction = decode(code.subspan(at), address + at);
    if (!instruction) {
      ++at;
      continue;
    }
    if (instruction->target && instruction->flow != Flow::kCall && *instruction->target > address && *instruction->target <= address + last)
      return true;
    at += instruction->length;
  }
  return false;
}

}  // namespace

Place find_place(std::span<const uint8_t> code, uint64_t address, uint8_t intact) {
  size_t at = 0;
  for (size_t n = 0; n < kStraightMax && at < code.size(); ++n) {
    const auto instruction = decode(code.subspan(at), address + at);
    if (!instruction) break;
    if (instruction->emulated) {
      if (is_jumped_into(code, address, at)) break;
      return {.offset = at, .emulated = true};
    }
    if ((instruction->writes & intact) != 0 || instruction->flow != Flow::kNext) break;
    at += instruction->length;
  }
  return {};
}

std::optional<Forwarding> find_forwarding(std::span<const uint8_t> code, uint64_t address) {
  bool own_pointer = false;
  size_t at = 0;
  for (size_t n = 0; n < kForwardMax && at < code.size(); ++n) {
    const auto instruction = decode(code.subspan(at), address + at);
    if (!instruction) return std::nullopt;
    const bool hands_over = instruction->flow == Flow::kCall || instruction->flow == Flow::kJump;
    if (hands_over && instruction->target) return Forwarding{.target = *instruction->target, .own_pointer = own_pointer};
    if (hands_over || instruction->flow == Flow::kEnd) return std::nullopt;
    uint8_t writes = instruction->writes & (kRdi | kRsi | kRdx | kRcx);
    if (instruction->extends_edx) writes &= static_cast<uint8_t>(~kRdx);
    if (instruction->rcx_is_on_stack) {
      writes &= static_cast<uint8_t>(~kRcx);
      own_pointer = true;
    }
    if (writes != 0) return std::nullopt;
    at += instruction->length;
  }
  return std::nullopt;
}

}  // namespace clew::tls
