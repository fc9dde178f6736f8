// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/go_functions.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/discovery/loaded_words.h"

namespace clew::runtime {
namespace {

using discovery::ElfFile;

constexpr size_t kTableMax = size_t{256} << 20;
constexpr uint32_t kMagic118 = 0xfffffff0;
constexpr uint32_t kMagic120 = 0xfffffff1;
constexpr uint64_t kModuleMinPc = 160;  // of runtime.moduledata, 1.18 to 1.27
constexpr uint64_t kModuleText = 176;

template <class T>
bool load(std::string_view from, uint64_t at, T& out) {
  if (at > from.size() || from.size() - at < sizeof(T)) return false;
  std::memcpy(&out, from.data() + at, sizeof(T));
  return true;
}

struct Header {  // runtime.pcHeader
  uint32_t magic;
  uint8_t padding[2];
  uint8_t instruction_min;
  uint8_t pointer_size;
  uint64_t functions;
  uint64_t files;
  uint64_t text_start;  // until 1.25, and 0 where it is relocated
  uint64_t names;
  uint64_t units;
  uint64_t file_names;
  uint64_t pc_values;
  uint64_t function_table;
};
static_assert(sizeof(Header) == 72);

struct Tables {
  std::string_view bytes;
  uint64_t address = 0;
  Header header{};
  uint64_t text_section = 0;
  uint64_t text_section_size = 0;
  uint64_t module = 0;  // section .go.module, since 1.26
};

struct Entry {
  uint32_t text_offset;
  uint32_t function_offset;
};

bool entry_at(const Tables& tables, uint64_t index, Entry& entry) {
  return load(tables.bytes, tables.header.function_table + index * sizeof(Entry), entry);
}

// The address that offsets of functions count from. The section's start is not certain: C code may stand before it.
std::optional<uint64_t> text_start(const ElfFile& file, const Tables& tables) {
  Entry first{};
  if (!entry_at(tables, 0, first)) return std::nullopt;
  if (tables.header.text_start != 0) return tables.header.text_start;
  const discovery::LoadedWords words(file);
  std::vector<uint64_t> modules = words.places_of(tables.address);
  if (tables.module != 0) modules.insert(modules.begin(), tables.module);
  for (const uint64_t module : modules) {
    const auto header = words.at(module);
    const auto lowest = words.at(module + kModuleMinPc);
    const auto text = words.at(module + kModuleText);
    if (header == tables.address && lowest && text && *lowest == *text + first.text_offset) return text;
  }
  return std::nullopt;
}

bool read_header(Tables& tables) {
  const Header& header = tables.header;
  return load(tables.bytes, 0, tables.header) && (header.magic == kMagic118 || header.magic == kMagic120) && header.padding[0] == 0 &&
         header.padding[1] == 0 && header.instruction_min == 1 && header.pointer_size == 8 && header.functions != 0 &&
         header.functions <= tables.bytes.size() / sizeof(Entry) && header.function_table <= tables.bytes.size() &&
         header.names <= tables.bytes.size();
}

// The system's linker puts the tables of a position-independent program among other things, at a multiple of 32.
bool search(Tables& tables) {
  const std::string_view all = tables.bytes;
  const uint64_t address = tables.address;
  for (uint64_t at = (32 - address % 32) % 32; at < all.size(); at += 32) {
    tables.bytes = all.substr(at);
    tables.address = address + at;
    if (read_header(tables)) return true;
  }
  return false;
}

std::optional<Tables> find_tables(const ElfFile& file) {
  Tables tables;
  bool own_section = false;
  file.for_each_section([&](const ElfFile::Section& section) {
    const bool own = section.name == ".gopclntab" || section.name == ".data.rel.ro.gopclntab";
    if (own || (section.name == ".data.rel.ro" && !own_section)) {
      own_section = own;
      tables.bytes = file.contents(section, kTableMax);
      tables.address = section.header.sh_addr;
    } else if (section.name == ".text") {
      tables.text_section = section.header.sh_addr;
      tables.text_section_size = section.header.sh_size;
    } else if (section.name == ".go.module") {
      tables.module = section.header.sh_addr;
    }
  });
  if (own_section ? !read_header(tables) : !search(tables)) return std::nullopt;
  return tables;
}

}  // namespace

base::Result<std::vector<std::optional<GoFunction>>> find_go_functions(const ElfFile& file, std::span<const std::string_view> names) {
  const auto tables = find_tables(file);
  if (!tables) return base::fail("its table of functions is absent or of an unknown kind");
  const auto start = text_start(file, *tables);
  if (!start || *start < tables->text_section) return base::fail("where its functions begin is not certain");

  std::vector<std::optional<GoFunction>> found(names.size());
  const std::string_view texts = tables->bytes.substr(tables->header.names);
  for (uint64_t i = 0; i < tables->header.functions; ++i) {
    Entry entry{};
    Entry next{};
    uint32_t name_offset = 0;
    if (!entry_at(*tables, i, entry) || !entry_at(*tables, i + 1, next) || next.text_offset < entry.text_offset ||
        !load(tables->bytes, tables->header.function_table + entry.function_offset + 4, name_offset))
      return base::fail("its table of functions is damaged");
    if (name_offset >= texts.size()) continue;
    for (size_t n = 0; n < names.size(); ++n) {
      const std::string_view name = texts.substr(name_offset, names[n].size() + 1);
      if (name.size() != names[n].size() + 1 || name.back() != '\0' || !name.starts_with(names[n])) continue;
      const uint64_t end = *start + next.text_offset - tables->text_section;
      if (end > tables->text_section_size) return base::fail("its functions lie outside its text");
      found[n] = GoFunction{.address = *start + entry.text_offset, .size = next.text_offset - entry.text_offset};
    }
  }
  return found;
}

}  // namespace clew::runtime
