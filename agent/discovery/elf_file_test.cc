// SPDX-License-Identifier: Apache-2.0
// Files that say of themselves what would take all the memory or time there is. Sparse, so that they are as large as they say.
#include "agent/discovery/elf_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "agent/discovery/runtime.h"

namespace clew::discovery {
namespace {

using testing::HasSubstr;

constexpr uint64_t kMany = uint64_t{64} << 30;  // bytes of the file, nearly all of them holes

class Liar : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("clew_elf_liar_" + std::to_string(getpid()));
    std::memcpy(header_.e_ident, ELFMAG, SELFMAG);
    header_.e_ident[EI_CLASS] = ELFCLASS64;
    header_.e_ident[EI_DATA] = ELFDATA2LSB;
    header_.e_ident[EI_VERSION] = EV_CURRENT;
    header_.e_type = ET_DYN;
    header_.e_machine = EM_X86_64;
    header_.e_version = EV_CURRENT;
    header_.e_ehsize = sizeof header_;
    header_.e_shoff = sizeof header_;
    header_.e_shentsize = sizeof(Elf64_Shdr);
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::vector<Elf64_Shdr>& sections) {
    std::ofstream out(path_, std::ios::binary);
    out.write(reinterpret_cast<const char*>(&header_), sizeof header_);
    out.write(reinterpret_cast<const char*>(sections.data()), static_cast<std::streamsize>(sections.size() * sizeof(Elf64_Shdr)));
    out.close();
    std::filesystem::resize_file(path_, kMany);
  }
  static long memory_kib() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
  }

  std::filesystem::path path_;
  Elf64_Ehdr header_{};
};

TEST_F(Liar, MoreSectionsThanTheHeaderHasRoomFor) {
  write({Elf64_Shdr{.sh_size = kMany / sizeof(Elf64_Shdr) - 1}});
  const auto file = ElfFile::open(path_);
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("sections"));
}

TEST_F(Liar, ManySectionsOfTheSameBytes) {
  header_.e_shnum = 60000;
  std::vector<Elf64_Shdr> sections(
      header_.e_shnum, Elf64_Shdr{.sh_type = SHT_SYMTAB, .sh_offset = 4 << 20, .sh_size = 32 << 20, .sh_entsize = sizeof(Elf64_Sym)});
  sections[0] = {};
  write(sections);
  const long before = memory_kib();
  const auto began = std::chrono::steady_clock::now();
  const auto found = inspect_executable(path_);
  EXPECT_TRUE(found) << found.error().message;
  EXPECT_LT(memory_kib() - before, 600 * 1024);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(20));
}

TEST_F(Liar, NamesWithoutEnd) {
  header_.e_shnum = 4;
  header_.e_shstrndx = 3;
  write({{},
         Elf64_Shdr{.sh_type = SHT_SYMTAB, .sh_offset = 1 << 20, .sh_size = 24 * 1000, .sh_link = 2, .sh_entsize = sizeof(Elf64_Sym)},
         Elf64_Shdr{.sh_type = SHT_STRTAB, .sh_offset = 1 << 20, .sh_size = kMany - (2 << 20)},
         Elf64_Shdr{.sh_type = SHT_STRTAB, .sh_offset = 1 << 20, .sh_size = kMany - (2 << 20)}});
  const long before = memory_kib();
  const auto found = inspect_executable(path_);
  EXPECT_TRUE(found) << found.error().message;
  EXPECT_LT(memory_kib() - before, 64 * 1024);
}

}  // namespace
}  // namespace clew::discovery
