// SPDX-License-Identifier: Apache-2.0
// From the bytes of one captured packet to its TCP segment: link layer, VLAN tags, IPv4 or IPv6. A pure function of the bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "agent/capture/source.h"

namespace clew::replay {

enum class LinkType : uint8_t {
  kEthernet,
  kNull,  // DLT_NULL and DLT_LOOP: four bytes of address family, in either byte order
  kLinuxCooked,
  kLinuxCooked2,
  kRawIp,
};

/// The layer for a DLT_* number of libpcap; nothing if it is not supported.
std::optional<LinkType> link_type_from_dlt(int dlt);

struct TcpSegment {
  static constexpr uint8_t kFin = 0x01;
  static constexpr uint8_t kSyn = 0x02;
  static constexpr uint8_t kRst = 0x04;
  static constexpr uint8_t kAck = 0x10;

  struct Address {
    std::array<uint8_t, 16> bytes{};  // IPv4 in the first four
    uint16_t port = 0;
    friend auto operator<=>(const Address&, const Address&) = default;
  };

  capture::Family family = capture::Family::kUnknown;
  Address source;
  Address destination;
  uint32_t sequence = 0;
  uint32_t acknowledgement = 0;  // valid with kAck
  uint8_t flags = 0;
  uint32_t payload_length = 0;  // as it was on the wire
  std::string_view payload;     // as far as captured: at most payload_length. Points into the packet

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
};

/// What a packet turned out to be.
enum class PacketKind : uint8_t {
  kTcp,
  kNotIp,
  kNotTcp,
  // From here on: a loss, by reason.
  kIpFragment,
  kTruncated,      // cut by the snapshot length before the end of the fixed TCP header
  kBadLinkHeader,  // contradicts itself, or is shorter on the wire than its headers
  kBadIpHeader,
  kBadTcpHeader,
};
inline constexpr size_t kPacketKinds = 8;
/// "tcp", "not_ip", … , for counters.
std::string_view name(PacketKind kind);
inline bool is_loss(PacketKind kind) { return kind >= PacketKind::kIpFragment; }

/// Decodes one packet of `wire_length` bytes, the first of which were captured. `segment` is set if the answer is kTcp.
/// A length field of zero (segmentation offload) means: to the end of the packet. Checksums are not looked at: offload
/// leaves them to the network card, after the capture.
PacketKind decode_packet(LinkType link, std::string_view captured, uint32_t wire_length, TcpSegment& segment);

}  // namespace clew::replay
