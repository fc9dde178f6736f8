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
#include <functional>
#include <iterator>
#include <span>

#include "agent/discovery/runtime.h"
#include "agent/runtime/process_image.h"

namespace clew::runtime {
namespace {

constexpr size_t kFilesMax = 4096;
constexpr std::string_view kFionread("\x1b\x54\0\0", 4);
// A module of an interpreter that offers the number to scripts, as CPython's termios does.
constexpr std::string_view kName("FIONREAD\0", 9);
// They ask for files and pipes, or pass on what their caller asks. gRPC asks the sockets of its DNS resolver, which are not touched.
constexpr std::array<std::string_view, 8> kPassing = {"libc.so",      "libc-",      "ld-linux",   "libstdc++.so",
                                                      "libcrypto.so", "libpthread", "libgrpc.so", "cygrpc."};
// Scripts call any function by them, so ioctl, too.
constexpr std::array<std::string_view, 5> kForeign = {"_ctypes.", "_cffi_backend.", "fiddle.so", "koffi.node", "ffi_bindings.node"};

// In the names that a file imports.
constexpr std::array<std::string_view, 2> kLoading = {std::string_view("\0dlopen\0", 8), std::string_view("\0dlmopen\0", 9)};

bool is_one_of(std::span<const std::string_view> prefixes, std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(prefixes, [name](std::string_view prefix) { return name.starts_with(prefix); });
}

bool only_passes_on(std::string_view path) { return is_one_of(kPassing, path); }

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

ReadableBytes::File ReadableBytes::look_into(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (fd < 0 || ::fstat(fd, &status) != 0) {
    if (fd >= 0) ::close(fd);
    return {};
  }
  const std::string key = fmt::format("{}:{}:{}.{}", status.st_dev, status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
  if (const auto known = files_.find(key); known != files_.end()) {
    ::close(fd);
    return known->second;
  }
  File found;
  const auto size = static_cast<size_t>(status.st_size);
  void* const start = size >= sizeof(Elf64_Ehdr) ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  ::close(fd);
  if (start != MAP_FAILED) {
    const std::string_view bytes(static_cast<const char*>(start), size);
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof header);
    if (!bytes.starts_with(ELFMAG)) found = {.asks = false, .loads = false};  // data: a locale, an archive
    if (bytes.starts_with(ELFMAG) && header.e_machine == EM_X86_64 && header.e_phentsize == sizeof(Elf64_Phdr)) {
      found = {.asks = false, .loads = false};
      for (size_t i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        const size_t at = header.e_phoff + i * sizeof segment;
        if (at > size || size - at < sizeof segment) break;
        std::memcpy(&segment, bytes.data() + at, sizeof segment);
        if (segment.p_type != PT_LOAD || segment.p_offset >= size) continue;
        const std::string_view loaded = bytes.substr(segment.p_offset, segment.p_filesz);
        found.asks = found.asks || ((segment.p_flags & PF_X) != 0 ? loads_fionread(loaded) : loaded.contains(kName));
        found.loads = found.loads || std::ranges::any_of(kLoading, [loaded](std::string_view name) { return loaded.contains(name); });
      }
    }
    ::munmap(start, size);
  }
  if (files_.size() >= kFilesMax) files_.clear();
  files_[key] = found;
  return found;
}

ReadableBytes::Answer ReadableBytes::may_be_asked(const discovery::ProcFs& proc, uint32_t process_id, std::optional<Answer> before) {
  const auto image = ProcessImage::open(proc, process_id);
  if (!image || image->modules().empty()) return {};
  std::string names;
  for (const Module& module : image->modules()) fmt::format_to(std::back_inserter(names), "{:x} {}\n", module.start, module.path);
  const size_t files = std::hash<std::string>()(names);
  if (before && before->files == files) return *before;
  return {.asks = std::ranges::any_of(image->modules(),
                                      [this](const Module& module) {
                                        return is_one_of(kForeign, module.path) ||
                                               (!only_passes_on(module.path) && look_into(module.file).asks);
                                      }),
          .files = files};
}

bool ReadableBytes::will_be_asked(const std::string& executable, const std::vector<std::string>& libraries) {
  const auto inspected = discovery::inspect_executable(executable);
  if (!inspected) return true;
  if (!inspected->dynamic) return look_into(executable).asks;
  if (libraries.empty()) return true;
  const auto may = [this](const std::string& path) {
    const File found = look_into(path);
    return found.asks || found.loads;
  };
  return may(executable) || std::ranges::any_of(libraries, [&may](const std::string& path) { return !only_passes_on(path) && may(path); });
}

}  // namespace clew::runtime
