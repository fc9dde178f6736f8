// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/rustls.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "agent/tls/probe_place.h"
#include "bpf/events.h"

namespace clew::tls {
namespace {

constexpr size_t kBytesMax = size_t{64} << 20;
constexpr size_t kCodeMax = 16384;                  // of a function
constexpr std::string_view kSource = "/rustls-0.";  // ".../rustls-0.23.46/src/conn.rs"
// In mangled names, old and new: the type and its function, each behind its length.
constexpr std::string_view kType = "12common_state";
constexpr std::string_view kWrite = "11CommonState16buffer_plaintext";
constexpr std::string_view kRead = "11CommonState23take_received_plaintext";

struct Function {
  uint64_t address = 0;
  uint64_t size = 0;
};

struct Functions {
  std::optional<Function> write;
  std::optional<Function> read;
};

void look_at(const discovery::ElfFile& file, const discovery::ElfFile::Section& section, Functions& found) {
  Elf_Data* const data = section.header.sh_entsize == 0 ? nullptr : file.data(section, kBytesMax);
  if (data == nullptr) return;
  const size_t count = section.header.sh_size / section.header.sh_entsize;
  GElf_Sym symbol;
  for (size_t i = 0; i < count && ::gelf_getsym(data, static_cast<int>(i), &symbol) != nullptr; ++i) {
    if (symbol.st_shndx == SHN_UNDEF || GELF_ST_TYPE(symbol.st_info) != STT_FUNC) continue;
    const std::string_view name = file.text(section, symbol.st_name);
    if (name.find("6rustls") == std::string_view::npos || name.find(kType) == std::string_view::npos) continue;
    if (name.find(kWrite) != std::string_view::npos) found.write = {.address = symbol.st_value, .size = symbol.st_size};
    if (name.find(kRead) != std::string_view::npos) found.read = {.address = symbol.st_value, .size = symbol.st_size};
  }
}

// Where both arguments, and with `returns` the return address, are as at the entry.
std::optional<uint64_t> place_of(const discovery::ElfFile& file, const Function& function, bool returns) {
  std::vector<uint8_t> code(std::min<uint64_t>(function.size, kCodeMax));
  if (code.empty() || !file.read(function.address, std::as_writable_bytes(std::span(code)))) return std::nullopt;
  const Place place = find_place(code, function.address, static_cast<uint8_t>(kRdi | kRsi | (returns ? kRsp : 0)));
  return file.offset_of(function.address + place.offset);
}

}  // namespace

void add_rustls_probes(const discovery::ElfFile& file, FileProbes& result) {
  Functions found;
  file.for_each_section([&](const discovery::ElfFile::Section& section) {
    if (section.header.sh_type == SHT_SYMTAB) look_at(file, section, found);
  });
  if (!found.write && !found.read) return;
  const auto write = found.write ? place_of(file, *found.write, true) : std::nullopt;
  const auto read = found.read ? place_of(file, *found.read, false) : std::nullopt;
  if (!write || !read) {
    result.description.emplace_back("rustls: not followed: its functions are not all there; what it encrypts gives no spans");
    return;
  }
  result.probes.push_back({.program = kMovedProgram, .offset = *write, .at_return = false, .cookie = CLEW_TLS_RUSTLS | CLEW_TLS_EGRESS});
  result.probes.push_back({.program = "uretprobe__rustls_write", .offset = *write, .at_return = true, .cookie = CLEW_TLS_RUSTLS});
  result.probes.push_back({.program = kMovedProgram, .offset = *read, .at_return = false, .cookie = CLEW_TLS_RUSTLS});
  result.description.emplace_back(
      "rustls: CommonState::buffer_plaintext and take_received_plaintext, each call proven by its socket (0.23; Linux 6.3 and later)");
}

bool mentions_rustls(const std::string& path) {
  const auto file = discovery::ElfFile::open(path);
  bool found = false;
  if (!file) return found;
  file->for_each_section([&](const discovery::ElfFile::Section& section) {
    if (!found && section.name == ".rodata") found = file->contents(section, kBytesMax).find(kSource) != std::string_view::npos;
  });
  return found;
}

}  // namespace clew::tls
