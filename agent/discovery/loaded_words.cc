// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/loaded_words.h"

#include <algorithm>
#include <cstddef>
#include <span>

namespace clew::discovery {
namespace {

constexpr uint64_t kRelocationsMax = uint64_t{64} << 20;
constexpr size_t kPlacesMax = 16;

}  // namespace

LoadedWords::LoadedWords(const ElfFile& file) : file_(file) {
  file.for_each_section([this](const ElfFile::Section& section) {
    if (section.header.sh_type == SHT_RELA && section.name == ".rela.dyn") relocations_ = section;
  });
}

template <class Visit>
void LoadedWords::each_relative(const Visit& visit) const {
  if (!relocations_ || relocations_->header.sh_entsize == 0) return;
  Elf_Data* const data = file_.data(*relocations_, kRelocationsMax);
  const auto count = static_cast<int>(std::min<uint64_t>(relocations_->header.sh_size / relocations_->header.sh_entsize, 1U << 30));
  GElf_Rela relocation;
  for (int i = 0; data != nullptr && i < count && ::gelf_getrela(data, i, &relocation) != nullptr; ++i)
    if (GELF_R_TYPE(relocation.r_info) == R_X86_64_RELATIVE) visit(relocation);
}

std::optional<uint64_t> LoadedWords::at(uint64_t address) const {
  std::optional<uint64_t> word;
  each_relative([&](const GElf_Rela& relocation) {
    if (relocation.r_offset == address) word = static_cast<uint64_t>(relocation.r_addend);
  });
  uint64_t stored = 0;
  if (!word && file_.read(address, std::as_writable_bytes(std::span(&stored, 1)))) word = stored;
  return word;
}

std::vector<uint64_t> LoadedWords::from(uint64_t address, size_t count) const {
  std::vector<uint64_t> words(count);
  for (size_t i = 0; i < count; ++i)
    if (!file_.read(address + i * sizeof(uint64_t), std::as_writable_bytes(std::span(&words[i], 1)))) words[i] = 0;
  each_relative([&](const GElf_Rela& relocation) {
    const uint64_t offset = relocation.r_offset - address;
    if (offset % sizeof(uint64_t) == 0 && offset / sizeof(uint64_t) < count)
      words[offset / sizeof(uint64_t)] = static_cast<uint64_t>(relocation.r_addend);
  });
  return words;
}

std::vector<uint64_t> LoadedWords::places_of(uint64_t value) const {
  std::vector<uint64_t> places;
  each_relative([&](const GElf_Rela& relocation) {
    if (static_cast<uint64_t>(relocation.r_addend) == value && places.size() < kPlacesMax) places.push_back(relocation.r_offset);
  });
  return places;
}

}  // namespace clew::discovery
