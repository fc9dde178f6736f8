// SPDX-License-Identifier: Apache-2.0
// Whole files: formats, byte orders, times, link types; and every way in which a file can end too soon or be something else.
#include "agent/replay/pcap_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "agent/replay/packet_builder_test.h"
#include "agent/replay/tcp_sink_test.h"

namespace clew::replay {
namespace {

using testing::ethernet;
using ::testing::HasSubstr;
using testing::Ipv4;
using testing::Ipv6;
using testing::PcapFile;
using testing::PcapngFile;
using testing::RecordingSink;
using ::testing::StartsWith;
using testing::Tcp;

constexpr uint64_t kTime = 1'700'000'000'123'456'000;

class PcapReader : public ::testing::Test {
 protected:
  PcapReader() : path_(fmt::format("{}clew-pcap-{}.pcap", ::testing::TempDir(), getpid())) {}
  ~PcapReader() override { std::filesystem::remove(path_); }

  base::Result<PcapSummary> replay(std::string_view file) {
    std::ofstream(path_, std::ios::binary) << file;
    return replay_pcap(path_, sink_, counters_);
  }
  uint64_t counter(std::string_view name, std::string_view labels = {}) { return counters_.get(name, labels).value(); }

  std::string path_;
  RecordingSink sink_;
  base::Counters counters_;
};

std::string request(uint32_t sequence = 1, std::string payload = "GET /") {
  return Ipv4{.options = {}}.bytes(Tcp{.sequence = sequence, .options = {}, .payload = std::move(payload)}.bytes());
}

TEST(LooksLikePcap, ByTheFirstFourBytes) {
  EXPECT_TRUE(looks_like_pcap(PcapFile(1).bytes()));
  EXPECT_TRUE(looks_like_pcap(PcapFile(1, true).bytes()));
  EXPECT_TRUE(looks_like_pcap(PcapFile(1, false, true).bytes()));
  EXPECT_TRUE(looks_like_pcap(PcapFile(1, true, true).bytes()));
  EXPECT_TRUE(looks_like_pcap(PcapngFile().bytes()));
  EXPECT_FALSE(looks_like_pcap("\xa1\xb2\xc3"));
  EXPECT_FALSE(looks_like_pcap("{\"resourceSpans\""));
  EXPECT_FALSE(looks_like_pcap(""));
}

TEST_F(PcapReader, EveryByteOrderAndResolutionGivesTheSameTimes) {
  for (const bool nanoseconds : {false, true}) {
    for (const bool big_endian : {false, true}) {
      PcapFile file(1, nanoseconds, big_endian);
      file.add(ethernet(request()), kTime);
      RecordingSink sink;
      std::ofstream(path_, std::ios::binary) << file.bytes();
      const auto summary = replay_pcap(path_, sink, counters_);
      ASSERT_TRUE(summary.has_value()) << summary.error().message;
      EXPECT_EQ(summary->error, "");
      EXPECT_EQ(sink.in().text, "GET /");
      EXPECT_EQ(sink.in().chunks.at(0).time_ns, kTime);
      EXPECT_EQ(summary->first_packet_ns, kTime);
      EXPECT_EQ(summary->last_packet_ns, kTime);
    }
  }
}

TEST_F(PcapReader, NanosecondsAreKept) {
  PcapFile file(1, true);
  file.add(ethernet(request()), kTime + 789);
  ASSERT_TRUE(replay(file.bytes()).has_value());
  EXPECT_EQ(sink_.in().chunks.at(0).time_ns, kTime + 789);
}

TEST_F(PcapReader, PcapngIsRead) {
  PcapngFile file;
  file.add_interface(1);
  file.add_interface(1);
  file.add(0, ethernet(request(1)), kTime);
  file.add(1, ethernet(request(6, "x")), kTime + 1000);
  const auto summary = replay(file.bytes());
  ASSERT_TRUE(summary.has_value()) << summary.error().message;
  EXPECT_EQ(summary->error, "");
  EXPECT_EQ(summary->packets, 2u);
  EXPECT_EQ(sink_.in().text, "GET /x");
  EXPECT_EQ(sink_.in().chunks.at(1).time_ns, kTime + 1000);
}

TEST_F(PcapReader, EverySupportedLinkTypeNumberOfTheFileFormat) {
  const std::string ip = request();
  const std::vector<std::pair<uint32_t, std::string>> files = {
      {1, ethernet(ip)},
      {0, std::string("\x02\0\0\0", 4) + ip},
      {108, std::string("\0\0\0\x02", 4) + ip},
      {113, testing::linux_cooked(ip)},
      {276, testing::linux_cooked2(ip)},
      {101, ip},
      {228, ip},
      {229, Ipv6{.extensions = {}}.bytes(Tcp{.options = {}, .payload = "GET /"}.bytes())},
  };
  for (const auto& [link_type, packet] : files) {
    PcapFile file(link_type);
    file.add(packet, kTime);
    RecordingSink sink;
    std::ofstream(path_, std::ios::binary) << file.bytes();
    const auto summary = replay_pcap(path_, sink, counters_);
    ASSERT_TRUE(summary.has_value()) << link_type << " " << summary.error().message;
    EXPECT_EQ(sink.in().text, "GET /") << link_type;
  }
}

TEST_F(PcapReader, ConnectionIdsCountFromTheGivenOne) {
  PcapFile file(101);
  file.add(request());
  std::ofstream(path_, std::ios::binary) << file.bytes();
  ASSERT_TRUE(replay_pcap(path_, sink_, counters_, 501).has_value());
  EXPECT_EQ(sink_.connections.at(0).id, 501u);
}

TEST_F(PcapReader, EveryPacketIsCountedByWhatItWas) {
  PcapFile file(1);
  file.add(ethernet(request()));
  file.add(ethernet("arp", 0x0806));
  file.add(ethernet(Ipv4{.protocol = 17, .options = {}}.bytes("udp")));
  file.add(ethernet(Ipv4{.fragment = 0x2000, .options = {}}.bytes("part")));
  file.add(ethernet(request()).substr(0, 40), 0, 59);
  file.add("short");
  file.add(ethernet("\x55"));
  file.add(ethernet(Ipv4{.options = {}}.bytes("too short for tcp")));
  const auto summary = replay(file.bytes());
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(summary->packets, 8u);
  EXPECT_EQ(summary->tcp_segments, 1u);
  EXPECT_EQ(summary->connections, 1u);
  EXPECT_EQ(counter("clew_events_total", R"(source="pcap")"), 8u);
  EXPECT_EQ(counter("clew_replay_packets_total", R"(kind="tcp")"), 1u);
  EXPECT_EQ(counter("clew_replay_packets_total", R"(kind="not_ip")"), 1u);
  EXPECT_EQ(counter("clew_replay_packets_total", R"(kind="not_tcp")"), 1u);
  for (const std::string_view reason : {"ip_fragment", "truncated_packet", "bad_link_header", "bad_ip_header", "bad_tcp_header"}) {
    EXPECT_EQ(counters_.lost("replay", reason).value(), 1u) << reason;
  }
}

TEST_F(PcapReader, HolesAreInTheSummaryAndInTheCounters) {
  PcapFile file(101);
  file.add(request(1));
  file.add(request(16, "later"));
  const auto summary = replay(file.bytes());
  ASSERT_TRUE(summary.has_value());
  EXPECT_EQ(sink_.in().text, "GET /<10>later");
  EXPECT_EQ(summary->holes, 1u);
  EXPECT_EQ(summary->hole_bytes, 10u);
  EXPECT_EQ(counters_.lost("replay", "tcp_hole").value(), 1u);
  EXPECT_EQ(counter("clew_replay_hole_bytes_total"), 10u);
}

TEST_F(PcapReader, AFileCutAnywhereKeepsThePacketsBeforeAndSaysWhereItStops) {
  PcapFile file(101);
  for (uint32_t i = 0; i < 3; ++i) file.add(request(1 + 5 * i));
  const size_t packet = PcapFile::kPacketHeaderBytes + request().size();
  for (size_t length = PcapFile::kHeaderBytes; length < file.bytes().size(); ++length) {
    RecordingSink sink;
    std::ofstream(path_, std::ios::binary) << std::string_view(file.bytes()).substr(0, length);
    const auto summary = replay_pcap(path_, sink, counters_);
    ASSERT_TRUE(summary.has_value()) << length << " " << summary.error().message;
    const size_t whole = (length - PcapFile::kHeaderBytes) / packet;
    EXPECT_EQ(summary->packets, whole) << length;
    EXPECT_EQ(sink.in().end, 5 * whole);
    if ((length - PcapFile::kHeaderBytes) % packet == 0) {
      EXPECT_TRUE(summary->complete());
      continue;
    }
    EXPECT_THAT(summary->error,
                StartsWith(fmt::format("{}: stops after packet {}, at byte {}: ", path_, whole, PcapFile::kHeaderBytes + whole * packet)));
    EXPECT_THAT(summary->error, HasSubstr("truncated"));
    for (const auto& connection : sink.connections) EXPECT_EQ(sink.closed.at(connection.id), capture::End::Kind::kTracer);
  }
}

TEST_F(PcapReader, APcapngCutAnywhereNeverCrashesAndNamesThePlace) {
  PcapngFile file;
  file.add_interface(101);
  const size_t header = file.bytes().size();
  file.add(0, request(1), kTime);
  const size_t first = file.bytes().size();
  file.add(0, request(6), kTime);
  for (size_t length = 0; length < file.bytes().size(); ++length) {
    RecordingSink sink;
    std::ofstream(path_, std::ios::binary) << std::string_view(file.bytes()).substr(0, length);
    const auto summary = replay_pcap(path_, sink, counters_);
    if (length < header) {
      EXPECT_FALSE(summary.has_value()) << length;
    } else {
      ASSERT_TRUE(summary.has_value());
      EXPECT_EQ(summary->complete(), length == header || length == first) << length;
      EXPECT_EQ(sink.in().text, length < first ? "" : "GET /");
      if (length <= first) continue;
      EXPECT_THAT(summary->error, HasSubstr(fmt::format("stops after packet 1, at byte {}: ", first)));
    }
  }
}

TEST_F(PcapReader, GarbageAmongThePacketsStopsThereAndKeepsWhatCameBefore) {
  PcapFile file(101);
  file.add(request());
  const size_t good = file.bytes().size();
  file.bytes() += std::string(100, '\xff');
  const auto summary = replay(file.bytes());
  ASSERT_TRUE(summary.has_value());
  EXPECT_THAT(summary->error, HasSubstr(fmt::format("stops after packet 1, at byte {}: ", good)));
  EXPECT_EQ(sink_.in().text, "GET /");
  EXPECT_EQ(sink_.closed.at(1), capture::End::Kind::kTracer);
  EXPECT_EQ(counters_.lost("replay", "file_cut_short").value(), 1u);
}

TEST_F(PcapReader, InterfacesOfDifferentLinkTypesAreRefusedClearly) {
  PcapngFile file;
  file.add_interface(1);
  file.add(0, ethernet(request()), kTime);
  file.add_interface(113);
  file.add(1, testing::linux_cooked(request(6)), kTime);
  const auto summary = replay(file.bytes());
  ASSERT_TRUE(summary.has_value());
  EXPECT_THAT(summary->error, HasSubstr("stops after packet 1"));
  EXPECT_THAT(summary->error, HasSubstr("one file per link type"));
  EXPECT_EQ(sink_.in().text, "GET /");
}

TEST_F(PcapReader, WhatIsNoCaptureIsAnErrorThatNamesTheFile) {
  for (const std::string_view content : {"", "\xa1\xb2", "#!/bin/sh\nthis is not a capture at all, not even nearly\n"}) {
    const auto summary = replay(content);
    ASSERT_FALSE(summary.has_value());
    EXPECT_THAT(summary.error().message, StartsWith(path_));
    EXPECT_THAT(summary.error().message, HasSubstr("at byte "));
  }
  const auto missing = replay_pcap("/nonexistent/x.pcap", sink_, counters_);
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().message, "cannot open /nonexistent/x.pcap: No such file or directory");
  const auto folder = replay_pcap(::testing::TempDir(), sink_, counters_);
  ASSERT_FALSE(folder.has_value());
  EXPECT_THAT(folder.error().message, HasSubstr("directory"));
  EXPECT_TRUE(sink_.connections.empty());
}

TEST_F(PcapReader, UnsupportedLinkTypeIsNamed) {
  const auto summary = replay(PcapFile(105).bytes());
  ASSERT_FALSE(summary.has_value());
  EXPECT_THAT(summary.error().message, HasSubstr("link type IEEE802_11 (105) is not supported"));
}

TEST_F(PcapReader, ACaptureWithoutPacketsIsComplete) {
  const auto summary = replay(PcapFile(1).bytes());
  ASSERT_TRUE(summary.has_value());
  EXPECT_TRUE(summary->complete());
  EXPECT_EQ(summary->packets, 0u);
}

TEST_F(PcapReader, RandomDamageToAFileNeverCrashesAndKeepsThePromisesOfTheSink) {
  std::mt19937 random(11);
  PcapFile file(1);
  for (uint32_t i = 0; i < 40; ++i) {
    file.add(ethernet(request(1 + 5 * i)), kTime + i);
    file.add(ethernet(Ipv6{.extensions = {}}.bytes(Tcp{.sequence = 1 + 3 * i, .options = {}, .payload = "abc"}.bytes()), 0x86dd),
             kTime + i);
  }
  for (int round = 0; round < 500; ++round) {
    std::string damaged = file.bytes();
    for (int flips = 0; flips < 20; ++flips)
      damaged[PcapFile::kHeaderBytes + random() % (damaged.size() - 24)] = static_cast<char>(random());
    std::ofstream(path_, std::ios::binary) << damaged;
    RecordingSink sink;  // checks order and ends
    const auto summary = replay_pcap(path_, sink, counters_);
    ASSERT_TRUE(summary.has_value());
    EXPECT_EQ(sink.closed.size(), sink.connections.size());
  }
}

}  // namespace
}  // namespace clew::replay
