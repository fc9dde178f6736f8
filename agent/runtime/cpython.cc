// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/cpython.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "bpf/events.h"

namespace clew::runtime {
namespace {

// Offsets as the debug information of 3.8.18, 3.9.18, 3.10.13, 3.11.7, 3.12.1, 3.13.0 and 3.14.10 has them; within one version they do not
// change. Since 3.13 _PyRuntime begins with struct _Py_DebugOffsets, which names all but the last; for those versions the numbers say where
// in it.
struct Offsets {
  uint32_t minor = 0;
  bool in_debug_offsets = false;
  uint64_t interpreters = 0;  // _PyRuntime.interpreters.head
  uint64_t threads = 0;       // PyInterpreterState: the first of its thread states
  uint64_t thread_id = 0;     // PyThreadState.thread_id: what pthread_self() gives, with glibc the thread pointer
  uint64_t context = 0;       // PyThreadState.context
};
constexpr std::array kOffsets = {
    Offsets{.minor = 8, .interpreters = 32, .threads = 8, .thread_id = 176, .context = 240},
    Offsets{.minor = 9, .interpreters = 32, .threads = 8, .thread_id = 176, .context = 240},
    Offsets{.minor = 10, .interpreters = 32, .threads = 8, .thread_id = 176, .context = 240},
    Offsets{.minor = 11, .interpreters = 40, .threads = 16, .thread_id = 152, .context = 224},
    Offsets{.minor = 12, .interpreters = 40, .threads = 72, .thread_id = 136, .context = 208},
    Offsets{.minor = 13, .in_debug_offsets = true, .interpreters = 40, .threads = 72, .thread_id = 192, .context = 208},
    Offsets{.minor = 14, .in_debug_offsets = true, .interpreters = 40, .threads = 72, .thread_id = 216, .context = 208},
};
constexpr uint64_t kNext = 8;  // PyThreadState.next and .interp, in all of them
constexpr uint64_t kInterp = 16;
constexpr uint64_t kObType = 8;   // PyObject.ob_type; elsewhere in builds without the global lock
constexpr int kThreadsMax = 256;  // looked at

// glibc's struct pthread: its own address twice, and the first 32 thread-specific values, each behind a sequence number.
constexpr uint64_t kSelf = 16;
constexpr uint64_t kSpecific = 0x310;
constexpr uint64_t kKeys = 32;

Layout none(std::string why, bool not_yet = false) { return {.description = "cpython: by threads, " + std::move(why), .not_yet = not_yet}; }

std::optional<Offsets> resolve(const ReadMemory& read, uint64_t runtime, Offsets offsets) {
  if (!offsets.in_debug_offsets) return offsets;
  std::array<char, 8> cookie{};
  if (!read(runtime, cookie.data(), cookie.size()) || std::memcmp(cookie.data(), "xdebugpy", cookie.size()) != 0) return std::nullopt;
  for (uint64_t* const offset : {&offsets.interpreters, &offsets.threads, &offsets.thread_id}) {
    const auto value = word_at(read, runtime + *offset);
    if (!value || *value > (uint64_t{1} << 20)) return std::nullopt;
    *offset = *value;
  }
  return offsets;
}

// Offset from the thread pointer to the thread-specific value that is `state`: the first one, which Python makes before any extension.
std::optional<uint64_t> specific_of(const ReadMemory& read, uint64_t thread, uint64_t state) {
  if (word_at(read, thread) != thread || word_at(read, thread + kSelf) != thread) return std::nullopt;
  for (uint64_t key = 0; key < kKeys; ++key) {
    const uint64_t at = kSpecific + 16 * key + 8;
    if (word_at(read, thread + at) == state) return at;
  }
  return std::nullopt;
}

}  // namespace

uint32_t python_version_in(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const size_t at = name.find("python3.");
  if (at == std::string_view::npos) return 0;
  uint32_t minor = 0;
  const char* const end = name.data() + name.size();
  if (std::from_chars(name.data() + at + 8, end, minor).ec != std::errc() || minor > 255) return 0;
  return 3U << 24 | minor << 16;
}

Layout read_cpython(const ReadMemory& read, const CpythonSymbols& symbols) {
  const uint32_t minor = symbols.version >> 16 & 0xff;
  const auto* const known = std::ranges::find(kOffsets, minor, &Offsets::minor);
  if (symbols.version >> 24 != 3 || known == kOffsets.end())
    return none(symbols.version == 0 ? "its version is not known"
                                     : fmt::format("version {}.{} is not known", symbols.version >> 24, minor));
  const auto offsets = resolve(read, symbols.runtime, *known);
  if (!offsets) return none("its debug offsets cannot be read", true);
  const auto interpreter = word_at(read, symbols.runtime + offsets->interpreters);
  if (!interpreter || *interpreter == 0) return none("the interpreter has not started", true);

  uint64_t state = word_at(read, *interpreter + offsets->threads).value_or(0);
  for (int i = 0; state != 0 && i < kThreadsMax; ++i, state = word_at(read, state + kNext).value_or(0)) {
    if (word_at(read, state + kInterp) != *interpreter) break;
    const uint64_t thread = word_at(read, state + offsets->thread_id).value_or(0);
    const auto key = thread != 0 ? specific_of(read, thread, state) : std::nullopt;
    const auto context = word_at(read, state + offsets->context);
    if (!key || !context) continue;
    if (*context != 0 && word_at(read, *context + kObType) != symbols.context_type) continue;
    Layout layout;
    layout.runtime = CLEW_RUNTIME_CPYTHON;
    layout.values = {0, *key, offsets->thread_id, offsets->context, symbols.context_type};
    layout.description = fmt::format("cpython 3.{}: by the contexts of its tasks (offset {})", minor, offsets->context);
    return layout;
  }
  return none("no thread of the interpreter is as it should be (another C library or an unusual build?)", true);
}

Layout find_cpython(const discovery::ProcFs& proc, uint32_t process_id) {
  const auto image = ProcessImage::open(proc, process_id);
  if (!image) return none(image.error().message);
  static constexpr std::array<std::string_view, 4> kNames = {"_PyRuntime", "PyContext_Type", "PyContext_CopyCurrent", "Py_Version"};
  const Module* const library =
      image->find([](std::string_view path) { return path.substr(path.rfind('/') + 1).starts_with("libpython3."); });
  const Module* const module =
      library != nullptr ? library : image->find([&image](std::string_view path) { return path == image->executable(); });
  if (module == nullptr) return none("its libpython is not mapped", true);
  const auto found = find_symbols(*module, kNames);
  if (!found) return none(found.error().message);
  const auto& [runtime, type, copy, version] = std::tie((*found)[0], (*found)[1], (*found)[2], (*found)[3]);
  if (!runtime || !type || !copy || copy->file_offset == 0)
    return none(module->path + " does not export what is needed", library == nullptr);

  const ReadMemory read = image->memory();
  CpythonSymbols symbols{.version = python_version_in(module->path), .runtime = runtime->address, .context_type = type->address};
  if (version) read(version->address, &symbols.version, sizeof symbols.version);
  Layout layout = read_cpython(read, symbols);
  if (layout.runtime == 0) return layout;
  layout.values[0] = process_id;
  layout.probes.push_back({.program = "uretprobe__cpython_copied", .file = module->file, .offset = copy->file_offset, .at_return = true});
  return layout;
}

}  // namespace clew::runtime
