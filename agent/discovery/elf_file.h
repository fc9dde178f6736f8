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
#include <unordered_set>

#include "agent/base/result.h"

namespace clew::discovery {

/// Nothing of the file is mapped, so it may change or shrink while it is read. What all sections together take of memory is at most
/// kBytesMax; a section that does not fit is taken for empty.
class ElfFile {
 public:
  static constexpr uint64_t kBytesMax = uint64_t{384} << 20;
  static constexpr uint64_t kSectionsMax = 65536;
  static constexpr size_t kTextMax = 4096;

  /// An Error if it cannot be read, is no ELF file, or its tables lie outside of it or are beyond reason.
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

  /// A section's entries for gelf_getsym and its like; nullptr if it has none in the file, or more bytes than `limit`.
  Elf_Data* data(const Section& section, uint64_t limit) const;
  /// The bytes of a section, valid as long as this object; empty if it has none in the file or more than `limit`.
  std::string_view contents(const Section& section, size_t limit) const;
  /// A string of the string table that belongs to `section`: at most its first kTextMax bytes.
  std::string_view text(const Section& section, size_t offset) const;

  /// The four bytes at an address of the loaded program, in the byte order of this machine; false if the file does not hold them.
  bool read_word(uint64_t address, uint32_t& word) const { return read(address, std::as_writable_bytes(std::span(&word, 1))); }
  /// The bytes at an address; false if the file does not hold all of them.
  bool read(uint64_t address, std::span<std::byte> into) const;
  /// Where the byte at an address stands in the file.
  std::optional<uint64_t> offset_of(uint64_t address) const;

 private:
  ElfFile(int fd, Elf* elf) : fd_(fd), elf_(elf) {}
  bool fits(size_t index, const GElf_Shdr& header) const;

  int fd_;
  Elf* elf_;
  GElf_Ehdr header_{};
  mutable std::unordered_set<size_t> read_;  // indices of sections whose bytes are in memory
  mutable uint64_t bytes_ = 0;               // of those
};

}  // namespace clew::discovery
