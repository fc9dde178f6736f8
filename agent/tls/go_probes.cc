// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/go_probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "agent/runtime/go.h"
#include "agent/runtime/go_functions.h"
#include "agent/tls/instruction.h"
#include "agent/tls/symbols.h"
#include "bpf/events.h"

namespace clew::tls {
namespace {

constexpr std::array<std::string_view, 3> kFunctions = {"crypto/tls.(*Conn).Write", "crypto/tls.(*Conn).Read", "runtime.memmove"};

// The one call of `target`. Go's code has no data in it.
std::optional<size_t> only_call_of(std::span<const uint8_t> code, uint64_t address, uint64_t target) {
  std::optional<size_t> found;
  for (size_t at = 0; at < code.size();) {
    const auto instruction = decode(code.subspan(at), address + at);
    if (!instruction) return std::nullopt;
    if (instruction->flow == Instruction::Flow::kCall && instruction->target == target) {
      if (found) return std::nullopt;
      found = at;
    }
    at += instruction->length;
  }
  return found;
}

bool is_go(const discovery::ElfFile& file) {
  bool found = false;
  file.for_each_section([&found](const discovery::ElfFile::Section& section) {
    found = found || section.name == ".gopclntab" || section.name == ".data.rel.ro.gopclntab" || section.name == ".go.buildinfo";
  });
  return found;
}

}  // namespace

void add_go_probes(const discovery::ElfFile& file, FileProbes& result) {
  if (!is_go(file)) return;
  const auto complain = [&result](std::string_view why) {
    result.description.push_back(fmt::format("go crypto/tls: not followed: {}", why));
  };
  const auto functions = runtime::find_go_functions(file, kFunctions);
  if (!functions) return complain(functions.error().message);
  const auto& write = (*functions)[0];
  const auto& read = (*functions)[1];
  const auto& move = (*functions)[2];
  if (!write && !read) return;
  if (!write || !read || !move) return complain("its functions are not all there");
  const auto write_at = runtime::go_probe_offset(code_at(file, write->address, write->size));
  const auto read_at = only_call_of(code_at(file, read->address, read->size), read->address, move->address);
  if (!write_at) return complain("Write does not begin as expected");
  if (!read_at) return complain("Read does not copy as expected");
  const auto write_offset = file.offset_of(write->address + *write_at);
  const auto read_offset = file.offset_of(read->address + *read_at);
  if (!write_offset || !read_offset) return complain("its functions lie outside the file");
  result.probes.push_back({.program = kMovedProgram, .offset = *write_offset, .at_return = false, .cookie = CLEW_TLS_EGRESS});
  result.probes.push_back({.program = kMovedProgram, .offset = *read_offset, .at_return = false, .cookie = 0});
  result.description.push_back(
      fmt::format("go crypto/tls: (*Conn).Write by a probe at +{:#x}, Read at +{:#x}, where it copies", *write_at, *read_at));
}

}  // namespace clew::tls
