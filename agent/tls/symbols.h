// SPDX-License-Identifier: Apache-2.0
// The symbols of an ELF file, and the code that they name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "agent/discovery/elf_file.h"

namespace clew::tls {

inline constexpr size_t kSymbolBytesMax = size_t{64} << 20;  // of a table; a larger one is not read

/// Those of all tables of that type (SHT_DYNSYM, SHT_SYMTAB).
void for_each_symbol(const discovery::ElfFile& file, uint32_t type,
                     const std::function<void(std::string_view name, const GElf_Sym&)>& visit);

/// It is a function that this file has.
bool is_function(const GElf_Sym& symbol);

/// Of a function: at most 16 KiB, 512 bytes if its size is not known (0). Less where the file ends; empty if it lies outside of it.
std::vector<uint8_t> code_at(const discovery::ElfFile& file, uint64_t address, uint64_t size);

}  // namespace clew::tls
