// SPDX-License-Identifier: Apache-2.0
// The headers between the wire and TCP. Sources: IEEE 802.1Q; tcpdump.org/linktypes; RFC 791, 8200, 4302, 9293.
#include "agent/replay/packet_decoder.h"

#include <pcap/dlt.h>

#include <algorithm>
#include <cstring>

namespace clew::replay {
namespace {

constexpr uint16_t kEtherIpv4 = 0x0800;
constexpr uint16_t kEtherIpv6 = 0x86dd;
constexpr uint8_t kProtocolTcp = 6;

/// The rest of a packet: what was captured of it, and how long it was on the wire (never less than what was captured).
class Rest {
 public:
  Rest(std::string_view captured, size_t wire_length) : captured_(captured), wire_length_(std::max(captured.size(), wire_length)) {}

  bool on_wire(size_t n) const { return wire_length_ >= n; }
  bool captured(size_t n) const { return captured_.size() >= n; }
  /// Why a header of n bytes cannot be read, when it was not captured: the capture or the packet is too short.
  PacketKind missing(size_t n, PacketKind malformed) const { return on_wire(n) ? PacketKind::kTruncated : malformed; }

  uint8_t u8(size_t at) const { return static_cast<uint8_t>(captured_[at]); }
  uint16_t u16(size_t at) const { return static_cast<uint16_t>(u8(at) << 8 | u8(at + 1)); }
  uint32_t u32(size_t at) const { return static_cast<uint32_t>(u16(at)) << 16 | u16(at + 2); }
  void copy(size_t at, size_t n, uint8_t* to) const { std::memcpy(to, captured_.data() + at, n); }

  /// Passes over n bytes of the wire, n <= wire_length().
  void skip(size_t n) {
    captured_.remove_prefix(std::min(n, captured_.size()));
    wire_length_ -= n;
  }
  /// Drops what follows after n bytes (padding), n <= wire_length().
  void cut(size_t n) {
    captured_ = captured_.substr(0, n);
    wire_length_ = n;
  }
  size_t wire_length() const { return wire_length_; }
  std::string_view bytes() const { return captured_; }

 private:
  std::string_view captured_;
  size_t wire_length_;
};

bool is_vlan_tag(uint16_t ether_type) {
  return ether_type == 0x8100 || ether_type == 0x88a8 || ether_type == 0x9100 || ether_type == 0x9200;
}

/// The values of AF_INET and AF_INET6 differ between systems: Linux 10, NetBSD 24, FreeBSD 28, macOS 30, Windows 23.
bool is_ip_family(uint32_t family) { return family == 2 || family == 10 || family == 23 || family == 24 || family == 28 || family == 30; }

PacketKind decode_tcp(Rest rest, TcpSegment& segment) {
  constexpr size_t kFixedHeader = 20;
  if (!rest.captured(kFixedHeader)) return rest.missing(kFixedHeader, PacketKind::kBadTcpHeader);
  const size_t header = size_t{4} * (rest.u8(12) >> 4);
  if (header < kFixedHeader || !rest.on_wire(header)) return PacketKind::kBadTcpHeader;
  segment.source.port = rest.u16(0);
  segment.destination.port = rest.u16(2);
  segment.sequence = rest.u32(4);
  segment.acknowledgement = rest.u32(8);
  segment.flags = rest.u8(13);
  rest.skip(header);
  segment.payload_length = static_cast<uint32_t>(rest.wire_length());
  segment.payload = rest.bytes();
  return PacketKind::kTcp;
}

PacketKind decode_ipv4(Rest rest, TcpSegment& segment) {
  constexpr size_t kFixedHeader = 20;
  if (!rest.captured(kFixedHeader)) return rest.missing(kFixedHeader, PacketKind::kBadIpHeader);
  const size_t header = size_t{4} * (rest.u8(0) & 0x0f);
  const size_t total = rest.u16(2) == 0 ? rest.wire_length() : rest.u16(2);
  if (header < kFixedHeader || total < header || !rest.on_wire(total)) return PacketKind::kBadIpHeader;
  if (rest.u8(9) != kProtocolTcp) return PacketKind::kNotTcp;
  if ((rest.u16(6) & 0x3fff) != 0) return PacketKind::kIpFragment;  // an offset, or more fragments
  segment.family = capture::Family::kIpv4;
  segment.source.bytes = segment.destination.bytes = {};
  rest.copy(12, 4, segment.source.bytes.data());
  rest.copy(16, 4, segment.destination.bytes.data());
  rest.cut(total);
  rest.skip(header);
  return decode_tcp(rest, segment);
}

/// Passes over the extension headers that may stand before TCP.
PacketKind decode_ipv6_extensions(Rest rest, uint8_t next, TcpSegment& segment) {
  constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestination = 60, kMobility = 135;
  while (next != kProtocolTcp) {
    const bool known =
        next == kHopByHop || next == kRouting || next == kFragment || next == kAuthentication || next == kDestination || next == kMobility;
    if (!known) return PacketKind::kNotTcp;
    if (!rest.captured(8)) return rest.missing(8, PacketKind::kBadIpHeader);
    // A fragment header with neither offset nor more fragments is a whole packet (RFC 6946).
    if (next == kFragment && (rest.u16(2) & 0xfff9) != 0) return PacketKind::kIpFragment;
    size_t length = size_t{8} * (rest.u8(1) + 1);
    if (next == kFragment) length = 8;
    if (next == kAuthentication) length = size_t{4} * (rest.u8(1) + 2);
    if (!rest.on_wire(length)) return PacketKind::kBadIpHeader;
    next = rest.u8(0);
    rest.skip(length);
  }
  return decode_tcp(rest, segment);
}

PacketKind decode_ipv6(Rest rest, TcpSegment& segment) {
  constexpr size_t kFixedHeader = 40;
  if (!rest.captured(kFixedHeader)) return rest.missing(kFixedHeader, PacketKind::kBadIpHeader);
  const size_t payload = rest.u16(4) == 0 ? rest.wire_length() - kFixedHeader : rest.u16(4);
  if (!rest.on_wire(kFixedHeader + payload)) return PacketKind::kBadIpHeader;
  segment.family = capture::Family::kIpv6;
  rest.copy(8, 16, segment.source.bytes.data());
  rest.copy(24, 16, segment.destination.bytes.data());
  const uint8_t next = rest.u8(6);
  rest.cut(kFixedHeader + payload);
  rest.skip(kFixedHeader);
  return decode_ipv6_extensions(rest, next, segment);
}

/// The version in the first byte decides.
PacketKind decode_ip(Rest rest, TcpSegment& segment) {
  if (!rest.captured(1)) return rest.missing(1, PacketKind::kBadIpHeader);
  switch (rest.u8(0) >> 4) {
    case 4: return decode_ipv4(rest, segment);
    case 6: return decode_ipv6(rest, segment);
    default: return PacketKind::kBadIpHeader;
  }
}

/// `rest` begins after the EtherType.
PacketKind decode_ether_type(Rest rest, uint16_t type, TcpSegment& segment) {
  while (is_vlan_tag(type)) {
    if (!rest.captured(4)) return rest.missing(4, PacketKind::kBadLinkHeader);
    type = rest.u16(2);
    rest.skip(4);
  }
  if (type != kEtherIpv4 && type != kEtherIpv6) return PacketKind::kNotIp;
  return decode_ip(rest, segment);
}

/// A link header of fixed size that holds an EtherType somewhere.
PacketKind decode_link(Rest rest, size_t header, size_t type_at, TcpSegment& segment) {
  if (!rest.captured(header)) return rest.missing(header, PacketKind::kBadLinkHeader);
  const uint16_t type = rest.u16(type_at);
  rest.skip(header);
  return decode_ether_type(rest, type, segment);
}

PacketKind decode_null(Rest rest, TcpSegment& segment) {
  if (!rest.captured(4)) return rest.missing(4, PacketKind::kBadLinkHeader);
  const uint32_t family = rest.u32(0);
  if (!is_ip_family(family) && !is_ip_family(__builtin_bswap32(family))) return PacketKind::kNotIp;
  rest.skip(4);
  return decode_ip(rest, segment);
}

}  // namespace

std::optional<LinkType> link_type_from_dlt(int dlt) {
  switch (dlt) {
    case DLT_EN10MB: return LinkType::kEthernet;
    case DLT_NULL:
    case DLT_LOOP: return LinkType::kNull;
    case DLT_LINUX_SLL: return LinkType::kLinuxCooked;
    case DLT_LINUX_SLL2: return LinkType::kLinuxCooked2;
    case DLT_RAW:
    case DLT_IPV4:
    case DLT_IPV6: return LinkType::kRawIp;
    default: return std::nullopt;
  }
}

std::string_view name(PacketKind kind) {
  switch (kind) {
    case PacketKind::kTcp: return "tcp";
    case PacketKind::kNotIp: return "not_ip";
    case PacketKind::kNotTcp: return "not_tcp";
    case PacketKind::kIpFragment: return "ip_fragment";
    case PacketKind::kTruncated: return "truncated_packet";
    case PacketKind::kBadLinkHeader: return "bad_link_header";
    case PacketKind::kBadIpHeader: return "bad_ip_header";
    case PacketKind::kBadTcpHeader: return "bad_tcp_header";
  }
  return "unknown";
}

PacketKind decode_packet(LinkType link, std::string_view captured, uint32_t wire_length, TcpSegment& segment) {
  const Rest rest(captured, wire_length);
  switch (link) {
    case LinkType::kEthernet: return decode_link(rest, 14, 12, segment);
    case LinkType::kNull: return decode_null(rest, segment);
    case LinkType::kLinuxCooked: return decode_link(rest, 16, 14, segment);
    case LinkType::kLinuxCooked2: return decode_link(rest, 20, 0, segment);
    case LinkType::kRawIp: return decode_ip(rest, segment);
  }
  return PacketKind::kNotIp;
}

}  // namespace clew::replay
