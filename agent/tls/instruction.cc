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

bool is_register(const ZydisDecodedOperand& operand, ZydisRegister which) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER && operand.reg.value == which;
}

}  // namespace

std::optional<Instruction> decode(std::span<const uint8_t> code, uint64_t address) {
  ZydisDecodedInstruction found;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  if (code.empty() || !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder(), code.data(), code.size(), &found, operands.data())))
    return std::nullopt;
  Instruction result;
  result.length = found.length;
  result.flow = flow_of(found);
  for (size_t i = 0; i < found.operand_count; ++i)
    if (operands[i].type == ZYDIS_OPERAND_TYPE_REGISTER && (operands[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) != 0)
      result.writes |= bit_of(operands[i].reg.value);
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
