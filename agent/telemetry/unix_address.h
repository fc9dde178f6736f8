// SPDX-License-Identifier: Apache-2.0
// The address of a Unix socket from a path, if it fits.
#pragma once

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <string>

#include "agent/base/result.h"

namespace clew::telemetry {

struct UnixAddress {
  sockaddr_un address{};
  socklen_t length = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

inline base::Result<UnixAddress> unix_address(const std::string& path) {
  UnixAddress result;
  if (path.size() >= sizeof(result.address.sun_path))
    return base::fail(
        fmt::format("{} is longer than the {} bytes a Unix socket's path may have", path, sizeof(result.address.sun_path) - 1));
  result.address.sun_family = AF_UNIX;
  std::memcpy(result.address.sun_path, path.c_str(), path.size() + 1);
  result.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return result;
}

}  // namespace clew::telemetry
