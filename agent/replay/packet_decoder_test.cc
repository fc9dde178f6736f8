// SPDX-License-Identifier: Apache-2.0
// Each link layer and each way in which a packet can be cut short or lie.
#include "agent/replay/packet_decoder.h"

#include <gtest/gtest.h>
#include <pcap/dlt.h>

#include <memory>
#include <random>

#include "agent/replay/packet_builder_test.h"

namespace clew::replay {
namespace {

using testing::ethernet;
using testing::Ipv4;
using testing::Ipv6;
using testing::linux_cooked;
using testing::linux_cooked2;
using testing::Tcp;

PacketKind decode(LinkType link, std::string_view packet, TcpSegment& segment, size_t wire_length = 0) {
  // In memory of exactly that size, so that the address sanitizer sees a byte too far.
  const auto exact = std::make_unique<char[]>(packet.size());
  std::copy(packet.begin(), packet.end(), exact.get());
  const PacketKind kind =
      decode_packet(link, {exact.get(), packet.size()}, static_cast<uint32_t>(wire_length == 0 ? packet.size() : wire_length), segment);
  // The payload must outlive this function for the tests to look at it.
  static std::string kept;
  kept = std::string(segment.payload.substr(0, kind == PacketKind::kTcp ? std::string_view::npos : 0));
  segment.payload = kept;
  return kind;
}

PacketKind kind_of(std::string_view ethernet_frame, size_t wire_length = 0) {
  TcpSegment segment;
  return decode(LinkType::kEthernet, ethernet_frame, segment, wire_length);
}

void expect_hello(LinkType link, std::string_view packet) {
  TcpSegment segment;
  ASSERT_EQ(decode(link, packet, segment), PacketKind::kTcp);
  EXPECT_EQ(segment.payload, "hello");
  EXPECT_EQ(segment.payload_length, 5u);
  EXPECT_EQ(segment.source.port, 40000);
  EXPECT_EQ(segment.destination.port, 80);
}

const Tcp kHello{.sequence = 0x01020304, .acknowledgement = 0xf1f2f3f4, .options = {}, .payload = "hello"};

std::string raw4() { return Ipv4{}.bytes(kHello.bytes()); }
std::string raw6() { return Ipv6{}.bytes(kHello.bytes()); }

TEST(PacketDecoder, EveryFieldOfAnEthernetFrameIsRead) {
  TcpSegment segment;
  ASSERT_EQ(decode(LinkType::kEthernet, ethernet(raw4()), segment), PacketKind::kTcp);
  EXPECT_EQ(segment.family, capture::Family::kIpv4);
  EXPECT_EQ(segment.source.bytes, (std::array<uint8_t, 16>{10, 0, 0, 1}));
  EXPECT_EQ(segment.destination.bytes, (std::array<uint8_t, 16>{10, 0, 0, 2}));
  EXPECT_EQ(segment.sequence, 0x01020304u);
  EXPECT_EQ(segment.acknowledgement, 0xf1f2f3f4u);
  EXPECT_EQ(segment.flags, 0x18);
  EXPECT_TRUE(segment.has(TcpSegment::kAck));
  EXPECT_FALSE(segment.has(TcpSegment::kSyn));
}

TEST(PacketDecoder, Ipv6AddressesAreWhole) {
  TcpSegment segment;
  ASSERT_EQ(decode(LinkType::kEthernet, ethernet(raw6(), 0x86dd), segment), PacketKind::kTcp);
  EXPECT_EQ(segment.family, capture::Family::kIpv6);
  EXPECT_EQ(segment.source.bytes, (std::array<uint8_t, 16>{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  EXPECT_EQ(segment.destination.bytes[15], 2);
}

TEST(PacketDecoder, EveryLinkTypeLeadsToTheSamePayload) {
  expect_hello(LinkType::kEthernet, ethernet(raw4()));
  expect_hello(LinkType::kEthernet, ethernet(raw6(), 0x86dd));
  expect_hello(LinkType::kLinuxCooked, linux_cooked(raw4()));
  expect_hello(LinkType::kLinuxCooked, linux_cooked(raw6(), 0x86dd));
  expect_hello(LinkType::kLinuxCooked2, linux_cooked2(raw4()));
  expect_hello(LinkType::kLinuxCooked2, linux_cooked2(raw6(), 0x86dd));
  expect_hello(LinkType::kRawIp, raw4());
  expect_hello(LinkType::kRawIp, raw6());
}

TEST(PacketDecoder, LoopbackFamilyIsReadInEitherByteOrder) {
  expect_hello(LinkType::kNull, std::string("\x02\0\0\0", 4) + raw4());
  expect_hello(LinkType::kNull, std::string("\0\0\0\x02", 4) + raw4());
  for (const char family : {'\x0a', '\x17', '\x18', '\x1c', '\x1e'}) {
    expect_hello(LinkType::kNull, std::string(1, family) + std::string(3, '\0') + raw6());
    expect_hello(LinkType::kNull, std::string(3, '\0') + std::string(1, family) + raw6());
  }
  TcpSegment segment;
  EXPECT_EQ(decode(LinkType::kNull, std::string("\x07\0\0\0", 4) + raw4(), segment), PacketKind::kNotIp);
}

TEST(PacketDecoder, VlanTagsArePassedOver) {
  expect_hello(LinkType::kEthernet, ethernet(raw4(), 0x0800, {0x8100}));
  expect_hello(LinkType::kEthernet, ethernet(raw6(), 0x86dd, {0x88a8, 0x8100}));
  expect_hello(LinkType::kEthernet, ethernet(raw4(), 0x0800, {0x9100, 0x8100, 0x8100}));
  std::string cooked(14, '\0');
  testing::put16(cooked, 0x8100);
  testing::put16(cooked, 7);
  testing::put16(cooked, 0x0800);
  expect_hello(LinkType::kLinuxCooked, cooked + raw4());
}

TEST(PacketDecoder, OptionsOfIpAndTcpArePassedOver) {
  Tcp tcp = kHello;
  tcp.options = std::string("\x01\x01\x08\x0a", 4) + std::string(8, 'x');
  expect_hello(LinkType::kRawIp, Ipv4{.options = std::string(8, '\x01')}.bytes(tcp.bytes()));
  tcp.options = std::string(40, '\x01');
  expect_hello(LinkType::kRawIp, Ipv4{.options = std::string(40, '\x01')}.bytes(tcp.bytes()));
}

TEST(PacketDecoder, Ipv6ExtensionHeadersArePassedOver) {
  const std::string hop_by_hop = std::string("\x2b\x00", 2) + std::string(6, '\0');   // then routing
  const std::string routing = std::string("\x3c\x01", 2) + std::string(14, '\0');     // 16 bytes, then destination
  const std::string destination = std::string("\x33\x00", 2) + std::string(6, '\0');  // then authentication
  const std::string authentication = std::string("\x06\x04", 2) + std::string(22, 'a');
  expect_hello(LinkType::kRawIp,
               Ipv6{.next_header = 0, .extensions = hop_by_hop + routing + destination + authentication}.bytes(kHello.bytes()));
  const std::string atomic_fragment = std::string("\x06\x00\x00\x00", 4) + "abcd";
  expect_hello(LinkType::kRawIp, Ipv6{.next_header = 44, .extensions = atomic_fragment}.bytes(kHello.bytes()));
}

TEST(PacketDecoder, FragmentsAreToldApart) {
  EXPECT_EQ(kind_of(ethernet(Ipv4{.fragment = 0x2000, .options = {}}.bytes(kHello.bytes()))), PacketKind::kIpFragment);
  EXPECT_EQ(kind_of(ethernet(Ipv4{.fragment = 185, .options = {}}.bytes("the rest"))), PacketKind::kIpFragment);
  EXPECT_EQ(kind_of(ethernet(Ipv4{.fragment = 0x4000, .options = {}}.bytes(kHello.bytes()))), PacketKind::kTcp) << "do not fragment";
  const std::string first = std::string("\x06\x00\x00\x01", 4) + "abcd";
  EXPECT_EQ(kind_of(ethernet(Ipv6{.next_header = 44, .extensions = first}.bytes(kHello.bytes()), 0x86dd)), PacketKind::kIpFragment);
  const std::string later = std::string("\x06\x00\x05\xa8", 4) + "abcd";
  EXPECT_EQ(kind_of(ethernet(Ipv6{.next_header = 44, .extensions = later}.bytes("the rest"), 0x86dd)), PacketKind::kIpFragment);
}

TEST(PacketDecoder, OtherProtocolsAreNotLosses) {
  EXPECT_EQ(kind_of(ethernet(std::string(28, '\0'), 0x0806)), PacketKind::kNotIp);  // ARP
  EXPECT_EQ(kind_of(ethernet(std::string(50, '\0'), 46)), PacketKind::kNotIp);      // 802.3 length
  EXPECT_EQ(kind_of(ethernet(Ipv4{.protocol = 17, .options = {}}.bytes("12345678"))), PacketKind::kNotTcp);
  EXPECT_EQ(kind_of(ethernet(Ipv6{.next_header = 58, .extensions = {}}.bytes("icmp"), 0x86dd)), PacketKind::kNotTcp);
  EXPECT_EQ(kind_of(ethernet(Ipv6{.next_header = 50, .extensions = {}}.bytes("esp"), 0x86dd)), PacketKind::kNotTcp);
  EXPECT_FALSE(is_loss(PacketKind::kNotIp));
  EXPECT_FALSE(is_loss(PacketKind::kNotTcp));
  EXPECT_TRUE(is_loss(PacketKind::kIpFragment));
}

TEST(PacketDecoder, PaddingOfShortFramesIsNotPayload) {
  expect_hello(LinkType::kEthernet, ethernet(raw4()) + std::string(20, '\0'));
  expect_hello(LinkType::kEthernet, ethernet(raw6(), 0x86dd) + "crc.");
}

TEST(PacketDecoder, LengthZeroOfSegmentationOffloadMeansToTheEnd) {
  expect_hello(LinkType::kRawIp, Ipv4{.options = {}, .total_length = 0}.bytes(kHello.bytes()));
  expect_hello(LinkType::kRawIp, Ipv6{.extensions = {}, .payload_length = 0}.bytes(kHello.bytes()));
}

TEST(PacketDecoder, AShortSnapshotLeavesTheLengthOfThePayload) {
  const std::string frame = ethernet(raw4());
  TcpSegment segment;
  ASSERT_EQ(decode(LinkType::kEthernet, frame.substr(0, frame.size() - 2), segment, frame.size()), PacketKind::kTcp);
  EXPECT_EQ(segment.payload, "hel");
  EXPECT_EQ(segment.payload_length, 5u);
  Tcp with_options = kHello;
  with_options.options = std::string(12, '\x01');
  const std::string headers_only = ethernet(Ipv4{}.bytes(with_options.bytes()));
  ASSERT_EQ(decode(LinkType::kEthernet, headers_only.substr(0, 14 + 20 + 24), segment, headers_only.size()), PacketKind::kTcp)
      << "cut within the options of TCP";
  EXPECT_EQ(segment.payload, "");
  EXPECT_EQ(segment.payload_length, 5u);
}

TEST(PacketDecoder, CutBeforeTheEndOfTheFixedHeadersIsTruncatedAtEveryLength) {
  for (const std::string& frame : {ethernet(raw4(), 0x0800, {0x8100}), ethernet(raw6(), 0x86dd)}) {
    for (size_t length = 0; length < frame.size() - 5; ++length) {
      EXPECT_EQ(kind_of(std::string_view(frame).substr(0, length), frame.size()), PacketKind::kTruncated) << length;
    }
  }
}

TEST(PacketDecoder, TooShortOnTheWireIsMalformed) {
  const std::string frame = ethernet(raw4());
  EXPECT_EQ(kind_of(frame.substr(0, 13)), PacketKind::kBadLinkHeader);
  EXPECT_EQ(kind_of(ethernet("", 0x8100).substr(0, 14) + "\x01"), PacketKind::kBadLinkHeader);
  EXPECT_EQ(kind_of(frame.substr(0, 14)), PacketKind::kBadIpHeader);
  EXPECT_EQ(kind_of(frame.substr(0, 33)), PacketKind::kBadIpHeader);
  EXPECT_EQ(kind_of(ethernet(Ipv4{}.bytes(kHello.bytes().substr(0, 19)))), PacketKind::kBadTcpHeader);
}

TEST(PacketDecoder, ContradictoryLengthsAreMalformed) {
  const std::string tcp = kHello.bytes();
  EXPECT_EQ(kind_of(ethernet(Ipv4{.options = {}, .total_length = 19}.bytes(tcp))), PacketKind::kBadIpHeader);
  EXPECT_EQ(kind_of(ethernet(Ipv4{.options = {}, .total_length = 46}.bytes(tcp))), PacketKind::kBadIpHeader) << "longer than the packet";
  EXPECT_EQ(kind_of(ethernet(Ipv4{.options = {}, .header_words = 4}.bytes(tcp))), PacketKind::kBadIpHeader);
  EXPECT_EQ(kind_of(ethernet(Ipv4{.options = {}, .header_words = 15}.bytes(tcp))), PacketKind::kBadIpHeader);
  EXPECT_EQ(kind_of(ethernet(Ipv6{.extensions = {}, .payload_length = 26}.bytes(tcp), 0x86dd)), PacketKind::kBadIpHeader);
  EXPECT_EQ(kind_of(ethernet(Ipv6{.next_header = 0, .extensions = std::string("\x06\xff", 2)}.bytes(tcp), 0x86dd)),
            PacketKind::kBadIpHeader);
  Tcp bad = kHello;
  bad.header_words = 4;
  EXPECT_EQ(kind_of(ethernet(Ipv4{}.bytes(bad.bytes()))), PacketKind::kBadTcpHeader);
  bad.header_words = 7;
  EXPECT_EQ(kind_of(ethernet(Ipv4{}.bytes(bad.bytes()))), PacketKind::kBadTcpHeader);
  EXPECT_EQ(kind_of(ethernet(std::string("\x50") + raw4())), PacketKind::kBadIpHeader) << "version 5";
}

TEST(PacketDecoder, GarbageIsNeverReadBeyondItsEnd) {
  std::mt19937 random(7);
  std::vector<std::string> seeds = {ethernet(raw4(), 0x0800, {0x8100}),    ethernet(raw6(), 0x86dd),
                                    std::string("\x02\0\0\0", 4) + raw4(), linux_cooked(raw4()),
                                    linux_cooked2(raw6(), 0x86dd),         raw6()};
  size_t tcp = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string packet = seeds[random() % seeds.size()];
    for (auto flips = random() % 6; flips > 0; --flips) packet[random() % packet.size()] = static_cast<char>(random());
    const size_t wire_length = packet.size() + random() % 3 * 10;
    packet.resize(random() % 4 == 0 ? random() % packet.size() : packet.size());
    TcpSegment segment;
    const PacketKind kind = decode(static_cast<LinkType>(random() % 5), packet, segment, wire_length);
    if (kind != PacketKind::kTcp) continue;
    ++tcp;
    ASSERT_LE(segment.payload.size(), segment.payload_length);
    ASSERT_LE(segment.payload_length, wire_length);
  }
  EXPECT_GT(tcp, 1000u);
}

TEST(PacketDecoder, SupportedLinkTypesAreThose) {
  EXPECT_EQ(link_type_from_dlt(DLT_EN10MB), LinkType::kEthernet);
  EXPECT_EQ(link_type_from_dlt(DLT_NULL), LinkType::kNull);
  EXPECT_EQ(link_type_from_dlt(DLT_LOOP), LinkType::kNull);
  EXPECT_EQ(link_type_from_dlt(DLT_LINUX_SLL), LinkType::kLinuxCooked);
  EXPECT_EQ(link_type_from_dlt(DLT_LINUX_SLL2), LinkType::kLinuxCooked2);
  EXPECT_EQ(link_type_from_dlt(DLT_RAW), LinkType::kRawIp);
  EXPECT_EQ(link_type_from_dlt(DLT_IPV4), LinkType::kRawIp);
  EXPECT_EQ(link_type_from_dlt(DLT_IPV6), LinkType::kRawIp);
  EXPECT_EQ(link_type_from_dlt(DLT_IEEE802_11), std::nullopt);
}

}  // namespace
}  // namespace clew::replay
