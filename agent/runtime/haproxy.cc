// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/haproxy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "agent/runtime/process_image.h"
#include "bpf/events.h"

namespace clew::runtime {
namespace {

struct Since {
  unsigned version = 0;  // 100 × major + minor
  HaproxyOffsets offsets;
};
// From compiling the sources of each first release, 2.2.0 to 3.4.0 and 3.5-dev5, with and without optional parts.
constexpr std::array kSince = {
    Since{.version = 202, .offsets = {.h1s = 136, .session = 80}},
    Since{.version = 204, .offsets = {.h1s = 136, .session = 32}},
    Since{.version = 207, .offsets = {.h1s = 8, .session = 32}},
};
constexpr unsigned kNewest = 305;
constexpr size_t kVersionMax = 64;

// enum haproxy_layout of bpf/execution/haproxy.bpf.h
enum : size_t { kFdtab = 0, kH1s = 1, kSession = 2 };

Layout none(const std::string& why) { return {.description = "haproxy: " + why}; }

}  // namespace

std::optional<HaproxyOffsets> haproxy_offsets(std::string_view version) {
  unsigned major = 0;
  unsigned minor = 0;
  const char* const end = version.data() + version.size();
  const auto first = std::from_chars(version.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.' || major > 9) return std::nullopt;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc() || minor > 99) return std::nullopt;
  const unsigned number = 100 * major + minor;
  if (number < kSince.front().version || number > kNewest) return std::nullopt;
  return std::prev(std::ranges::upper_bound(kSince, number, {}, &Since::version))->offsets;
}

Layout haproxy_layout(const discovery::ProcFs& proc, uint32_t process_id) {
  const auto image = ProcessImage::open(proc, process_id);
  if (!image) return none(image.error().message);
  const Module* const module = image->find([&image](std::string_view path) { return path == image->executable(); });
  if (module == nullptr) return none("its executable is not mapped");
  static constexpr std::array<std::string_view, 2> kNames = {"fdtab", "haproxy_version"};
  const auto found = find_symbols(*module, kNames);
  if (!found) return none(found.error().message);
  const auto& [table, text] = std::tie((*found)[0], (*found)[1]);
  if (!table || !text) return none("it does not export what is needed");

  const ReadMemory read = image->memory();
  std::array<char, kVersionMax> buffer{};
  read(text->address, buffer.data(), buffer.size() - 1);
  const std::string_view version(buffer.data());
  const auto offsets = haproxy_offsets(version);
  if (!offsets) return none(fmt::format("version \"{}\" is not known", version));
  Layout layout;
  layout.runtime = CLEW_RUNTIME_HAPROXY;
  layout.values[kFdtab] = table->address;
  layout.values[kH1s] = offsets->h1s;
  layout.values[kSession] = offsets->session;
  layout.description = fmt::format("haproxy {}: by the client of the stream that a connection serves", version);
  return layout;
}

}  // namespace clew::runtime
