// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/readable_bytes.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/discovery/runtime.h"
#include "agent/runtime/process_image.h"

namespace clew::runtime {
namespace {

constexpr size_t kFilesMax = 4096;
constexpr std::string_view kFionread("\x1b\x54\0\0", 4);
// They ask for files and pipes, or pass on what their caller asks.
constexpr std::array<std::string_view, 6> kPassing = {"libc.so", "libc-", "ld-linux", "libstdc++.so", "libcrypto.so", "libpthread"};

bool only_passes_on(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(kPassing, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

// A move of a 32-bit constant to a register (b8+r), or to memory or a register by ModRM (c7), ends with it.
bool loads_fionread(std::string_view code) {
  for (size_t at = code.find(kFionread); at != std::string_view::npos; at = code.find(kFionread, at + 1)) {
    const auto before = [&code, at](size_t n) { return at >= n ? static_cast<uint8_t>(code[at - n]) : uint8_t{0}; };
    if ((before(1) & 0xf8) == 0xb8) return true;
    for (size_t n = 2; n <= 7; ++n)
      if (before(n) == 0xc7) return true;
  }
  return false;
}

bool ReadableBytes::file_asks(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    if (fd >= 0) ::close(fd);
    return true;
  }
  const std::string key = fmt::format("{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  if (const auto known = files_.find(key); known != files_.end()) {
    ::close(fd);
    return known->second;
  }
  bool asks = true;
  const auto size = static_cast<size_t>(status.st_size);
  void* const start = size >= sizeof(Elf64_Ehdr) ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  ::close(fd);
  if (start != MAP_FAILED) {
    const std::string_view bytes(static_cast<const char*>(start), size);
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (bytes.starts_with(ELFMAG) && header.e_machine == EM_X86_64 && header.e_phentsize == sizeof(Elf64_Phdr)) {
      asks = false;
      for (size_t i = 0; i < header.e_phnum && !asks; ++i) {
        Elf64_Phdr segment;
        const size_t at = header.e_phoff + i * sizeof segment;
        if (at > size || size - at < sizeof segment) break;
        std::memcpy(&segment, bytes.data() + at, sizeof segment);
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && segment.p_offset < size)
          asks = loads_fionread(bytes.substr(segment.p_offset, segment.p_filesz));
      }
    }
    ::munmap(start, size);
  }
  if (files_.size() >= kFilesMax) files_.clear();
  files_[key] = asks;
  return asks;
}

bool ReadableBytes::may_be_asked(const discovery::ProcFs& proc, uint32_t process_id, bool just_begun) {
  using Runtime = discovery::Executable::Runtime;
  const auto executable = discovery::inspect_executable(fmt::format("{}/{}/exe", proc.root, process_id));
  if (!executable) return true;
  if (executable->runtime == Runtime::kGo || executable->runtime == Runtime::kNode || executable->runtime == Runtime::kCpython)
    return false;
  if (just_begun) return true;
  const auto image = ProcessImage::open(proc, process_id);
  if (!image || image->modules().empty()) return true;
  return std::ranges::any_of(image->modules(),
                             [this](const Module& module) { return !only_passes_on(module.path) && file_asks(module.file); });
}

}  // namespace clew::runtime
