// SPDX-License-Identifier: Apache-2.0
// For tests: packets and capture files built by hand, byte by byte, so that every field can be wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clew::replay::testing {

inline void put8(std::string& out, uint32_t value) { out.push_back(static_cast<char>(value)); }
inline void put16(std::string& out, uint32_t value) {
  put8(out, value >> 8);
  put8(out, value);
}
inline void put32(std::string& out, uint32_t value) {
  put16(out, value >> 16);
  put16(out, value);
}

/// A TCP segment as its header says it.
struct Tcp {
  uint16_t source_port = 40000;
  uint16_t destination_port = 80;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;
  uint8_t flags = 0x18;  // PSH, ACK
  std::string options;   // a multiple of 4 bytes
  std::string payload;
  int header_words = -1;  // -1: right

  std::string bytes() const {
    std::string out;
    put16(out, source_port);
    put16(out, destination_port);
    put32(out, sequence);
    put32(out, acknowledgement);
    const size_t words = header_words >= 0 ? static_cast<size_t>(header_words) : 5 + options.size() / 4;
    put8(out, static_cast<uint32_t>(words << 4));
    put8(out, flags);
    put16(out, 65535);
    put32(out, 0);
    return out + options + payload;
  }
};

/// IPv4 from 10.0.0.`source` to 10.0.0.`destination`.
struct Ipv4 {
  uint8_t source = 1;
  uint8_t destination = 2;
  uint8_t protocol = 6;
  uint16_t fragment = 0;  // flags and offset
  std::string options;    // a multiple of 4 bytes
  int total_length = -1;  // -1: right
  int header_words = -1;

  std::string bytes(std::string_view payload) const {
    std::string out;
    const size_t words = header_words >= 0 ? static_cast<size_t>(header_words) : 5 + options.size() / 4;
    put8(out, static_cast<uint32_t>(0x40 | words));
    put8(out, 0);
    put16(out, static_cast<uint32_t>(total_length >= 0 ? total_length : static_cast<int>(20 + options.size() + payload.size())));
    put16(out, 1);
    put16(out, fragment);
    put8(out, 64);
    put8(out, protocol);
    put16(out, 0);
    put32(out, 0x0a000000u | source);
    put32(out, 0x0a000000u | destination);
    return out.append(options).append(payload);
  }
};

/// IPv6 from fd00::`source` to fd00::`destination`.
struct Ipv6 {
  uint8_t source = 1;
  uint8_t destination = 2;
  uint8_t next_header = 6;
  std::string extensions;
  int payload_length = -1;  // -1: right

  std::string bytes(std::string_view payload) const {
    std::string out;
    put32(out, 0x60000000u);
    put16(out, static_cast<uint32_t>(payload_length >= 0 ? payload_length : static_cast<int>(extensions.size() + payload.size())));
    put8(out, next_header);
    put8(out, 64);
    for (const uint8_t end : {source, destination}) out.append("\xfd").append(14, '\0').append(1, static_cast<char>(end));
    return out.append(extensions).append(payload);
  }
};

/// An Ethernet frame; `tags` are the EtherTypes of VLAN tags.
inline std::string ethernet(std::string_view ip, uint16_t type = 0x0800, const std::vector<uint16_t>& tags = {}) {
  std::string out(12, '\x02');
  for (const uint16_t tag : tags) {
    put16(out, tag);
    put16(out, 42);
  }
  put16(out, type);
  return out.append(ip);
}

inline std::string linux_cooked(std::string_view ip, uint16_t type = 0x0800) {
  std::string out(14, '\0');
  put16(out, type);
  return out.append(ip);
}

inline std::string linux_cooked2(std::string_view ip, uint16_t type = 0x0800) {
  std::string out;
  put16(out, type);
  return out.append(18, '\0').append(ip);
}

/// The bytes of a classic .pcap.
class PcapFile {
 public:
  static constexpr size_t kHeaderBytes = 24;
  static constexpr size_t kPacketHeaderBytes = 16;

  explicit PcapFile(uint32_t link_type, bool nanoseconds = false, bool big_endian = false)
      : big_endian_(big_endian), unit_ns_(nanoseconds ? 1 : 1000) {
    put(nanoseconds ? 0xa1b23c4du : 0xa1b2c3d4u);
    put(big_endian ? 0x00020004u : 0x00040002u);  // version 2.4, two 16-bit fields
    put(0);
    put(0);
    put(262144);
    put(link_type);
  }
  /// `wire_length` 0: all of it was captured.
  void add(std::string_view packet, uint64_t time_ns = 0, size_t wire_length = 0) {
    put(static_cast<uint32_t>(time_ns / 1'000'000'000));
    put(static_cast<uint32_t>(time_ns % 1'000'000'000 / unit_ns_));
    put(static_cast<uint32_t>(packet.size()));
    put(static_cast<uint32_t>(wire_length == 0 ? packet.size() : wire_length));
    bytes_.append(packet);
  }
  std::string& bytes() { return bytes_; }

 private:
  void put(uint32_t value) { put32(bytes_, big_endian_ ? value : __builtin_bswap32(value)); }

  bool big_endian_;
  uint64_t unit_ns_;
  std::string bytes_;
};

/// The bytes of a .pcapng with times in microseconds.
class PcapngFile {
 public:
  PcapngFile() {
    std::string body;
    put(body, 0x1a2b3c4d);
    put(body, 1);  // version 1.0
    put(body, 0xffffffff);
    put(body, 0xffffffff);
    block(0x0a0d0d0a, body);
  }
  void add_interface(uint16_t link_type) {
    std::string body;
    put(body, link_type);
    put(body, 0);
    block(1, body);
  }
  void add(uint32_t interface, std::string_view packet, uint64_t time_ns) {
    std::string body;
    put(body, interface);
    put(body, static_cast<uint32_t>(time_ns / 1000 >> 32));
    put(body, static_cast<uint32_t>(time_ns / 1000));
    put(body, static_cast<uint32_t>(packet.size()));
    put(body, static_cast<uint32_t>(packet.size()));
    body.append(packet).append((4 - packet.size() % 4) % 4, '\0');
    block(6, body);
  }
  std::string& bytes() { return bytes_; }

 private:
  static void put(std::string& out, uint32_t value) { put32(out, __builtin_bswap32(value)); }
  void block(uint32_t type, const std::string& body) {
    const auto length = static_cast<uint32_t>(body.size() + 12);
    put(bytes_, type);
    put(bytes_, length);
    bytes_.append(body);
    put(bytes_, length);
  }

  std::string bytes_;
};

}  // namespace clew::replay::testing
