// SPDX-License-Identifier: Apache-2.0
// What the data of a program holds once it is loaded, read from its file.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "agent/discovery/elf_file.h"

namespace clew::discovery {

/// Words of 8 bytes: what the file holds, or what the loader will put there, which is said by the relocations of a position-independent
/// program (R_X86_64_RELATIVE in .rela.dyn, at most 64 MiB of them). Addresses are those of the file, before it is moved.
class LoadedWords {
 public:
  explicit LoadedWords(const ElfFile& file);

  /// Nothing: the file does not hold that address.
  std::optional<uint64_t> at(uint64_t address) const;
  /// Of `count` words in a row; those that the file does not hold are 0.
  std::vector<uint64_t> from(uint64_t address, size_t count) const;
  /// The first 16 places to which the loader writes `value`.
  std::vector<uint64_t> places_of(uint64_t value) const;

 private:
  template <class Visit>
  void each_relative(const Visit& visit) const;

  const ElfFile& file_;
  std::optional<ElfFile::Section> relocations_;
};

}  // namespace clew::discovery
