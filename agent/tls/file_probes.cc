// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/file_probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include "agent/discovery/elf_file.h"
#include "agent/tls/go_probes.h"
#include "agent/tls/libraries.h"
#include "agent/tls/openssl_method.h"
#include "agent/tls/probe_place.h"
#include "agent/tls/rustls.h"
#include "agent/tls/symbols.h"

namespace clew::tls {
namespace {

using discovery::ElfFile;

constexpr uint8_t kArguments = kRdi | kRsi | kRdx | kRcx | kRsp;

struct Found {
  const LibraryFunction* function;
  uint64_t address;
  std::vector<uint8_t> code;
};

void add_function(const ElfFile& file, std::string_view name, const GElf_Sym& symbol, std::vector<Found>& found) {
  if (!is_function(symbol)) return;
  const auto* function = std::ranges::find(kLibraryFunctions, name, &LibraryFunction::name);
  if (function == kLibraryFunctions.end() || std::ranges::find(found, function, &Found::function) != found.end()) return;
  std::vector<uint8_t> code = code_at(file, symbol.st_value, symbol.st_size);
  if (code.empty()) return;  // not in the file, whatever the symbol says
  found.push_back({.function = function, .address = symbol.st_value, .code = std::move(code)});
}

std::vector<Found> find_functions(const ElfFile& file, FileProbes& result) {
  std::vector<Found> found;
  for (const uint32_t type : {SHT_DYNSYM, SHT_SYMTAB}) {
    if (!found.empty()) break;
    for_each_symbol(file, type, [&](std::string_view name, const GElf_Sym& symbol) { add_function(file, name, symbol, found); });
    file.for_each_section([&](const ElfFile::Section& section) {
      if (section.header.sh_type == type && section.header.sh_size > kSymbolBytesMax)
        result.description.push_back(fmt::format("its table of symbols has {} MiB, more than {}, and is not read",
                                                 section.header.sh_size >> 20, kSymbolBytesMax >> 20));
    });
  }
  return found;
}

// It makes pairs of BIOs (Asio, gRPC), or BIOs in memory for sessions that it gives no socket.
bool moves_bytes(const ElfFile& file) {
  bool pair = false;
  bool memory = false;
  bool sets = false;
  bool others = false;
  for_each_symbol(file, SHT_DYNSYM, [&](std::string_view name, const GElf_Sym& symbol) {
    if (symbol.st_shndx != SHN_UNDEF) return;
    pair = pair || name == "BIO_new_bio_pair";
    memory = memory || name == "BIO_s_mem";
    sets = sets || name == "SSL_set_bio" || name == "SSL_set0_rbio";
    others = others || name == "SSL_set_fd" || name == "SSL_set_rfd" || name == "BIO_meth_new" || name == "BIO_new_socket" ||
             name == "BIO_s_socket";
  });
  return pair || (memory && sets && !others);
}

const Found* named(const std::vector<Found>& found, std::string_view name) {
  const auto it = std::ranges::find(found, name, [](const Found& f) { return f.function->name; });
  return it == found.end() ? nullptr : &*it;
}

// Both SSL_x and SSL_x_ex hand over to one function, with a pointer of their own and with their caller's: so it is (SSL *, buffer, size,
// size_t *) there. Its beginning may be cheaper to probe than theirs.
std::optional<Found> common_target(const ElfFile& file, const Found* plain, const Found* extended) {
  if (plain == nullptr || extended == nullptr) return std::nullopt;
  const auto one = find_forwarding(plain->code, plain->address);
  const auto other = find_forwarding(extended->code, extended->address);
  if (!one || !other || one->target != other->target || !one->own_pointer || other->own_pointer) return std::nullopt;
  return Found{.function = extended->function, .address = one->target, .code = code_at(file, one->target, 0)};
}

class Planner {
 public:
  Planner(const ElfFile& file, FileProbes& result) : file_(file), result_(result) {}

  void call(const Found& found, std::string_view name) {
    const Place place = find_place(found.code, found.address, kArguments);
    const auto at = file_.offset_of(found.address + place.offset);
    if (!at) return complain(name, "lies outside the file");
    for (const bool at_return : {false, true})
      result_.probes.push_back(
          {.program = at_return ? "uretprobe__tls_call" : "uprobe__tls_call",
           .offset = *at,
           .at_return = at_return,
           .cookie = found.function->flags,
           // Where the bytes prove the socket none is needed, and programs may run others inside of it (gevent).
           .where = (found.function->flags & CLEW_TLS_NO_DATA) != 0 ? Probe::Where::kMovesNone : Probe::Where::kAnywhere});
    describe(found, name, place);
  }
  void bio(const Found& found) {
    const Place place = find_place(found.code, found.address, kRdi | kRsi | kRdx);
    if (const auto at = file_.offset_of(found.address + place.offset))
      result_.probes.push_back(
          {.program = "uprobe__tls_bio_write", .offset = *at, .at_return = false, .cookie = 0, .where = Probe::Where::kMovesBytes});
  }
  void read(const OpensslRead& read) {
    std::vector<uint64_t> offsets;
    for (const uint64_t address : read.addresses)
      if (const auto at = file_.offset_of(address)) offsets.push_back(*at);
    for (const uint64_t offset : offsets)
      result_.probes.push_back({.program = kMovedProgram,
                                .offset = offset,
                                .at_return = false,
                                .cookie = CLEW_TLS_OPENSSL | uint64_t{read.session} << CLEW_TLS_SESSION_SHIFT |
                                          uint64_t{read.buffer} << CLEW_TLS_BUFFER_SHIFT | uint64_t{read.moved_at} << CLEW_TLS_MOVED_SHIFT |
                                          uint64_t{read.peeks.value_or(0)} << CLEW_TLS_PEEK_SHIFT});
    result_.description.push_back(
        fmt::format("openssl: SSL_read and SSL_read_ex where their result is known, by {} probes, none on a return", offsets.size()));
  }
  void free(const Found& found) {
    const Place place = find_place(found.code, found.address, kRdi);
    const auto at = file_.offset_of(found.address + place.offset);
    if (!at) return complain(found.function->name, "lies outside the file");
    result_.probes.push_back({.program = "uprobe__tls_free", .offset = *at, .at_return = false, .cookie = 0});
  }

 private:
  void describe(const Found& found, std::string_view name, const Place& place) {
    result_.description.push_back(fmt::format("{}: {} by a probe at +{:#x}{}", found.function->library, name, place.offset,
                                              place.emulated ? "" : ", single-stepped: no cheaper place was found"));
  }
  void complain(std::string_view name, std::string_view what) { result_.description.push_back(fmt::format("{} {}: no probe", name, what)); }

  const ElfFile& file_;
  FileProbes& result_;
};

bool is_cheap(const Found& found) { return find_place(found.code, found.address, kArguments).emulated; }

// `own`: the library's own function that both come to in the end, if it is known.
void plan_pair(const ElfFile& file, Planner& planner, const std::vector<Found>& found, std::string_view plain, std::string_view extended,
               std::optional<uint64_t> own) {
  const Found* const one = named(found, plain);
  const Found* const other = named(found, extended);
  const bool dear = (one != nullptr && !is_cheap(*one)) || (other != nullptr && !is_cheap(*other));
  if (const auto target = dear ? common_target(file, one, other) : std::nullopt; target && is_cheap(*target))
    return planner.call(*target, fmt::format("{} and {}, in the function that they share,", plain, extended));
  if (dear && other != nullptr && own) {
    const Found target{.function = other->function, .address = *own, .code = code_at(file, *own, 0)};
    if (is_cheap(target)) return planner.call(target, fmt::format("{} and {}, in the function that they come to,", plain, extended));
  }
  if (one != nullptr) planner.call(*one, plain);
  if (other != nullptr) planner.call(*other, extended);
}

}  // namespace

base::Result<FileProbes> find_file_probes(const std::string& path) {
  CLEW_TRY(const ElfFile file, ElfFile::open(path));
  FileProbes result;
  if (file.header().e_machine != EM_X86_64 || (file.header().e_type != ET_DYN && file.header().e_type != ET_EXEC)) return result;
  const std::vector<Found> found = find_functions(file, result);
  Planner planner(file, result);
  const OpensslMethod method = named(found, "SSL_read") != nullptr ? find_openssl_method(file) : OpensslMethod{};
  if (method.read)
    planner.read(*method.read);
  else
    plan_pair(file, planner, found, "SSL_read", "SSL_read_ex", std::nullopt);
  plan_pair(file, planner, found, "SSL_write", "SSL_write_ex", method.write);
  for (const Found& one : found) {
    if (one.function->is_free)
      planner.free(one);
    else if (one.function->is_bio)
      planner.bio(one);
    else if (one.function->name == "SSL_do_handshake")
      planner.call(one, one.function->name);
    else if (!one.function->name.starts_with("SSL_") &&
             !(one.function->name == "gnutls_record_send" && named(found, "gnutls_record_send2") != nullptr))  // that calls this one
      planner.call(one, one.function->name);
  }
  result.moves_bytes = moves_bytes(file);
  if (result.moves_bytes)
    result.description.emplace_back("openssl: it moves the encrypted bytes itself: their socket is found by BIO_write");
  add_go_probes(file, result);
  add_rustls_probes(file, result);
  return result;
}

FileCache::Entry FileCache::look(const std::string& path) {
  Entry entry{.file = OpenFile(path), .probes = nullptr};
  if (!entry.file.is_open()) return entry;
  const std::string& key = entry.file.key();
  if (const auto known = files_.find(key); known != files_.end()) {
    entry.probes = known->second;
    return entry;
  }
  auto probes = find_file_probes(entry.file.path());
  if (!probes) probes = FileProbes{.probes = {}, .description = {}, .damage = probes.error().message};  // most are data that is mapped
  // What was written to meanwhile is looked at once more when its time of change has been seen to be another.
  if (OpenFile(entry.file.path()).key() != key) return entry;
  if (files_.size() >= kFilesMax) files_.clear();
  entry.probes = files_[key] = std::make_shared<const FileProbes>(std::move(*probes));
  return entry;
}

}  // namespace clew::tls
