// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/process_probes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "agent/runtime/process_image.h"
#include "agent/tls/needed_files.h"

namespace clew::tls {
namespace {

// In nearly every process, and never with TLS in them.
constexpr std::array<std::string_view, 8> kOthers = {"libc.so", "libc-",       "ld-linux",   "libstdc++.so",
                                                     "libm.so", "libgcc_s.so", "libpthread", "libz.so"};

bool is_other(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return path.starts_with("/dev/") || std::ranges::any_of(kOthers, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

// Data that is mapped is no ELF file either.
bool is_damaged(std::string_view path, const FileProbes& probes) {
  return !probes.damage.empty() && path.substr(path.rfind('/') + 1).find(".so") != std::string_view::npos;
}

}  // namespace

std::vector<MappedFile> mapped_files(const discovery::ProcFs& proc, uint32_t process_id, FileCache& cache) {
  std::vector<MappedFile> files;
  const auto image = runtime::ProcessImage::open(proc, process_id);
  if (!image) return files;
  for (const runtime::Module& module : image->modules()) {
    if (is_other(module.path)) continue;
    FileCache::Entry entry = cache.look(module.file);
    if (entry.probes == nullptr ||
        (entry.probes->probes.empty() && entry.probes->description.empty() && !is_damaged(module.path, *entry.probes)))
      continue;
    files.push_back({.path = module.path, .file = std::move(entry.file), .probes = std::move(entry.probes)});
  }
  return files;
}

namespace {

void add_with_probes(std::vector<MappedFile>& files, const std::vector<std::string>& paths, FileCache& cache) {
  for (const std::string& file : paths) {
    if (is_other(file)) continue;
    FileCache::Entry entry = cache.look(file);
    if (entry.probes == nullptr || (entry.probes->probes.empty() && !entry.probes->moves_bytes)) continue;
    files.push_back({.path = file, .file = std::move(entry.file), .probes = std::move(entry.probes)});
  }
}

}  // namespace

bool moves_bytes_itself(std::string_view program) {
  const std::string_view name = program.substr(program.rfind('/') + 1);
  static constexpr std::array<std::string_view, 6> kNames = {"python", "ruby", "perl", "php", "dotnet", "uwsgi"};
  return std::ranges::any_of(kNames, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

std::vector<MappedFile> coming_files(const discovery::ProcFs& proc, uint32_t process_id, FileCache& cache) {
  const std::string root = fmt::format("{}/{}/root", proc.root, process_id);
  const std::string program = fmt::format("{}/{}/exe", proc.root, process_id);
  const std::string key = OpenFile(program).key();
  std::vector<MappedFile> files;
  if (key.empty()) return files;
  add_with_probes(files, {program}, cache);
  const size_t own = files.size();
  if (const auto known = cache.needs().find(key); known != cache.needs().end()) {
    std::vector<std::string> paths;
    for (const std::string& path : known->second) paths.push_back(root + path);
    add_with_probes(files, paths, cache);
    return files;
  }
  add_with_probes(files, needed_files(proc, process_id), cache);
  if (cache.needs().size() >= FileCache::kFilesMax) cache.needs().clear();
  std::vector<std::string>& needs = cache.needs()[key];
  for (size_t i = own; i < files.size(); ++i) needs.push_back(files[i].path.substr(root.size()));  // of the others nothing is wanted
  return files;
}

std::vector<MappedFile> coming_files(const discovery::ProcFs& proc, uint32_t process_id, const std::string& program, FileCache& cache) {
  std::vector<MappedFile> files;
  add_with_probes(files, {program_file(program)}, cache);
  add_with_probes(files, needed_files(proc, process_id, program), cache);
  return files;
}

}  // namespace clew::tls
