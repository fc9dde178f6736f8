// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/go.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <vector>

#include "agent/runtime/process_image.h"
#include "bpf/events.h"

namespace clew::runtime {
namespace {

// From the debug information of programs built with each of these releases. What is not here is not known.
constexpr std::array kOffsets = {
    GoOffsets{.minor = 18, .goid = 152, .parent_goid = 0, .m_p = 208, .goid_cache = 384, .chan_receive = 14},
    GoOffsets{.minor = 19, .goid = 152, .parent_goid = 0, .m_p = 208, .goid_cache = 384, .chan_receive = 14},
    GoOffsets{.minor = 20, .goid = 152, .parent_goid = 0, .m_p = 208, .goid_cache = 384, .chan_receive = 14},
    GoOffsets{.minor = 21, .goid = 152, .parent_goid = 272, .m_p = 208, .goid_cache = 384, .chan_receive = 14},
    GoOffsets{.minor = 22, .goid = 152, .parent_goid = 272, .m_p = 208, .goid_cache = 384, .chan_receive = 14},
    GoOffsets{.minor = 23, .goid = 160, .parent_goid = 280, .m_p = 208, .goid_cache = 376, .chan_receive = 14},
    GoOffsets{.minor = 24, .goid = 160, .parent_goid = 280, .m_p = 208, .goid_cache = 376, .chan_receive = 14},
    GoOffsets{.minor = 25, .goid = 152, .parent_goid = 272, .m_p = 200, .goid_cache = 376, .chan_receive = 14},
    GoOffsets{.minor = 26, .goid = 152, .parent_goid = 280, .m_p = 208, .goid_cache = 384, .chan_receive = 19},
    GoOffsets{.minor = 27, .goid = 152, .parent_goid = 280, .m_p = 208, .goid_cache = 384, .chan_receive = 19},
};
constexpr uint64_t kPersistConn = 80;  // conn in net/http.persistConn, all of them
constexpr size_t kCodeMax = 8192;      // of a function

// enum go_layout of bpf/execution/go.bpf.h
enum : size_t { kGoid = 0, kParentGoid = 1, kMP = 2, kGoidCache = 3, kGoidGen = 4, kPersistConnAt = 5, kChanReceive = 6 };

constexpr std::array<std::string_view, 2> kFunctions = {"net/http.(*persistConn).roundTrip", "runtime.newproc1"};

// Where streams of HTTP/2 meet goroutines (bpf/execution/go_streams.bpf.c): the functions, under any of their names.
struct Place {
  const char* program;
  std::array<std::string_view, 4> functions;
};
constexpr std::array<Place, 5> kPlaces = {{
    {"uprobe__go_http2_serves",
     {"net/http.(*http2serverConn).runHandler", "net/http/internal/http2.(*serverConn).runHandler",
      "golang.org/x/net/http2.(*serverConn).runHandler"}},
    {"uprobe__go_http2_asks",
     {"net/http.(*http2ClientConn).roundTrip", "net/http/internal/http2.(*ClientConn).roundTrip",
      "golang.org/x/net/http2.(*ClientConn).roundTrip",
      "golang.org/x/net/http2.(*ClientConn).internalRoundTrip"}},  // the latter since 2026
    {"uprobe__go_grpc_serves", {"google.golang.org/grpc.(*Server).handleStream"}},
    {"uprobe__go_grpc_asks", {"google.golang.org/grpc/internal/transport.(*controlBuffer).executeAndPut"}},
    {"uprobe__go_grpc_writes",
     {"google.golang.org/grpc/internal/transport.(*loopyWriter).clientHeaderHandler",
      "google.golang.org/grpc/internal/transport.(*loopyWriter).headerHandler"}},
}};

std::vector<uint8_t> code_of(const discovery::ElfFile& file, const GoFunction& function) {
  std::vector<uint8_t> code(std::min<uint64_t>(function.size, kCodeMax));
  if (!file.read(function.address, std::as_writable_bytes(std::span(code)))) code.clear();
  return code;
}

// Without one of them there are fewer parents, none that is wrong.
void add_stream_probes(Layout& layout, const discovery::ElfFile& file, const std::string& path) {
  std::vector<std::string_view> names;
  for (const Place& place : kPlaces) names.insert(names.end(), place.functions.begin(), place.functions.end());
  std::erase(names, std::string_view());
  const auto functions = find_go_functions(file, names);
  if (!functions) return;
  size_t found = 0;
  for (const Place& place : kPlaces) {
    for (const std::string_view name : place.functions) {
      if (name.empty()) continue;
      const auto& function = (*functions)[static_cast<size_t>(std::ranges::find(names, name) - names.begin())];
      const auto inside = function ? go_probe_offset(code_of(file, *function)) : std::nullopt;
      const auto offset = inside ? file.offset_of(function->address + *inside) : std::nullopt;
      if (!offset) continue;
      layout.probes.push_back({.program = place.program, .file = path, .offset = *offset, .at_return = false});
      found++;
    }
  }
  if (found != 0) layout.description += fmt::format("; streams of HTTP/2 by {} probes", found);
}

}  // namespace

std::optional<GoOffsets> go_offsets(std::string_view version) {
  if (!version.starts_with("go1.")) return std::nullopt;
  unsigned minor = 0;
  const auto [end, error] = std::from_chars(version.data() + 4, version.data() + version.size(), minor);
  if (error != std::errc()) return std::nullopt;
  const char next = end == version.data() + version.size() ? ' ' : *end;
  if (next != '.' && next != ' ' && next != '-') return std::nullopt;  // go1.28rc1
  const auto* found = std::ranges::find(kOffsets, minor, &GoOffsets::minor);
  return found == kOffsets.end() ? std::nullopt : std::optional(*found);
}

std::optional<size_t> go_probe_offset(std::span<const uint8_t> code) {
  const auto is_at = [code](size_t at, std::initializer_list<uint8_t> bytes) {
    return code.size() >= at + bytes.size() && std::equal(bytes.begin(), bytes.end(), code.begin() + static_cast<ptrdiff_t>(at));
  };
  size_t at = 0;
  if (is_at(0, {0x4c, 0x8d, 0x64, 0x24}))  // lea -n(%rsp),%r12
    at = 5;
  else if (is_at(0, {0x4c, 0x8d, 0xa4, 0x24}))
    at = 8;
  if (!is_at(at, {static_cast<uint8_t>(at == 0 ? 0x49 : 0x4d), 0x3b, 0x66, 0x10})) return std::nullopt;  // cmp 0x10(%r14),
  at += 4;
  size_t behind = 0;
  if (is_at(at, {0x76}))  // jbe
    behind = at + 2;
  else if (is_at(at, {0x0f, 0x86}))
    behind = at + 6;
  else
    return std::nullopt;
  return is_at(behind, {0x55}) ? behind : at;
}

std::optional<uint64_t> go_id_counter(std::span<const uint8_t> code, uint64_t address) {
  // mov $16,%reg32; lea counter(%rip),%reg; lock xadd %reg,(%reg)
  std::optional<uint64_t> found;
  for (size_t at = 4; at + 12 <= code.size(); ++at) {
    const bool sixteen = code[at - 4] == 16 && code[at - 3] == 0 && code[at - 2] == 0 && code[at - 1] == 0;
    const bool lea = (code[at] & 0xfb) == 0x48 && code[at + 1] == 0x8d && (code[at + 2] & 0xc7) == 0x05;
    const bool add = code[at + 7] == 0xf0 && (code[at + 8] & 0xf8) == 0x48 && code[at + 9] == 0x0f && code[at + 10] == 0xc1;
    if (!sixteen || !lea || !add) continue;
    if (found) return std::nullopt;
    int32_t distance = 0;
    std::memcpy(&distance, code.data() + at + 3, sizeof distance);
    found = address + at + 7 + static_cast<uint64_t>(static_cast<int64_t>(distance));
  }
  return found;
}

Layout go_layout(const discovery::ProcFs& proc, uint32_t process_id, const std::string& version) {
  const auto offsets = go_offsets(version);
  if (!offsets) return {.description = fmt::format("go, version \"{}\" is not known: by threads", version)};
  const auto by_threads = [&version](std::string_view why) {
    return Layout{.description = fmt::format("{}: {}: by threads", version, why)};
  };
  const std::string path = fmt::format("{}/{}/exe", proc.root, process_id);
  const auto file = discovery::ElfFile::open(path);
  if (!file) return by_threads(file.error().message);
  if (file->header().e_machine != EM_X86_64) return by_threads("not x86_64");
  const auto bias = load_bias(proc, process_id, *file);
  if (!bias) return by_threads("where it was loaded is not known");
  const auto functions = find_go_functions(*file, kFunctions);
  if (!functions) return by_threads(functions.error().message);
  // The counter is what ids are checked by: without it nobody would see that the offsets are those of another runtime.
  const auto& newproc = (*functions)[1];
  const auto counter = newproc ? go_id_counter(code_of(*file, *newproc), newproc->address) : std::nullopt;
  if (!counter) return by_threads("runtime.newproc1 is not as expected");

  Layout layout;
  layout.runtime = CLEW_RUNTIME_GO;
  layout.values[kGoid] = offsets->goid;
  layout.values[kParentGoid] = offsets->parent_goid;
  layout.values[kMP] = offsets->m_p;
  layout.values[kGoidCache] = offsets->goid_cache;
  layout.values[kGoidGen] = *counter + *bias;
  layout.values[kPersistConnAt] = kPersistConn;
  layout.values[kChanReceive] = offsets->chan_receive;
  layout.description = fmt::format("{}, goroutines at offset {}", version, offsets->goid);
  add_stream_probes(layout, *file, path);
  const auto& round_trip = (*functions)[0];
  if (!round_trip) {
    layout.description += "; no net/http client";
    return layout;
  }
  const auto inside = go_probe_offset(code_of(*file, *round_trip));
  const auto place = inside ? file->offset_of(round_trip->address + *inside) : std::nullopt;
  if (!place) {
    layout.description += "; net/http's client is not followed: its code is not as expected";
    return layout;
  }
  layout.probes.push_back({.program = "uprobe__go_round_trip", .file = path, .offset = *place, .at_return = false});
  layout.description += fmt::format("; net/http's client by a probe at {}+{:#x}", kFunctions[0], *inside);
  return layout;
}

}  // namespace clew::runtime
