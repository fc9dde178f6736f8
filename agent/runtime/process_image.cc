// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/process_image.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "agent/discovery/elf_file.h"

namespace clew::runtime {
namespace {

constexpr size_t kMaxMapsBytes = size_t{16} << 20;
constexpr size_t kMaxSymbolBytes = size_t{128} << 20;
constexpr uint16_t kMaxSegments = 128;

struct FileDescriptor {
  explicit FileDescriptor(int number) : value(number) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (value >= 0) ::close(value);
  }
  int value;
};

std::vector<Elf64_Phdr> loaded_segments(const std::string& file) {
  const FileDescriptor fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  Elf64_Ehdr header;
  std::vector<Elf64_Phdr> segments;
  if (fd.value < 0 || ::pread(fd.value, &header, sizeof header, 0) != sizeof header || header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phnum > kMaxSegments)
    return segments;
  segments.resize(header.e_phnum);
  const auto bytes = static_cast<ssize_t>(segments.size() * sizeof(Elf64_Phdr));
  if (::pread(fd.value, segments.data(), static_cast<size_t>(bytes), static_cast<off_t>(header.e_phoff)) != bytes) segments.clear();
  struct stat status{};
  const uint64_t size = ::fstat(fd.value, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  std::erase_if(segments, [size](const Elf64_Phdr& segment) {
    return segment.p_type != PT_LOAD || segment.p_offset > size || segment.p_filesz > size - segment.p_offset;
  });
  return segments;
}

}  // namespace

std::vector<Module> modules_in(std::string_view maps, const std::string& process_directory) {
  std::vector<Module> modules;
  while (!maps.empty()) {
    const size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    // "start-end permissions offset device inode   /path"
    const size_t range = line.find(' ');
    const size_t slash = line.find('/');
    if (slash == std::string_view::npos || range == std::string_view::npos ||
        line.substr(std::min(range + 6, line.size()), 9) != "00000000 ")
      continue;
    Module module;
    uint64_t last = 0;
    const auto parsed = std::from_chars(line.data(), line.data() + range, module.start, 16);
    if (parsed.ec != std::errc() || *parsed.ptr != '-') continue;
    if (std::from_chars(parsed.ptr + 1, line.data() + range, last, 16).ec != std::errc()) continue;
    module.path = line.substr(slash);
    if (module.path.ends_with(" (deleted)")) module.path.resize(module.path.size() - 10);
    module.file = fmt::format("{}/map_files/{:x}-{:x}", process_directory, module.start, last);
    const auto same = [&module](const Module& other) { return other.path == module.path; };
    if (std::ranges::none_of(modules, same)) modules.push_back(std::move(module));
  }
  return modules;
}

base::Result<ProcessImage> ProcessImage::open(const discovery::ProcFs& proc, uint32_t process_id) {
  ProcessImage image;
  image.directory_ = fmt::format("{}/{}", proc.root, process_id);
  CLEW_TRY(const discovery::Directory directory, discovery::Directory::open(image.directory_));
  std::string maps;
  if (const auto read = directory.read("maps", kMaxMapsBytes, maps); read.error != 0)
    return base::fail(fmt::format("cannot read the memory map of process {}: {}", process_id, std::generic_category().message(read.error)));
  std::error_code error;
  image.executable_ = std::filesystem::read_symlink(image.directory_ + "/exe", error).string();
  if (image.executable_.ends_with(" (deleted)")) image.executable_.resize(image.executable_.size() - 10);
  image.modules_ = modules_in(maps, image.directory_);
  return image;
}

const Module* ProcessImage::find(const std::function<bool(std::string_view)>& wanted) const {
  const auto found = std::ranges::find_if(modules_, [&wanted](const Module& module) { return wanted(module.path); });
  return found == modules_.end() ? nullptr : &*found;
}

ReadMemory ProcessImage::memory() const {
  auto fd = std::make_shared<FileDescriptor>(::open((directory_ + "/mem").c_str(), O_RDONLY | O_CLOEXEC));  // every copy reads by it
  return [fd](uint64_t address, void* to, size_t bytes) {
    return fd->value >= 0 && ::pread(fd->value, to, bytes, static_cast<off_t>(address)) == static_cast<ssize_t>(bytes);
  };
}

std::optional<uint64_t> load_bias(const discovery::ProcFs& proc, uint32_t process_id, const discovery::ElfFile& file) {
  if (file.header().e_type != ET_DYN) return 0;
  std::string text;
  const auto directory = discovery::Directory::open(fmt::format("{}/{}", proc.root, process_id));
  if (!directory || directory->read("auxv", 4096, text).error != 0) return std::nullopt;
  std::array<uint64_t, 2> pair{};
  for (size_t at = 0; at + sizeof pair <= text.size(); at += sizeof pair) {
    std::memcpy(pair.data(), text.data() + at, sizeof pair);
    if (pair[0] == AT_ENTRY && pair[1] >= file.header().e_entry) return pair[1] - file.header().e_entry;
  }
  return std::nullopt;
}

base::Result<std::vector<std::optional<Symbol>>> find_symbols(const Module& module, std::span<const std::string_view> names) {
  CLEW_TRY(const discovery::ElfFile file, discovery::ElfFile::open(module.file));
  const std::vector<Elf64_Phdr> segments = loaded_segments(module.file);
  const auto first = std::ranges::find(segments, Elf64_Off{0}, &Elf64_Phdr::p_offset);
  if (file.header().e_machine != EM_X86_64 || first == segments.end())
    return base::fail(fmt::format("{} is not of this kind of machine", module.path));
  const uint64_t bias = module.start - first->p_vaddr;

  std::vector<std::optional<Symbol>> result(names.size());
  file.for_each_section([&](const discovery::ElfFile::Section& section) {
    if (section.header.sh_type != SHT_DYNSYM && section.header.sh_type != SHT_SYMTAB) return;
    Elf_Data* const data = section.header.sh_entsize == 0 ? nullptr : file.data(section, kMaxSymbolBytes);
    if (data == nullptr) return;
    GElf_Sym symbol;
    for (size_t i = 0; i < section.header.sh_size / section.header.sh_entsize; ++i) {
      if (::gelf_getsym(data, static_cast<int>(i), &symbol) == nullptr) break;
      if (symbol.st_shndx == SHN_UNDEF) continue;
      const auto name = std::ranges::find(names, file.text(section, symbol.st_name));
      if (name == names.end()) continue;
      Symbol found{.address = bias + symbol.st_value};
      for (const Elf64_Phdr& segment : segments)
        if (symbol.st_value >= segment.p_vaddr && symbol.st_value - segment.p_vaddr < segment.p_filesz)
          found.file_offset = segment.p_offset + (symbol.st_value - segment.p_vaddr);
      result[static_cast<size_t>(name - names.begin())] = found;
    }
  });
  return result;
}

}  // namespace clew::runtime
