// SPDX-License-Identifier: Apache-2.0
// Where running clews have their sockets: <directory>/<process id>.sock, in a directory that only their user may enter.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/base/result.h"

namespace clew::telemetry {

/// root: /run/clew; others: $XDG_RUNTIME_DIR/clew, or /tmp/clew-<uid>. `lookup` as ::getenv.
std::string status_directory(uid_t user, const std::function<const char*(const char*)>& lookup);

/// All that this user may look into: its own; for root those of every user.
std::vector<std::string> status_directories(uid_t user, const std::function<const char*(const char*)>& lookup);

/// Makes it with mode 0700, or checks that it is a directory (no link), this user's, and closed to others.
base::Result<std::string> prepare_status_directory(const std::string& directory);

/// True for a directory, not a link to one, that belongs to the effective user.
bool is_own_directory(const std::string& directory);

struct StatusSocket {
  uint32_t process_id = 0;
  std::string path;
};
/// The sockets in it, by process id; empty if it cannot be read. At most 1,024.
std::vector<StatusSocket> list_status_sockets(const std::string& directory);

/// True if clews may run here that `user` cannot see: root's directory is there and not to be read.
bool has_hidden_clews(uid_t user);

}  // namespace clew::telemetry
