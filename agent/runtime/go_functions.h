// SPDX-License-Identifier: Apache-2.0
// Functions of a Go program by name, from its .gopclntab: there even when the program is stripped. Go 1.18 and later.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/discovery/elf_file.h"

namespace clew::runtime {

struct GoFunction {
  uint64_t address = 0;  // as the file has it
  uint64_t size = 0;     // up to the next function: may hold padding
};

/// One entry for each name, in their order; none where there is no such function. Reads at most 256 MiB of tables, copies nothing.
/// An Error where the tables are absent, damaged or of an unknown version, or the program's text cannot be found with certainty.
/// Source: pcHeader and moduledata in runtime/symtab.go of each version.
base::Result<std::vector<std::optional<GoFunction>>> find_go_functions(const discovery::ElfFile& file,
                                                                       std::span<const std::string_view> names);

}  // namespace clew::runtime
