// SPDX-License-Identifier: Apache-2.0
// A stdio stream over a descriptor that keeps its own offset (fopencookie, glibc and musl).
#include "agent/replay/pcap_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace clew::replay {
namespace {

constexpr size_t kBufferBytes = 256 * 1024;

struct Cookie {
  int descriptor;
  off64_t offset = 0;
};

ssize_t read_some(void* cookie, char* to, size_t size) {
  auto* self = static_cast<Cookie*>(cookie);
  ssize_t n = 0;
  do {
    n = read(self->descriptor, to, size);
  } while (n < 0 && errno == EINTR);
  if (n > 0) self->offset += n;
  return n;
}

int tell(void* cookie, off64_t* offset, int whence) {
  if (whence != SEEK_CUR || *offset != 0) {
    errno = ESPIPE;
    return -1;
  }
  *offset = static_cast<Cookie*>(cookie)->offset;
  return 0;
}

int close_cookie(void* cookie) {
  const std::unique_ptr<Cookie> self(static_cast<Cookie*>(cookie));
  return close(self->descriptor);
}

}  // namespace

FILE* open_counted(const std::string& path) {
  auto cookie = std::make_unique<Cookie>(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (cookie->descriptor < 0) return nullptr;
  FILE* file = fopencookie(cookie.get(), "r", {.read = read_some, .write = nullptr, .seek = tell, .close = close_cookie});
  if (file == nullptr) {
    close(cookie->descriptor);
    return nullptr;
  }
  static_cast<void>(cookie.release());  // close_cookie() frees it
  setvbuf(file, nullptr, _IOFBF, kBufferBytes);
  return file;
}

}  // namespace clew::replay
