// SPDX-License-Identifier: Apache-2.0
// An ELF file opened with libelf: sections and symbols of files that nobody vouches for, within bounds.
#pragma once

#include <gelf.h>
#include <libelf.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace clew::discovery {

class ElfFile {
 public:
  /// An Error if it cannot be read, is no ELF file, or its tables lie outside of it.
  static base::Result<ElfFile> open(const std::string& path);
  ElfFile(ElfFile&& other) noexcept;
  ElfFile& operator=(ElfFile&&) = delete;
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ~ElfFile();

  const GElf_Ehdr& header() const { return header_; }
  bool has_segment(uint32_t type) const { return segment(type).has_value(); }
  /// The first of that type.
  std::optional<GElf_Phdr> segment(uint32_t type) const;

  struct Section {
    std::string_view name;
    GElf_Shdr header;
    Elf_Scn* handle;
  };
  void for_each_section(const std::function<void(const Section&)>& visit) const;

  /// The bytes of a section, valid as long as this object; empty if it has none in the file or more than `limit`.
  std::string_view contents(const Section& section, size_t limit) const;
  /// A string of the string table that belongs to `section`.
  std::string_view text(const Section& section, size_t offset) const;

  /// The four bytes at an address of the loaded program, in the byte order of this machine; false if the file does not hold them.
  bool read_word(uint64_t address, uint32_t& word) const { return read(address, std::as_writable_bytes(std::span(&word, 1))); }
  /// The bytes at an address; false if the file does not hold all of them.
  bool read(uint64_t address, std::span<std::byte> into) const;
  /// Where the byte at an address stands in the file.
  std::optional<uint64_t> offset_of(uint64_t address) const;

 private:
  ElfFile(int fd, Elf* elf) : fd_(fd), elf_(elf) {}
  int fd_;
  Elf* elf_;
  GElf_Ehdr header_{};
};

}  // namespace clew::discovery
