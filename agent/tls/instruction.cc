// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/instruction.h"

#include <Zydis/Zydis.h>

#include <algorithm>
#include <array>

namespace clew::tls {
namespace {

const ZydisDecoder& decoder() {
  static const ZydisDecoder instance = [] {
    ZydisDecoder made;
    ZydisDecoderInit(&made, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return made;
  }();
  return instance;
}

uint8_t bit_of(ZydisRegister which) {
  switch (ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, which)) {
    case ZYDIS_REGISTER_RDI: return kRdi;
    case ZYDIS_REGISTER_RSI: return kRsi;
    case ZYDIS_REGISTER_RDX: return kRdx;
    case ZYDIS_REGISTER_RCX: return kRcx;
    case ZYDIS_REGISTER_RSP: return kRsp;
    default: return 0;
  }
}

bool is_push_of_register(std::span<const uint8_t> code, size_t length) {
  const auto is_short = [](uint8_t opcode) { return opcode >= 0x50 && opcode <= 0x57; };
  return (length == 1 && is_short(code[0])) || (length == 2 && code[0] == 0x41 && is_short(code[1]));
}

Instruction::Flow flow_of(const ZydisDecodedInstruction& instruction) {
  using Flow = Instruction::Flow;
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL: return Flow::kCall;
    case ZYDIS_CATEGORY_UNCOND_BR: return Flow::kJump;
    case ZYDIS_CATEGORY_COND_BR: return Flow::kBranch;
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSTEM: return Flow::kEnd;
    default: return instruction.mnemonic == ZYDIS_MNEMONIC_UD2 ? Flow::kEnd : Flow::kNext;
  }
}

// In machine code; nothing: it is not a general one.
std::optional<uint8_t> number_of(ZydisRegister which) {
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, which);
  if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64) return std::nullopt;
  return static_cast<uint8_t>(ZydisRegisterGetId(whole));
}

using Operands = std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT>;

std::optional<Instruction::Copy> copy_of(const ZydisDecodedInstruction& instruction, const Operands& operands, uint64_t address) {
  const ZydisDecodedOperand& to = operands[0];
  const ZydisDecodedOperand& from = operands[1];
  if (instruction.operand_count < 2 || to.type != ZYDIS_OPERAND_TYPE_REGISTER || (to.size != 32 && to.size != 64)) return std::nullopt;
  const auto number = number_of(to.reg.value);
  if (!number) return std::nullopt;
  Instruction::Copy copy{.to = *number, .from = std::nullopt, .value = 0, .is_half = to.size == 32};
  const bool of_register = from.type == ZYDIS_OPERAND_TYPE_REGISTER;
  if (instruction.mnemonic == ZYDIS_MNEMONIC_XOR && of_register && from.reg.value == to.reg.value) return copy;
  if (instruction.mnemonic == ZYDIS_MNEMONIC_LEA && from.mem.base == ZYDIS_REGISTER_RIP) {
    ZyanU64 found = 0;
    if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&instruction, &from, address, &found))) return std::nullopt;
    copy.value = found;
    return copy;
  }
  if (instruction.mnemonic != ZYDIS_MNEMONIC_MOV) return std::nullopt;
  if (from.type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
    copy.value = copy.is_half ? static_cast<uint32_t>(from.imm.value.u) : from.imm.value.u;
    return copy;
  }
  copy.from = of_register ? number_of(from.reg.value) : std::nullopt;
  return copy.from ? std::optional(copy) : std::nullopt;
}

std::optional<int64_t> moves_stack_by(const ZydisDecodedInstruction& instruction, const Operands& operands) {
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH: return -8;
    case ZYDIS_MNEMONIC_POP: return 8;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB: {
      const bool by_number = operands[0].type == ZYDIS_OPERAND_TYPE_REGISTER && operands[0].reg.value == ZYDIS_REGISTER_RSP &&
                             operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
      if (!by_number) return std::nullopt;
      return instruction.mnemonic == ZYDIS_MNEMONIC_ADD ? operands[1].imm.value.s : -operands[1].imm.value.s;
    }
    default: return std::nullopt;
  }
}

bool is_on_stack(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_MEMORY && operand.mem.base == ZYDIS_REGISTER_RSP && operand.mem.index == ZYDIS_REGISTER_NONE;
}

std::optional<Instruction::OnStack> on_stack_by(const ZydisDecodedInstruction& instruction, const Operands& operands) {
  const bool pushes = instruction.mnemonic == ZYDIS_MNEMONIC_PUSH;
  const bool pops = instruction.mnemonic == ZYDIS_MNEMONIC_POP;
  if (!pushes && !pops && instruction.mnemonic != ZYDIS_MNEMONIC_MOV) return std::nullopt;
  const bool stores = pushes || (!pops && is_on_stack(operands[0]));
  if (!stores && !pops && !is_on_stack(operands[1])) return std::nullopt;
  const ZydisDecodedOperand& held = operands[stores && !pushes ? 1 : 0];
  if (held.type != ZYDIS_OPERAND_TYPE_REGISTER || held.size != 64) return std::nullopt;
  const auto number = number_of(held.reg.value);
  if (!number) return std::nullopt;
  const int64_t offset = pushes || pops ? 0 : operands[stores ? 0 : 1].mem.disp.value;
  return Instruction::OnStack{.number = *number, .offset = offset, .is_store = stores};
}

bool is_register(const ZydisDecodedOperand& operand, ZydisRegister which) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == which;
}

}  // namespace

std::optional<Instruction> decode(std::span<const uint8_t> code, uint64_t address) {
  ZydisDecodedInstruction found;
  Operands operands;
  if (code.empty() || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder(), code.data(), code.size(), &found, operands.data())))
    return std::nullopt;
  Instruction result;
  result.length = found.length;
  result.on_stack = on_stack_by(found, operands);
  result.flow = flow_of(found);
  for (size_t i = 0; i < found.operand_count; ++i) {
    if ((operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) continue;
    if (operands[i].type == ZYDIS_OPERAND_TYPE_MEMORY && operands[i].visibility == ZYDIS_OPERAND_VISIBILITY_EXPLICIT && !result.on_stack)
      result.writes_stack |= operands[i].mem.base == ZYDIS_REGISTER_RBP || operands[i].mem.base == ZYDIS_REGISTER_RSP;
    if (operands[i].type != ZYDIS_OPERAND_TYPE_REGISTER) continue;
    result.writes |= bit_of(operands[i].reg.value);
    if (const auto number = number_of(operands[i].reg.value)) result.changes |= static_cast<uint16_t>(1U << *number);
  }
  result.copy = copy_of(found, operands, address);
  result.is_pop = found.mnemonic == ZYDIS_MNEMONIC_POP;
  result.moves_stack = moves_stack_by(found, operands);
  const bool direct =
      result.flow != Instruction::Flow::kNext && found.operand_count > 0 && operands[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
  ZyanU64 target = 0;
  if (direct && ZYAN_SUCCESS(ZydisCalcAbsoluteAddress(&found, operands.data(), address, &target))) result.target = target;
  const bool short_operand = (found.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0;
  const bool conditional = found.mnemonic != ZYDIS_MNEMONIC_LOOP && found.mnemonic != ZYDIS_MNEMONIC_LOOPE &&
                           found.mnemonic != ZYDIS_MNEMONIC_LOOPNE && found.mnemonic != ZYDIS_MNEMONIC_JRCXZ &&
                           found.mnemonic != ZYDIS_MNEMONIC_JECXZ;
  result.emulated =
      (result.target && !short_operand && conditional) || is_push_of_register(code, found.length) || (found.length == 1 && code[0] == 0x90);
  if (found.mnemonic == ZYDIS_MNEMONIC_MOVSXD || found.mnemonic == ZYDIS_MNEMONIC_MOV)
    result.extends_edx = is_register(operands[1], ZYDIS_REGISTER_EDX) &&
                         (is_register(operands[0], ZYDIS_REGISTER_RDX) || is_register(operands[0], ZYDIS_REGISTER_EDX));
  if (found.mnemonic == ZYDIS_MNEMONIC_MOV)
    result.rcx_is_on_stack = is_register(operands[0], ZYDIS_REGISTER_RCX) && is_register(operands[1], ZYDIS_REGISTER_RSP);
  if (found.mnemonic == ZYDIS_MNEMONIC_LEA)
    result.rcx_is_on_stack = is_register(operands[0], ZYDIS_REGISTER_RCX) && operands[1].type == ZYDIS_OPERAND_TYPE_MEMORY &&
                             operands[1].mem.base == ZYDIS_REGISTER_RSP && operands[1].mem.index == ZYDIS_REGISTER_NONE;
  return result;
}

}  // namespace clew::tls
