// SPDX-License-Identifier: Apache-2.0
// Linked into the client that asks its sockets how much they hold. clew looks for that in a program's code, for on some kernels such a
// program must be left alone; hence the other client, which does not (not_asking.cc).
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "probes.h"

namespace torture {

const bool kAsks = true;

std::string readable_bytes_are(int fd, size_t n, unsigned limit_ms) {
  int have = -1;
  for (unsigned i = 0; i < limit_ms; ++i) {
    if (ioctl(fd, FIONREAD, &have) != 0) return std::string("FIONREAD: ") + std::strerror(errno);
    if (have == static_cast<int>(n)) return {};
    if (have > static_cast<int>(n)) break;
    usleep(1000);
  }
  return "FIONREAD is " + std::to_string(have) + " when " + std::to_string(n) + " bytes have been sent";
}

}  // namespace torture
