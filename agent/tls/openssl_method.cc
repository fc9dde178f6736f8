// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/openssl_method.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "agent/discovery/loaded_words.h"
#include "agent/tls/instruction.h"
#include "agent/tls/symbols.h"

namespace clew::tls {
namespace {

using discovery::ElfFile;
using Flow = Instruction::Flow;

constexpr size_t kStepsMax = 1024;        // on the ways from a function's beginning to its call
constexpr size_t kInstructionsMax = 512;  // of the function for reading: those of Debian 12 and Node.js 20 have some 80
constexpr size_t kInstructionBytes = 15;
constexpr size_t kMethodWords = 20;  // of struct ssl_method_st: all functions that move data are among them
constexpr uint64_t kApplicationData = 23;
constexpr uint16_t kCallersOwn = 1 << 3 | 1 << 5 | 1 << 12 | 1 << 13 | 1 << 14 | 1 << 15;  // what a called function leaves alone
enum Number : uint8_t { kAx = 0, kCx = 1, kDx = 2, kSp = 4, kSi = 6, kDi = 7, kR8 = 8, kR9 = 9 };

std::optional<Instruction> instruction_at(const ElfFile& file, uint64_t address) {
  return decode(code_at(file, address, kInstructionBytes), address);
}

/// What is known of a register: an argument of the function, or a number.
struct Value {
  enum class Kind : uint8_t { kUnknown, kArgument, kNumber } kind = Kind::kUnknown;
  uint64_t number = 0;
  bool operator==(const Value&) const = default;
};
constexpr Value argument(uint64_t number) { return {.kind = Value::Kind::kArgument, .number = number}; }
constexpr Value constant(uint64_t number) { return {.kind = Value::Kind::kNumber, .number = number}; }

struct State {
  uint64_t at = 0;
  std::array<Value, 16> registers{};
  int64_t stack = 0;               // how much the stack pointer has grown since the function's beginning
  std::map<int64_t, Value> slots;  // words of the stack, counted from there

  Value top() const {
    const auto found = slots.find(stack);
    return found == slots.end() ? Value{} : found->second;
  }
};

// The stack's words are those of the function: what it has put there with a register stays until it puts something else there.
void apply_to_stack(const Instruction& instruction, const std::array<Value, 16>& before, State& state) {
  const bool moves_unknown = (instruction.changes >> kSp & 1) != 0 && instruction.flow != Flow::kCall && !instruction.moves_stack;
  if (moves_unknown || instruction.writes_stack) state.slots.clear();
  if (instruction.moves_stack && !instruction.is_pop) state.stack += *instruction.moves_stack;
  if (instruction.is_pop || (instruction.on_stack && !instruction.on_stack->is_store)) {
    const int64_t from = state.stack + (instruction.on_stack ? instruction.on_stack->offset : 0);
    const auto found = state.slots.find(from);
    if (instruction.on_stack) state.registers[instruction.on_stack->number] = found == state.slots.end() ? Value{} : found->second;
  } else if (instruction.on_stack) {
    state.slots[state.stack + instruction.on_stack->offset] = before[instruction.on_stack->number];
  } else if (instruction.moves_stack && *instruction.moves_stack < 0) {
    state.slots.erase(state.stack);  // a push of something else
  }
  if (instruction.is_pop) state.stack += 8;
}

void apply(const Instruction& instruction, State& state) {
  const std::array<Value, 16> before = state.registers;
  uint16_t lost = instruction.changes;
  if (instruction.flow == Flow::kCall) lost |= static_cast<uint16_t>(~kCallersOwn & ~(1U << kSp));
  for (size_t i = 0; i < before.size(); ++i)
    if ((lost >> i & 1) != 0) state.registers[i] = {};
  apply_to_stack(instruction, before, state);
  if (!instruction.copy) return;
  const Instruction::Copy& copy = *instruction.copy;
  const Value value = copy.from ? before[*copy.from] : constant(copy.value);
  if (!copy.is_half || (value.kind == Value::Kind::kNumber && value.number <= UINT32_MAX)) state.registers[copy.to] = value;
}

/// Where a function (session, buffer, size, moved_at) hands over application data, and the registers before that.
struct Call {
  uint64_t address = 0;
  bool writes = false;
  uint64_t peek = 0;
  std::array<Value, 16> registers{};
};

/// ssl_read_bytes(session, 23, NULL, buffer, size, peek, moved_at), ssl_write_bytes(session, 23, buffer, size, moved_at)
std::optional<Call> call_of(const State& state) {
  const auto& r = state.registers;
  if (r[kDi] != argument(0) || r[kSi] != constant(kApplicationData)) return std::nullopt;
  if (r[kDx] == argument(1) && r[kCx] == argument(2) && r[kR8] == argument(3))
    return Call{.address = state.at, .writes = true, .peek = 0, .registers = r};
  const bool reads = r[kDx] == constant(0) && r[kCx] == argument(1) && r[kR8] == argument(2) && r[kR9].kind == Value::Kind::kNumber &&
                     state.top() == argument(3);
  return reads ? std::optional(Call{.address = state.at, .writes = false, .peek = r[kR9].number, .registers = r}) : std::nullopt;
}

/// The first such call that a function comes to, on the way without branches if there is one there.
std::optional<Call> find_call(const ElfFile& file, uint64_t function) {
  State start;
  start.at = function;
  for (const auto& [number, which] : {std::pair{0, kDi}, {1, kSi}, {2, kDx}, {3, kCx}})
    start.registers[which] = argument(static_cast<uint64_t>(number));
  std::vector<State> open{start};
  std::set<uint64_t> seen;
  while (!open.empty() && seen.size() < kStepsMax) {
    State state = open.back();
    open.pop_back();
    while (seen.size() < kStepsMax && seen.insert(state.at).second) {
      const auto instruction = instruction_at(file, state.at);
      if (!instruction || instruction->flow == Flow::kEnd) break;
      const bool hands_over = instruction->flow == Flow::kCall || instruction->flow == Flow::kJump;
      if (hands_over && !instruction->target)
        if (const auto call = call_of(state)) return call;
      if (instruction->flow == Flow::kJump && !instruction->target) break;
      apply(*instruction, state);
      if (instruction->flow == Flow::kBranch && instruction->target) {
        open.push_back(state);
        open.back().at = *instruction->target;
      }
      state.at = instruction->flow == Flow::kJump ? *instruction->target : state.at + instruction->length;
    }
  }
  return std::nullopt;
}

/// All instructions that a function may come to.
class Flowchart {
 public:
  Flowchart(const ElfFile& file, uint64_t function) {
    std::vector<uint64_t> open{function};
    while (!open.empty() && whole_) {
      const uint64_t at = open.back();
      open.pop_back();
      if (instructions_.contains(at)) continue;
      const auto instruction = instruction_at(file, at);
      whole_ = instruction && instructions_.size() < kInstructionsMax;
      if (!whole_) break;
      instructions_.emplace(at, *instruction);
      for (const uint64_t next : after(at)) {
        ++ways_to_[next];
        open.push_back(next);
      }
    }
  }

  bool is_whole() const { return whole_; }
  const std::map<uint64_t, Instruction>& instructions() const { return instructions_; }
  /// From how many instructions it is come to.
  size_t ways_to(uint64_t address) const {
    const auto found = ways_to_.find(address);
    return found == ways_to_.end() ? 0 : found->second;
  }
  std::vector<uint64_t> after(uint64_t at) const {
    const Instruction& instruction = instructions_.at(at);
    std::vector<uint64_t> next;
    if (instruction.flow != Flow::kEnd && instruction.flow != Flow::kJump) next.push_back(at + instruction.length);
    if ((instruction.flow == Flow::kBranch || instruction.flow == Flow::kJump) && instruction.target) next.push_back(*instruction.target);
    return next;
  }
  /// Is there a way from one to another that does not pass the third?
  bool leads(uint64_t from, uint64_t to, std::optional<uint64_t> around = std::nullopt) const {
    std::vector<uint64_t> open{from};
    std::set<uint64_t> seen;
    while (!open.empty()) {
      const uint64_t at = open.back();
      open.pop_back();
      if (at == around || !seen.insert(at).second) continue;
      if (at == to) return true;
      std::ranges::copy(after(at), std::back_inserter(open));
    }
    return false;
  }

 private:
  std::map<uint64_t, Instruction> instructions_;
  std::map<uint64_t, size_t> ways_to_;
  bool whole_ = true;
};

/// Behind each call whose target only a register says: the first emulated instruction, if eax is as the call has left it and nobody jumps
/// in between. Empty: one has none.
std::vector<uint64_t> places_behind_calls(const Flowchart& chart) {
  std::vector<uint64_t> places;
  for (const auto& [address, called] : chart.instructions()) {
    if (called.flow != Flow::kCall || called.target) continue;
    uint64_t at = address + called.length;
    for (;;) {
      const Instruction& instruction = chart.instructions().at(at);
      if (chart.ways_to(at) != 1) return {};
      if (instruction.emulated) break;
      if ((instruction.changes >> kAx & 1) != 0 || instruction.flow != Flow::kNext) return {};
      at += instruction.length;
    }
    places.push_back(at);
  }
  return places;
}

/// Is that register written by one instruction only, which every way to the places passes with the same value?
bool is_kept(const Flowchart& chart, uint64_t function, uint8_t number, const std::vector<uint64_t>& places) {
  std::optional<uint64_t> written;
  for (const auto& [address, instruction] : chart.instructions()) {
    if ((instruction.changes >> number & 1) == 0) continue;
    const bool matters = std::ranges::any_of(places, [&](uint64_t place) { return chart.leads(address, place); });
    if (!matters) continue;
    if (written || instruction.is_pop) return false;
    written = address;
  }
  if (!written || std::ranges::any_of(places, [&](uint64_t place) { return chart.leads(function, place, written); })) return false;
  // nobody else comes to where it is written: so it is with the values of the way that was followed
  for (uint64_t at = function; at != *written;) {
    const Instruction& instruction = chart.instructions().at(at);
    if (instruction.flow == Flow::kEnd || (instruction.flow == Flow::kJump && !instruction.target)) return false;
    at = instruction.flow == Flow::kJump ? *instruction.target : at + instruction.length;
    if (chart.ways_to(at) != 1) return false;
  }
  return true;
}

std::optional<uint8_t> find_kept(const Flowchart& chart, uint64_t function, const std::vector<uint64_t>& places,
                                 const std::function<bool(size_t)>& is_it) {
  for (uint8_t i = 0; i < 16; ++i)
    if ((kCallersOwn >> i & 1) != 0 && is_it(i) && is_kept(chart, function, i, places)) return i;
  return std::nullopt;
}

/// The address that TLS_method() and its like return: that of their table of functions.
std::optional<uint64_t> method_table(const ElfFile& file) {
  static constexpr std::array<std::string_view, 3> kNames = {"TLS_method", "TLS_server_method", "TLS_client_method"};
  std::optional<uint64_t> function;
  for (const uint32_t type : {SHT_DYNSYM, SHT_SYMTAB}) {
    if (function) break;
    for_each_symbol(file, type, [&](std::string_view name, const GElf_Sym& symbol) {
      if (is_function(symbol) && std::ranges::find(kNames, name) != kNames.end()) function = symbol.st_value;
    });
  }
  State state;
  state.at = function.value_or(0);
  for (size_t i = 0; function && i < 8; ++i) {
    const auto instruction = instruction_at(file, state.at);
    if (!instruction) break;
    if (instruction->flow == Flow::kEnd)
      return state.registers[kAx].kind == Value::Kind::kNumber ? std::optional(state.registers[kAx].number) : std::nullopt;
    if (instruction->flow != Flow::kNext) break;
    apply(*instruction, state);
    state.at += instruction->length;
  }
  return std::nullopt;
}

std::optional<OpensslRead> find_read(const ElfFile& file, uint64_t function, const Call& read, const Call& peek) {
  const Flowchart chart(file, function);
  if (!chart.is_whole()) return std::nullopt;
  OpensslRead result;
  result.addresses = places_behind_calls(chart);
  if (result.addresses.empty()) return std::nullopt;
  const auto keeping = [&](uint64_t number) {
    return find_kept(chart, function, result.addresses, [&](size_t i) { return read.registers[i] == argument(number); });
  };
  const auto session = keeping(0);
  const auto buffer = keeping(1);
  const auto moved_at = keeping(3);
  if (!session || !buffer || !moved_at) return std::nullopt;
  result.session = *session;
  result.buffer = *buffer;
  result.moved_at = *moved_at;
  if (peek.address != read.address) return result;
  result.peeks = find_kept(chart, function, result.addresses,
                           [&](size_t i) { return read.registers[i] == constant(0) && peek.registers[i] == constant(peek.peek); });
  return result.peeks ? std::optional(result) : std::nullopt;
}

}  // namespace

OpensslMethod find_openssl_method(const ElfFile& file) {
  OpensslMethod result;
  const auto table = method_table(file);
  if (!table) return result;
  std::optional<std::pair<uint64_t, Call>> read;
  std::optional<Call> peek;
  for (const uint64_t function : discovery::LoadedWords(file).from(*table, kMethodWords)) {
    const auto call = file.offset_of(function) ? find_call(file, function) : std::nullopt;
    if (!call) continue;
    if (call->writes)
      result.write = function;
    else if (call->peek != 0)
      peek = call;
    else
      read = {function, *call};
  }
  if (read && peek) result.read = find_read(file, read->first, read->second, *peek);
  return result;
}

}  // namespace clew::tls
