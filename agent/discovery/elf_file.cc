// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/elf_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace clew::discovery {

base::Result<ElfFile> ElfFile::open(const std::string& path) {
  ::elf_version(EV_CURRENT);
  // O_NONBLOCK: a fifo must not stop us.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return base::fail(fmt::format("cannot open {}: {}", path, std::generic_category().message(errno)));
  ElfFile file(fd, nullptr);  // from here on it closes fd
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return base::fail(fmt::format("{} is not a regular file", path));

  std::array<char, 4> magic{};
  const ssize_t got = ::pread(fd, magic.data(), magic.size(), 0);
  if (got >= 2 && magic[0] == '#' && magic[1] == '!') return base::fail(fmt::format("{} is a script, not an ELF file", path));
  if (got != 4 || std::memcmp(magic.data(), ELFMAG, SELFMAG) != 0) return base::fail(fmt::format("{} is not an ELF file", path));

  file.elf_ = ::elf_begin(fd, ELF_C_READ, nullptr);
  if (file.elf_ == nullptr || ::gelf_getehdr(file.elf_, &file.header_) == nullptr)
    return base::fail(fmt::format("{}: its ELF header is damaged: {}", path, ::elf_errmsg(-1)));
  const auto size = static_cast<uint64_t>(status.st_size);
  const GElf_Ehdr& header = file.header_;
  const auto outside = [size](uint64_t offset, uint64_t bytes) { return offset > size || bytes > size - offset; };
  if (outside(header.e_shoff, uint64_t{header.e_shnum} * header.e_shentsize))
    return base::fail(fmt::format("{}: its section table lies outside the file (cut off?)", path));
  if (outside(header.e_phoff, uint64_t{header.e_phnum} * header.e_phentsize))
    return base::fail(fmt::format("{}: its program headers lie outside the file", path));
  return file;
}

ElfFile::ElfFile(ElfFile&& other) noexcept : fd_(other.fd_), elf_(other.elf_), header_(other.header_) {
  other.fd_ = -1;
  other.elf_ = nullptr;
}

ElfFile::~ElfFile() {
  if (elf_ != nullptr) ::elf_end(elf_);
  if (fd_ >= 0) ::close(fd_);
}

std::optional<GElf_Phdr> ElfFile::segment(uint32_t type) const {
  GElf_Phdr segment;
  for (int i = 0; i < header_.e_phnum; ++i) {
    if (::gelf_getphdr(elf_, i, &segment) != nullptr && segment.p_type == type) return segment;
  }
  return std::nullopt;
}

void ElfFile::for_each_section(const std::function<void(const Section&)>& visit) const {
  size_t names = 0;
  if (::elf_getshdrstrndx(elf_, &names) != 0) return;
  for (Elf_Scn* handle = ::elf_nextscn(elf_, nullptr); handle != nullptr; handle = ::elf_nextscn(elf_, handle)) {
    Section section{.name = {}, .header = {}, .handle = handle};
    if (::gelf_getshdr(handle, &section.header) == nullptr) continue;
    if (const char* name = ::elf_strptr(elf_, names, section.header.sh_name)) section.name = name;
    visit(section);
  }
}

std::string_view ElfFile::contents(const Section& section, size_t limit) const {
  if (section.header.sh_type == SHT_NOBITS || section.header.sh_size > limit) return {};
  const Elf_Data* data = ::elf_getdata(section.handle, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return {};
  return {static_cast<const char*>(data->d_buf), data->d_size};
}

std::string_view ElfFile::text(const Section& section, size_t offset) const {
  const char* found = ::elf_strptr(elf_, section.header.sh_link, offset);
  return found == nullptr ? std::string_view() : std::string_view(found);
}

bool ElfFile::read(uint64_t address, std::span<std::byte> into) const {
  const auto first = offset_of(address);
  if (!first || into.empty() || offset_of(address + into.size() - 1) != *first + into.size() - 1) return false;
  return ::pread(fd_, into.data(), into.size(), static_cast<off_t>(*first)) == static_cast<ssize_t>(into.size());
}

std::optional<uint64_t> ElfFile::offset_of(uint64_t address) const {
  GElf_Phdr segment;
  for (int i = 0; i < header_.e_phnum; ++i) {
    if (::gelf_getphdr(elf_, i, &segment) == nullptr || segment.p_type != PT_LOAD) continue;
    if (address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) return segment.p_offset + (address - segment.p_vaddr);
  }
  return std::nullopt;
}

}  // namespace clew::discovery
