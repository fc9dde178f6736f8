// SPDX-License-Identifier: Apache-2.0
// Addresses of both ends, and what a Unix client's name says.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>

#include "table.h"

namespace torture {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

inline Address ipv4_address(uint8_t last, uint16_t port) {
  Address a;
  auto* in = reinterpret_cast<sockaddr_in*>(&a.storage);
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  in->sin_addr.s_addr = htonl(0x7f000000U | last);
  a.size = sizeof *in;
  return a;
}

inline Address ipv6_address(uint16_t port) {
  Address a;
  auto* in = reinterpret_cast<sockaddr_in6*>(&a.storage);
  in->sin6_family = AF_INET6;
  in->sin6_port = htons(port);
  in->sin6_addr = in6addr_loopback;
  a.size = sizeof *in;
  return a;
}

// An abstract name: gone with its socket.
inline Address unix_address(const std::string& name) {
  Address a;
  auto* un = reinterpret_cast<sockaddr_un*>(&a.storage);
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path + 1, name.data(), name.size());
  a.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  return a;
}

inline uint16_t port_of(const Address& a) {
  return ntohs(a.storage.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in*>(&a.storage)->sin_port
                                              : reinterpret_cast<const sockaddr_in6*>(&a.storage)->sin6_port);
}

inline size_t slot_of(const Address& a) {
  return a.storage.ss_family == AF_INET ? ntohl(reinterpret_cast<const sockaddr_in*>(&a.storage)->sin_addr.s_addr) & 0xff : kAddresses - 1;
}

// The name of a Unix client: seed, ordinal, pins, all in hex.
inline std::string unix_name(const Entry& e) {
  char text[96];
  int n = std::snprintf(text, sizeof text, "torture-%llx-%llx-", static_cast<unsigned long long>(e.seed),
                        static_cast<unsigned long long>(e.ordinal));
  for (const uint8_t p : e.pins) n += std::snprintf(text + n, sizeof text - static_cast<size_t>(n), "%02x", p);
  return text;
}

inline std::optional<Entry> entry_of_unix_name(const Address& a) {
  const auto* un = reinterpret_cast<const sockaddr_un*>(&a.storage);
  if (a.size <= offsetof(sockaddr_un, sun_path) + 1) return std::nullopt;
  const std::string name(un->sun_path + 1, a.size - offsetof(sockaddr_un, sun_path) - 1);
  Entry e;
  unsigned long long seed = 0, ordinal = 0;
  int at = 0;
  if (std::sscanf(name.c_str(), "torture-%llx-%llx-%n", &seed, &ordinal, &at) != 2 || at == 0) return std::nullopt;
  for (uint8_t& p : e.pins) {
    unsigned value = 0;
    if (std::sscanf(name.c_str() + at, "%2x", &value) != 1) return std::nullopt;
    p = static_cast<uint8_t>(value);
    at += 2;
  }
  e.seed = seed;
  e.ordinal = ordinal;
  e.in_use = 1;
  return e;
}

}  // namespace torture
