// SPDX-License-Identifier: Apache-2.0
// One machine instruction of x86-64, as far as a probe's place depends on it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace clew::tls {

/// The registers that carry a C function's first four arguments, and the stack pointer, as bits.
enum Register : uint8_t { kRdi = 1, kRsi = 2, kRdx = 4, kRcx = 8, kRsp = 16 };

struct Instruction {
  enum class Flow : uint8_t { kNext, kCall, kJump, kBranch, kEnd };  // kEnd: returns, traps, or goes where only a register says
  uint8_t length = 0;
  Flow flow = Flow::kNext;
  /// The kernel does it itself when a probe sits on it (some 0.5 µs); others it lets the processor do out of line, by single step (10 µs
  /// in a virtual machine). Source: arch/x86/kernel/uprobes.c, branch_setup_xol_ops and push_setup_xol_ops, since 4.14.
  bool emulated = false;
  uint8_t writes = 0;              // bits of Register
  std::optional<uint64_t> target;  // address, of a direct call, jump or branch
  bool extends_edx = false;        // movslq %edx,%rdx; mov %edx,%edx: the same number in 64 bits
  bool rcx_is_on_stack = false;    // mov %rsp,%rcx; lea n(%rsp),%rcx

  /// All general registers that it writes, as bits by their numbers in machine code (rax 0, rcx 1, … r15 15).
  uint16_t changes = 0;
  /// mov between registers, or of a constant into one; xor with itself; lea of an address of the program. `to` has all of it afterwards.
  struct Copy {
    uint8_t to = 0;
    std::optional<uint8_t> from;
    uint64_t value = 0;    // without `from`
    bool is_half = false;  // of 32 bits, the others are 0
  };
  std::optional<Copy> copy;
  bool is_pop = false;
  std::optional<int64_t> moves_stack;  // push, pop, add and sub: how much the stack pointer grows; nothing: not, or nobody knows how much
  /// mov of 8 bytes between a register and n(%rsp); push and pop of a register: n is 0, below what a push has moved, above a pop has not.
  struct OnStack {
    uint8_t number = 0;  // of the register
    int64_t offset = 0;
    bool is_store = false;
  };
  std::optional<OnStack> on_stack;
  bool writes_stack = false;  // in another way: it may be any word of the function's
};

/// The instruction at the beginning of `code`, which lies at `address`. Nothing: not one, or cut off.
std::optional<Instruction> decode(std::span<const uint8_t> code, uint64_t address);

}  // namespace clew::tls
