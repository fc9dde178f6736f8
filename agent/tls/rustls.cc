// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/rustls.h"

#include <optional>
#include <string_view>
#include <vector>

#include "agent/tls/probe_place.h"
#include "agent/tls/symbols.h"
#include "bpf/events.h"

namespace clew::tls {
namespace {

constexpr size_t kBytesMax = size_t{64} << 20;
constexpr std::string_view kSource = "/rustls-0.";  // ".../rustls-0.23.46/src/conn.rs"
// In mangled names, old and new: the type and its function, each behind its length.
constexpr std::string_view kType = "12common_state";
constexpr std::string_view kWrite = "11CommonState16buffer_plaintext";
constexpr std::string_view kRead = "11CommonState23take_received_plaintext";

struct Function {
  uint64_t address = 0;
  uint64_t size = 0;
};

// Where both arguments, and with `returns` the return address, are as at the entry.
std::optional<uint64_t> place_of(const discovery::ElfFile& file, const Function& function, bool returns) {
  const std::vector<uint8_t> code = code_at(file, function.address, function.size);
  if (code.empty()) return std::nullopt;
  const Place place = find_place(code, function.address, static_cast<uint8_t>(kRdi | kRsi | (returns ? kRsp : 0)));
  return file.offset_of(function.address + place.offset);
}

}  // namespace

void add_rustls_probes(const discovery::ElfFile& file, FileProbes& result) {
  std::optional<Function> found_write;
  std::optional<Function> found_read;
  for_each_symbol(file, SHT_SYMTAB, [&](std::string_view name, const GElf_Sym& symbol) {
    if (!is_function(symbol) || !name.contains("6rustls") || !name.contains(kType)) return;
    if (name.contains(kWrite)) found_write = {.address = symbol.st_value, .size = symbol.st_size};
    if (name.contains(kRead)) found_read = {.address = symbol.st_value, .size = symbol.st_size};
  });
  if (!found_write && !found_read) return;
  const auto write = found_write ? place_of(file, *found_write, true) : std::nullopt;
  const auto read = found_read ? place_of(file, *found_read, false) : std::nullopt;
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
