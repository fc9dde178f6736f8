// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/tokio.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <vector>

#include "agent/discovery/elf_file.h"
#include "agent/runtime/process_image.h"
#include "bpf/events.h"

namespace clew::runtime {
namespace {

// enum tokio_layout of bpf/execution/tokio_task.bpf.h.
constexpr size_t kTaskId = 0;
constexpr size_t kWaker = 1;
constexpr size_t kTaskTag = 7;

constexpr size_t kCodeMax = 256;
constexpr size_t kSymbolBytesMax = size_t{64} << 20;
constexpr uint8_t kPush = 0x55;  // %rbp

/// Addresses in the file, by what they are; a function may have several names, and several functions one address.
struct Found {
  std::array<std::set<uint64_t>, 7> addresses;
  uint64_t context_bytes = 0;
  uint64_t enter_bytes = 0;
  bool has_table = false;
  const std::set<uint64_t>& of(TokioSymbol symbol) const { return addresses.at(static_cast<size_t>(symbol)); }
  bool is_one(TokioSymbol symbol) const { return of(symbol).size() == 1; }
};

Found find(const discovery::ElfFile& file) {
  Found found;
  file.for_each_section([&](const discovery::ElfFile::Section& section) {
    if (section.header.sh_type != SHT_SYMTAB || section.header.sh_entsize == 0) return;
    Elf_Data* const data = file.data(section, kSymbolBytesMax);
    if (data == nullptr) return;
    found.has_table = true;
    GElf_Sym symbol;
    for (size_t i = 0; i < section.header.sh_size / section.header.sh_entsize; ++i) {
      if (::gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
      if (symbol.st_shndx == SHN_UNDEF) continue;
      const TokioSymbol what = tokio_symbol(file.text(section, symbol.st_name), GELF_ST_TYPE(symbol.st_info) == STT_TLS);
      if (what == TokioSymbol::kNone) continue;
      found.addresses.at(static_cast<size_t>(what)).insert(symbol.st_value);
      if (what == TokioSymbol::kContext) found.context_bytes = symbol.st_size;
      if (what == TokioSymbol::kEnter) found.enter_bytes = symbol.st_size;
    }
  });
  return found;
}

std::optional<TokioTaskId> task_id_at(const discovery::ElfFile& file, const Found& found) {
  std::vector<uint8_t> code(std::min<uint64_t>(found.enter_bytes, kCodeMax));
  if (code.empty() || !file.read(*found.of(TokioSymbol::kEnter).begin(), std::as_writable_bytes(std::span(code)))) return std::nullopt;
  const auto at = tokio_task_id_at(code);
  return at && at->id + sizeof(uint64_t) <= found.context_bytes ? at : std::nullopt;
}

bool add_probes(Layout& layout, const discovery::ElfFile& file, const std::string& path, const std::set<uint64_t>& functions,
                const std::string& program) {
  bool added = false;
  for (const uint64_t address : functions) {
    std::array<uint8_t, 8> code{};
    if (!file.read(address, std::as_writable_bytes(std::span(code)))) continue;
    const auto inside = tokio_probe_at(code);
    const auto place = inside ? file.offset_of(address + *inside) : std::nullopt;
    if (!place) continue;
    layout.probes.push_back({.program = program, .file = path, .offset = *place, .at_return = false});
    added = true;
  }
  return added;
}

}  // namespace

TokioSymbol tokio_symbol(std::string_view name, bool thread_local_data) {
  const auto has = [name](std::string_view part) { return name.find(part) != std::string_view::npos; };
  if (thread_local_data) return has("5tokio7runtime7context7CONTEXT") && has("VAL") ? TokioSymbol::kContext : TokioSymbol::kNone;
  if (has("5tokio7runtime4task5waker12WAKER_VTABLE")) return TokioSymbol::kWaker;
  if (has("5tokio7runtime4task4core") && has("11TaskIdGuard5enter")) return TokioSymbol::kEnter;
  // Not its parts that are moved away as never run.
  if (has("5tokio7runtime4task4list") && has("OwnedTasks") && has("10bind_inner") && !name.ends_with(".cold")) return TokioSymbol::kBind;
  if (has("5tokio7runtime9scheduler12multi_thread") && has("34schedule_option_task_without_yield") && !name.ends_with(".cold"))
    return TokioSymbol::kSchedule;
  if (has("5tokio7runtime8blocking4pool") && has("7Spawner") && has("10spawn_task") && !name.ends_with(".cold"))
    return TokioSymbol::kBlocking;
  return TokioSymbol::kNone;
}

std::optional<TokioTaskId> tokio_task_id_at(std::span<const uint8_t> code) {
  // An operation on a word at a small distance from a register: REX.W, opcode, ModRM, distance.
  const auto is_word = [&code](size_t at, uint8_t opcode) {
    return (code[at] & 0xf8) == 0x48 && code[at + 1] == opcode && code[at + 2] >> 6 == 1 && (code[at + 2] & 7) != 4 && code[at + 3] < 0x80;
  };
  const auto base = [&code](size_t at) { return (code[at] & 1) << 3 | (code[at + 2] & 7); };
  constexpr uint8_t kLoad = 0x8b;
  constexpr uint8_t kStore = 0x89;
  constexpr uint8_t kStoreConstant = 0xc7;
  constexpr std::array<uint8_t, 4> kOne = {1, 0, 0, 0};
  std::optional<TokioTaskId> found;
  for (size_t at = 0; at + 8 <= code.size(); ++at) {
    TokioTaskId here;
    if (is_word(at, kLoad) && is_word(at + 4, kStore) && base(at) == base(at + 4) && code[at + 3] == code[at + 7]) {
      here.id = code[at + 3];  // mov n(%context),%old; mov %new,n(%context)
    } else if (at + 12 <= code.size() && is_word(at, kStoreConstant) && is_word(at + 8, kStore) && base(at) == base(at + 8) &&
               code[at + 11] == code[at + 3] + 8 && std::equal(kOne.begin(), kOne.end(), code.begin() + static_cast<ptrdiff_t>(at) + 4)) {
      here = {.id = code[at + 11], .tag = code[at + 3]};  // movq $1,n(%context); mov %new,n+8(%context)
    } else {
      continue;
    }
    if (found && *found != here) return std::nullopt;
    found = here;
  }
  return found;
}

std::optional<size_t> tokio_probe_at(std::span<const uint8_t> code) {
  constexpr std::array<uint8_t, 3> kTest = {0x48, 0x85, 0xf6};  // test %rsi,%rsi: is there a task; then a jump
  if (!code.empty() && code[0] == kPush) return 0;
  if (code.size() < 5 || !std::equal(kTest.begin(), kTest.end(), code.begin())) return std::nullopt;
  const bool jump = code[3] == 0x74 || (code[3] == 0x0f && code[4] == 0x84);
  return jump ? std::optional<size_t>(kTest.size()) : std::nullopt;
}

uint64_t tls_offset(uint64_t value, uint64_t segment_bytes, uint64_t segment_align) {
  const uint64_t align = std::max<uint64_t>(segment_align, 1);
  return value - (segment_bytes + align - 1) / align * align;
}

Layout tokio_layout(const discovery::ProcFs& proc, uint32_t process_id) {
  const std::string path = fmt::format("{}/{}/exe", proc.root, process_id);
  const auto file = discovery::ElfFile::open(path);
  if (!file) return {.description = file.error().message};
  const auto by_threads = [](std::string_view why) { return Layout{.description = fmt::format("rust: {}: by threads", why)}; };
  if (file->header().e_machine != EM_X86_64) return by_threads("not x86_64");
  const Found found = find(*file);
  if (!found.has_table) return by_threads("stripped, so tasks of a tokio runtime, if it has one, cannot be told apart");
  if (found.of(TokioSymbol::kWaker).empty()) return by_threads("no tokio runtime of 1.24 or later");
  if (!found.is_one(TokioSymbol::kWaker) || !found.is_one(TokioSymbol::kContext) || !found.is_one(TokioSymbol::kEnter))
    return by_threads("two tokio runtimes, or one that was built in an unusual way");
  const auto tls = file->segment(PT_TLS);
  const auto at = task_id_at(*file, found);
  if (!tls || !at) return by_threads("tokio's TaskIdGuard::enter is not as expected");
  const auto bias = load_bias(proc, process_id, *file);
  if (!bias) return by_threads("where it was loaded is not known");

  Layout layout;
  layout.runtime = CLEW_RUNTIME_TOKIO;
  const uint64_t context = tls_offset(*found.of(TokioSymbol::kContext).begin(), tls->p_memsz, tls->p_align);
  layout.values[kTaskId] = context + at->id;
  layout.values[kWaker] = *found.of(TokioSymbol::kWaker).begin() + *bias;
  if (at->tag) layout.values[kTaskTag] = context + *at->tag;
  layout.description = fmt::format("tokio: the current task at {} from the thread pointer", static_cast<int64_t>(layout.values[kTaskId]));
  const bool binds = add_probes(layout, *file, path, found.of(TokioSymbol::kBind), "uprobe__tokio_spawn");
  const bool schedules = add_probes(layout, *file, path, found.of(TokioSymbol::kSchedule), "uprobe__tokio_spawn");
  const bool blocks = add_probes(layout, *file, path, found.of(TokioSymbol::kBlocking), "uprobe__tokio_spawn_blocking");
  layout.description += binds || schedules ? "; who spawns tasks, by probes" : "; who spawns tasks is not known";
  if (!blocks) layout.description += "; nothing of spawn_blocking";
  return layout;
}

}  // namespace clew::runtime
