// SPDX-License-Identifier: Apache-2.0
// Small programs made here, laid out as Go's linker and the system's do it; and what is left of them when bytes are changed.
#include "agent/runtime/go_functions.h"

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <string>

#include "agent/discovery/fake_proc.h"

namespace clew::runtime {
namespace {

constexpr uint64_t kBase = 0x400000;
constexpr std::array<std::string_view, 3> kNames = {"main.main", "net/http.(*persistConn).roundTrip", "main.mainly"};

template <class T>
void put(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// runtime.pcHeader, two functions at 0x40 and 0x80 behind `text_start`, their names.
std::string tables(uint64_t text_start, uint32_t magic = 0xfffffff1) {
  const std::string names = std::string("main.main\0net/http.(*persistConn).roundTrip\0", 44);
  const uint64_t functions_at = (72 + names.size() + 7) / 8 * 8;
  std::string out;
  put(out, magic);
  put(out, uint16_t{0});
  put(out, uint8_t{1});
  put(out, uint8_t{8});
  for (const uint64_t word : {uint64_t{2}, uint64_t{0}, text_start, uint64_t{72}, uint64_t{0}, uint64_t{0}, uint64_t{0}, functions_at})
    put(out, word);
  out += names;
  out.resize(functions_at);
  for (const uint32_t word : {0x40U, 20U, 0x80U, 28U, 0xc0U}) put(out, word);  // offset of each, and of its record
  for (const uint32_t word : {0x40U, 0U, 0x80U, 10U}) put(out, word);          // records: offset, name
  return out;
}

struct Section {
  std::string name;
  uint32_t type;
  std::string bytes;
};

// Each section at the next multiple of 64, the file loaded at kBase as it is.
class Program {
 public:
  explicit Program(const std::vector<Section>& sections) {
    std::string names(1, '\0');
    bytes_.resize(sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
    std::vector<Elf64_Shdr> headers(1);
    const auto add = [&](const std::string& name, uint32_t type, const std::string& contents) {
      bytes_.resize((bytes_.size() + 63) / 64 * 64);
      Elf64_Shdr header{};
      header.sh_name = static_cast<uint32_t>(names.size());
      names += name + '\0';
      header.sh_type = type;
      header.sh_addr = kBase + bytes_.size();
      header.sh_offset = bytes_.size();
      header.sh_size = contents.size();
      header.sh_addralign = 8;
      header.sh_entsize = type == SHT_RELA ? sizeof(Elf64_Rela) : 0;
      headers.push_back(header);
      bytes_ += contents;
    };
    for (const Section& section : sections) add(section.name, section.type, section.bytes);
    names += ".names";
    names += '\0';
    add("", SHT_STRTAB, names);
    bytes_.resize((bytes_.size() + 63) / 64 * 64);
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_ehsize = sizeof header;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 1;
    header.e_shoff = bytes_.size();
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<uint16_t>(headers.size());
    header.e_shstrndx = static_cast<uint16_t>(headers.size() - 1);
    const Elf64_Phdr segment{.p_type = PT_LOAD,
                             .p_flags = PF_R,
                             .p_offset = 0,
                             .p_vaddr = kBase,
                             .p_paddr = kBase,
                             .p_filesz = bytes_.size(),
                             .p_memsz = bytes_.size(),
                             .p_align = 4096};
    std::memcpy(bytes_.data(), &header, sizeof header);
    std::memcpy(bytes_.data() + sizeof header, &segment, sizeof segment);
    for (const Elf64_Shdr& each : headers) put(bytes_, each);
  }
  std::string& bytes() { return bytes_; }

 private:
  std::string bytes_;
};

constexpr uint64_t kText = kBase + 128;  // of the first section
const Section kCode{.name = ".text", .type = SHT_PROGBITS, .bytes = std::string(0x100, '\xcc')};

auto find_in(const std::string& bytes) {
  const discovery::FakeProc files;
  files.write("program", bytes);
  const auto file = discovery::ElfFile::open(files.root() + "/program");
  EXPECT_TRUE(file);
  return find_go_functions(*file, kNames);
}

void expect_both(const base::Result<std::vector<std::optional<GoFunction>>>& found, uint64_t text) {
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE((*found)[0] && (*found)[1]);
  EXPECT_EQ((*found)[0]->address, text + 0x40);
  EXPECT_EQ((*found)[1]->address, text + 0x80);
  EXPECT_EQ((*found)[1]->size, 0x40);
  EXPECT_FALSE((*found)[2]) << "main.main is no other function";
}

TEST(GoFunctions, AreFoundByName) {
  expect_both(find_in(Program({kCode, {".gopclntab", SHT_PROGBITS, tables(kText)}}).bytes()), kText);
  expect_both(find_in(Program({kCode, {".gopclntab", SHT_PROGBITS, tables(kText, 0xfffffff0)}}).bytes()), kText);
}

// Since 1.26 only runtime.moduledata says it: pcHeader first, the lowest function at 160, the text at 176.
std::string module(uint64_t tables_at, uint64_t lowest, uint64_t text) {
  std::string out(200, '\0');
  std::memcpy(out.data(), &tables_at, 8);
  std::memcpy(out.data() + 160, &lowest, 8);
  std::memcpy(out.data() + 176, &text, 8);
  return out;
}

TEST(GoFunctions, CountFromWhereTheModuleSaysThatTheTextBegins) {
  const uint64_t tables_at = kText + 0x100;
  const uint64_t behind_c = kText + 0x20;
  const Section pclntab{.name = ".gopclntab", .type = SHT_PROGBITS, .bytes = tables(0)};
  expect_both(find_in(Program({kCode, pclntab, {".go.module", SHT_PROGBITS, module(tables_at, behind_c + 0x40, behind_c)}}).bytes()),
              behind_c);
  EXPECT_FALSE(find_in(Program({kCode, pclntab, {".go.module", SHT_PROGBITS, module(tables_at, behind_c, behind_c)}}).bytes()));
  EXPECT_FALSE(find_in(Program({kCode, pclntab, {".go.module", SHT_PROGBITS, module(0, behind_c + 0x40, behind_c)}}).bytes()));
  EXPECT_FALSE(find_in(Program({kCode, pclntab}).bytes()));
}

TEST(GoFunctions, AreFoundAmongOtherDataOfAPositionIndependentProgram) {
  const uint64_t tables_at = kText + 0x100 + 64;
  std::string relocations;
  for (const auto& [place, value] : {std::pair{uint64_t{0x500000}, tables_at}, std::pair{uint64_t{0x500000 + 160}, kText + 0x40},
                                     std::pair{uint64_t{0x500000 + 176}, kText}})
    put(relocations, Elf64_Rela{.r_offset = place, .r_info = R_X86_64_RELATIVE, .r_addend = static_cast<int64_t>(value)});
  const std::string data = std::string(64, 'x') + tables(0);
  expect_both(find_in(Program({kCode, {".data.rel.ro", SHT_PROGBITS, data}, {".rela.dyn", SHT_RELA, relocations}}).bytes()), kText);
  EXPECT_FALSE(find_in(Program({kCode, {".data.rel.ro", SHT_PROGBITS, data}}).bytes()));
}

TEST(GoFunctions, OutsideOfTheTextAreRefused) {
  EXPECT_FALSE(find_in(Program({kCode, {".gopclntab", SHT_PROGBITS, tables(kText + 0x80)}}).bytes()));
  EXPECT_FALSE(find_in(Program({kCode, {".gopclntab", SHT_PROGBITS, tables(kText - 0x80)}}).bytes()));
}

TEST(GoFunctions, OfUnknownTablesAreNotLookedFor) {
  EXPECT_FALSE(find_in(Program({kCode, {".gopclntab", SHT_PROGBITS, tables(kText, 0xfffffffa)}}).bytes()));
  EXPECT_FALSE(find_in(Program({kCode}).bytes()));
}

TEST(GoFunctions, DamageIsSurvived) {
  const std::string whole = tables(kText);
  std::mt19937 random(1);
  for (int round = 0; round < 2'000; ++round) {
    std::string damaged = whole;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    if (round % 4 == 0) damaged.resize(random() % damaged.size());
    const auto found = find_in(Program({kCode, {".gopclntab", SHT_PROGBITS, damaged}}).bytes());
    if (!found) continue;
    for (const auto& function : *found) {
      if (function) {
        EXPECT_LE(function->address + function->size, kText + 0x100);
      }
    }
  }
}

}  // namespace
}  // namespace clew::runtime
