// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/symbols.h"

#include <algorithm>
#include <span>

namespace clew::tls {
namespace {

constexpr size_t kCodeMax = 16384;
constexpr size_t kCodeUnknown = 512;

}  // namespace

void for_each_symbol(const discovery::ElfFile& file, uint32_t type, const std::function<void(std::string_view, const GElf_Sym&)>& visit) {
  file.for_each_section([&](const discovery::ElfFile::Section& section) {
    const bool wanted = section.header.sh_type == type && section.header.sh_entsize != 0;
    Elf_Data* const data = wanted ? file.data(section, kSymbolBytesMax) : nullptr;
    if (data == nullptr) return;
    const size_t count = section.header.sh_size / section.header.sh_entsize;
    GElf_Sym symbol;
    for (size_t i = 0; i < count && ::gelf_getsym(data, static_cast<int>(i), &symbol) != nullptr; ++i)
      visit(file.text(section, symbol.st_name), symbol);
  });
}

bool is_function(const GElf_Sym& symbol) { return symbol.st_shndx != SHN_UNDEF && GELF_ST_TYPE(symbol.st_info) == STT_FUNC; }

std::vector<uint8_t> code_at(const discovery::ElfFile& file, uint64_t address, uint64_t size) {
  std::vector<uint8_t> code(std::min<uint64_t>(size == 0 ? kCodeUnknown : size, kCodeMax));
  for (; !code.empty(); code.resize(code.size() / 2))  // the text may end before that
    if (file.read(address, std::as_writable_bytes(std::span(code)))) break;
  return code;
}

}  // namespace clew::tls
