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
#include <utility>

namespace clew::discovery {
namespace {

/// How many sections the file says it has. Those that are too many for the header are told by the first section; libelf makes room for as
/// many as that says, before anybody can ask.
template <class Header, class SectionHeader>
uint64_t sections_in(int fd) {
  Header header{};
  if (::pread(fd, &header, sizeof header, 0) != ssize_t{sizeof header}) return 0;  // libelf says what is wrong
  if (header.e_shnum != 0 || header.e_shoff == 0) return header.e_shnum;
  SectionHeader first{};
  return ::pread(fd, &first, sizeof first, static_cast<off_t>(header.e_shoff)) == ssize_t{sizeof first} ? first.sh_size : 0;
}

}  // namespace

base::Result<ElfFile> ElfFile::open(const std::string& path) {
  ::elf_version(EV_CURRENT);
  // O_NONBLOCK: a fifo must not stop us.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return base::fail(fmt::format("cannot open {}: {}", path, std::generic_category().message(errno)));
  ElfFile file(fd, nullptr);  // from here on it closes fd
  struct stat status{};
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return base::fail(fmt::format("{} is not a regular file", path));

  std::array<char, EI_NIDENT> magic{};
  const ssize_t got = ::pread(fd, magic.data(), magic.size(), 0);
  if (got >= 2 && magic[0] == '#' && magic[1] == '!') return base::fail(fmt::format("{} is a script, not an ELF file", path));
  if (got < SELFMAG || std::memcmp(magic.data(), ELFMAG, SELFMAG) != 0) return base::fail(fmt::format("{} is not an ELF file", path));
  const uint64_t sections =
      magic[EI_CLASS] == ELFCLASS32 ? sections_in<Elf32_Ehdr, Elf32_Shdr>(fd) : sections_in<Elf64_Ehdr, Elf64_Shdr>(fd);
  if (sections > kSectionsMax) return base::fail(fmt::format("{}: it says that it has {} sections", path, sections));

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

ElfFile::ElfFile(ElfFile&& other) noexcept
    : fd_(other.fd_), elf_(other.elf_), header_(other.header_), read_(std::move(other.read_)), bytes_(other.bytes_) {
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
  GElf_Shdr strings;
  if (::elf_getshdrstrndx(elf_, &names) != 0) return;
  const bool named = ::gelf_getshdr(::elf_getscn(elf_, names), &strings) != nullptr && fits(names, strings);
  for (Elf_Scn* handle = ::elf_nextscn(elf_, nullptr); handle != nullptr; handle = ::elf_nextscn(elf_, handle)) {
    Section section{.name = {}, .header = {}, .handle = handle};
    if (::gelf_getshdr(handle, &section.header) == nullptr) continue;
    if (const char* name = named ? ::elf_strptr(elf_, names, section.header.sh_name) : nullptr)
      section.name = {name, ::strnlen(name, kTextMax)};
    visit(section);
  }
}

// Each section's bytes are read once and stay.
bool ElfFile::fits(size_t index, const GElf_Shdr& header) const {
  if (read_.contains(index)) return true;
  if (header.sh_type == SHT_NOBITS || header.sh_size > kBytesMax - bytes_) return false;
  bytes_ += header.sh_size;
  read_.insert(index);
  return true;
}

Elf_Data* ElfFile::data(const Section& section, uint64_t limit) const {
  if (section.header.sh_size > limit || !fits(::elf_ndxscn(section.handle), section.header)) return nullptr;
  return ::elf_getdata(section.handle, nullptr);
}

std::string_view ElfFile::contents(const Section& section, size_t limit) const {
  const Elf_Data* const found = data(section, limit);
  if (found == nullptr || found->d_buf == nullptr) return {};
  return {static_cast<const char*>(found->d_buf), found->d_size};
}

std::string_view ElfFile::text(const Section& section, size_t offset) const {
  const size_t strings = section.header.sh_link;
  GElf_Shdr header;
  if (!read_.contains(strings) && (::gelf_getshdr(::elf_getscn(elf_, strings), &header) == nullptr || !fits(strings, header))) return {};
  const char* found = ::elf_strptr(elf_, strings, offset);
  return found == nullptr ? std::string_view() : std::string_view(found, ::strnlen(found, kTextMax));
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
