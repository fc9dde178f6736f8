// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/listening.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ranges>

namespace clew::discovery {
namespace {

constexpr const char* kIpv4 = "net/tcp";
constexpr std::string_view kListen = "0A";             // TCP_LISTEN in /proc/net/tcp
constexpr size_t kFirstTableBytes = size_t{64} << 10;  // some 430 sockets
constexpr size_t kMaxTableBytes = size_t{16} << 20;
constexpr size_t kMaxFds = size_t{1} << 20;

std::string_view next_field(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.size(), rest.find_first_not_of(' ')));
  const std::string_view field = rest.substr(0, rest.find(' '));
  rest.remove_prefix(field.size());
  return field;
}

template <class Number>
bool parse(std::string_view text, int base, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

bool parse_listening_sockets(std::string_view text, SocketPorts& sockets) {
  bool header = true;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) break;  // cut off by the limit of the read
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(header, false)) continue;
    next_field(line);  // the slot
    const std::string_view local = next_field(line);
    next_field(line);  // the peer
    const std::string_view state = next_field(line);
    if (state.size() != 2) continue;
    if (state != kListen) return true;
    for (int skipped = 4; skipped < 9; ++skipped) next_field(line);
    uint64_t inode = 0;
    uint16_t port = 0;
    const size_t colon = local.rfind(':');
    if (colon != std::string_view::npos && parse(local.substr(colon + 1), 16, port) && parse(next_field(line), 10, inode) && inode != 0)
      sockets[inode] = port;
  }
  return false;
}

const SocketPorts* ListeningSockets::sockets_of(uint64_t network_namespace, const Directory& process) {
  if (const auto known = by_namespace_.find(network_namespace); known != by_namespace_.end()) return &known->second;
  SocketPorts sockets;
  std::string text;
  for (const char* table : {kIpv4, "net/tcp6"}) {
    for (size_t limit = kFirstTableBytes; limit <= kMaxTableBytes; limit *= 16) {
      const Directory::Read read = process.read(table, limit, text);
      // Not read (it has just ended, most likely) is not empty: another process of the namespace will answer. tcp6 may be absent.
      if (read.error != 0 && (read.error != ENOENT || table == kIpv4 || process.read("stat", 1, text).error != 0)) return nullptr;
      if (read.error != 0 || parse_listening_sockets(text, sockets) || !read.truncated) break;
    }
  }
  return &by_namespace_.emplace(network_namespace, std::move(sockets)).first->second;
}

std::vector<uint16_t> ListeningSockets::ports_of(uint32_t process_id, const std::function<bool(uint16_t)>& wanted) {
  std::vector<uint16_t> ports;
  const auto process = Directory::open(fmt::format("{}/{}", proc_.root, process_id));
  if (!process) return ports;
  int error = 0;
  const uint64_t network_namespace = inode_of_link(process->link("ns/net", error), "net:");
  if (network_namespace == 0) return ports;
  const SocketPorts* sockets = sockets_of(network_namespace, *process);
  if (sockets == nullptr || std::ranges::none_of(std::views::values(*sockets), wanted)) return ports;

  const auto fds = process->open_below("fd");
  if (!fds) return ports;
  for (const uint32_t fd : numbered_entries(*fds, kMaxFds)) {
    const uint64_t inode = inode_of_link(fds->link(fmt::format("{}", fd).c_str(), error), "socket:");
    if (inode == 0) continue;
    const auto socket = sockets->find(inode);
    if (socket != sockets->end() && wanted(socket->second)) ports.push_back(socket->second);
  }
  std::ranges::sort(ports);
  const auto repeated = std::ranges::unique(ports);  // one socket under several numbers, or v4 and v6 on one port
  ports.erase(repeated.begin(), repeated.end());
  return ports;
}

}  // namespace clew::discovery
