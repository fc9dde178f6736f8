// SPDX-License-Identifier: Apache-2.0
// Which process listens on which TCP port: /proc/PID/net/tcp{,6} once per network namespace, joined with the sockets among its fds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/discovery/proc_fs.h"

namespace clew::discovery {

using SocketPorts = std::unordered_map<uint64_t, uint16_t>;  // inode → port

/// Adds the listening sockets in the text of /proc/PID/net/tcp or tcp6. The kernel lists them before all others: true if a line in
/// another state was met, that is, no more will come. Malformed lines are passed over.
bool parse_listening_sockets(std::string_view text, SocketPorts& sockets);

/// Answers for many processes of one pass; a namespace's sockets are read once. Make a new one for the next pass.
class ListeningSockets {
 public:
  explicit ListeningSockets(const ProcFs& proc) : proc_(proc) {}

  /// The ports on which this process listens and for which `wanted` is true, ascending. Empty too if it has ended.
  /// If no socket of its namespace listens on a wanted port, its file descriptors are not looked at.
  std::vector<uint16_t> ports_of(uint32_t process_id, const std::function<bool(uint16_t)>& wanted);

 private:
  const SocketPorts* sockets_of(uint64_t network_namespace, const Directory& process);

  const ProcFs& proc_;  // outlives this
  std::map<uint64_t, SocketPorts> by_namespace_;
};

}  // namespace clew::discovery
