// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/rustls.h"

#include <string_view>

#include "agent/discovery/elf_file.h"

namespace clew::tls {
namespace {

constexpr size_t kBytesMax = size_t{64} << 20;
constexpr std::string_view kSource = "/rustls-0.";  // ".../rustls-0.23.46/src/conn.rs"

}  // namespace

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
