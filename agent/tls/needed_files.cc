// SPDX-License-Identifier: Apache-2.0
#include "agent/tls/needed_files.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>

#include "agent/discovery/elf_file.h"

namespace clew::tls {
namespace {

using discovery::ElfFile;

constexpr size_t kEntriesMax = 512;
constexpr size_t kFoldersMax = 32;   // of a file
constexpr size_t kLooksMax = 16384;  // for files, in all
constexpr size_t kDynamicBytesMax = size_t{1} << 20;
constexpr size_t kScriptsMax = 3;  // a script for a script
constexpr std::array<std::string_view, 8> kFolders = {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64",
                                                      "/usr/local/lib",        "/usr/local/lib64",          "/lib",   "/usr/lib"};
constexpr std::array<std::string_view, 4> kInterpreters = {"python", "ruby", "perl", "php"};
constexpr std::array<std::string_view, 3> kUsual = {"libssl.so.3", "libssl.so.1.1", "libgnutls.so.30"};

struct Needs {
  bool known = false;  // all of them were read
  std::vector<std::string> names;
  std::vector<std::string> folders;
};

Needs needs_of(const std::string& path) {
  Needs needs;
  const auto file = ElfFile::open(path);
  if (!file) return needs;
  bool is_read = false;
  file->for_each_section([&](const ElfFile::Section& section) {
    if (is_read || section.header.sh_type != SHT_DYNAMIC || section.header.sh_entsize == 0) return;
    is_read = true;
    Elf_Data* const data = file->data(section, kDynamicBytesMax);
    GElf_Dyn entry;
    for (size_t i = 0; data != nullptr && i < std::min<size_t>(kEntriesMax, section.header.sh_size / section.header.sh_entsize); ++i) {
      if (::gelf_getdyn(data, static_cast<int>(i), &entry) == nullptr) return;
      needs.known = needs.known || entry.d_tag == DT_NULL;
      if (needs.known) return;
      if (entry.d_tag == DT_NEEDED) needs.names.emplace_back(file->text(section, entry.d_un.d_val));
      if (entry.d_tag != DT_RUNPATH && entry.d_tag != DT_RPATH) continue;
      const std::string_view all = file->text(section, entry.d_un.d_val);
      for (size_t at = 0; at < all.size() && needs.folders.size() < kFoldersMax;) {
        const size_t end = std::min(all.find(':', at), all.size());
        needs.folders.emplace_back(all.substr(at, end - at));
        at = end + 1;
      }
    }
  });
  return needs;
}

std::string with_origin(std::string folder, std::string_view path) {
  for (const std::string_view word : {"$ORIGIN", "${ORIGIN}"})
    if (const size_t at = folder.find(word); at != std::string::npos) folder.replace(at, word.size(), path.substr(0, path.rfind('/')));
  return folder;
}

class Search {
 public:
  /// `every`: not only the first file of a name.
  explicit Search(std::string root, bool every = false) : every_(every), root_(std::move(root)) {}

  /// `path` as the process names it.
  void add_needs(const std::string& path, const std::string& file) {
    const Needs needs = needs_of(file);
    complete_ &= needs.known;
    for (const std::string& name : needs.names) {
      if (name.empty() || name.find('/') != std::string::npos) continue;
      bool found = false;
      for (const std::string& folder : needs.folders)
        if (every_ || !found) found |= add(with_origin(folder, path) + "/" + name);
      if (every_ || !found) found |= add_usual(name);
      complete_ &= found;
    }
  }
  bool add_usual(std::string_view name) {
    bool found = false;
    for (const std::string_view folder : kFolders)
      if (every_ || !found) found |= add(fmt::format("{}/{}", folder, name));
    return found;
  }
  /// Every name was found, and all were read.
  bool complete() const { return complete_; }
  std::vector<std::string> take() {
    for (size_t i = 0; i < found_.size(); ++i) add_needs(std::string(found_[i]).substr(root_.size()), found_[i]);
    return std::move(found_);
  }

 private:
  bool add(const std::string& path) {
    if (!path.starts_with('/') || found_.size() >= kNeededFilesMax || ++looks_ > kLooksMax) return false;
    std::string file = root_ + path;
    if (std::ranges::find(found_, file) != found_.end()) return true;
    if (::access(file.c_str(), R_OK) != 0) return false;
    found_.push_back(std::move(file));
    return true;
  }

  bool every_;
  bool complete_ = true;
  std::string root_;
  std::vector<std::string> found_;
  size_t looks_ = 0;
};

std::vector<std::string> needs_of_program(const std::string& root, const std::string& executable, const std::string& file) {
  Search search(root);
  search.add_needs(executable, file);
  const std::string_view name = std::string_view(executable).substr(executable.rfind('/') + 1);
  if (std::ranges::any_of(kInterpreters, [name](std::string_view prefix) { return name.starts_with(prefix); }))
    for (const std::string_view library : kUsual) search.add_usual(library);
  return search.take();
}

std::string in_path(const std::string& name) {
  const char* const path = std::getenv("PATH");
  if (name.empty() || name.find('/') != std::string::npos || path == nullptr) return name;
  const std::string_view all(path);
  for (size_t at = 0; at <= all.size();) {
    const size_t end = std::min(all.find(':', at), all.size());
    std::string candidate = fmt::format("{}/{}", all.substr(at, end - at), name);
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    at = end + 1;
  }
  return name;
}

// Are other libraries loaded, or the same ones from elsewhere, by somebody's wish?
bool linker_is_told(const std::string& directory) {
  std::error_code error;
  const auto preloads = std::filesystem::file_size(directory + "/root/etc/ld.so.preload", error);
  if (!error && preloads != 0) return true;
  std::ifstream file(directory + "/environ", std::ios::binary);
  if (!file) return true;
  for (std::string variable; std::getline(file, variable, '\0');)
    for (const std::string_view name : {"LD_PRELOAD=", "LD_LIBRARY_PATH=", "LD_AUDIT="})
      if (variable.size() > name.size() && variable.starts_with(name)) return true;
  return false;
}

std::vector<std::string> all_needs_of_program(const std::string& directory, const std::string& executable, const std::string& file) {
  if (linker_is_told(directory)) return {};
  Search search(directory + "/root", true);
  search.add_needs(executable, file);
  std::vector<std::string> files = search.take();
  return search.complete() ? files : std::vector<std::string>();
}

// What "#!" names: "/usr/bin/env python3" is python3.
std::string interpreter_of(const std::string& script) {
  std::array<char, 256> line{};
  std::FILE* const file = std::fopen(script.c_str(), "re");
  if (file == nullptr) return {};
  const bool read = std::fgets(line.data(), line.size(), file) != nullptr;
  std::fclose(file);
  if (!read || line[0] != '#' || line[1] != '!') return {};
  std::istringstream words(line.data() + 2);
  std::string first;
  std::string second;
  words >> first >> second;
  return first.ends_with("/env") ? second : first;
}

}  // namespace

std::vector<std::string> needed_files(const discovery::ProcFs& proc, uint32_t process_id) {
  const std::string directory = fmt::format("{}/{}", proc.root, process_id);
  std::error_code error;
  const std::string executable = std::filesystem::read_symlink(directory + "/exe", error).string();
  if (error) return {};
  return needs_of_program(directory + "/root", executable, directory + "/exe");
}

std::vector<std::string> all_needed_files(const discovery::ProcFs& proc, uint32_t process_id) {
  const std::string directory = fmt::format("{}/{}", proc.root, process_id);
  std::error_code error;
  const std::string executable = std::filesystem::read_symlink(directory + "/exe", error).string();
  return error ? std::vector<std::string>() : all_needs_of_program(directory, executable, directory + "/exe");
}

std::string program_file(const std::string& program) {
  std::string path = in_path(program);
  for (size_t i = 0; i < kScriptsMax; ++i) {
    const std::string interpreter = interpreter_of(path);
    if (interpreter.empty()) break;
    path = in_path(interpreter);
  }
  std::error_code error;
  const std::filesystem::path executable = std::filesystem::canonical(path, error);
  return error ? std::string() : executable.string();
}

std::vector<std::string> needed_files(const discovery::ProcFs& proc, uint32_t process_id, const std::string& program) {
  const std::string executable = program_file(program);
  if (executable.empty()) return {};
  return needs_of_program(fmt::format("{}/{}/root", proc.root, process_id), executable, executable);
}

std::vector<std::string> all_needed_files(const discovery::ProcFs& proc, uint32_t process_id, const std::string& program) {
  const std::string executable = program_file(program);
  if (executable.empty()) return {};
  return all_needs_of_program(fmt::format("{}/{}", proc.root, process_id), executable, executable);
}

}  // namespace clew::tls
