// SPDX-License-Identifier: Apache-2.0
// The file: opened and read by libpcap, each packet decoded and given to the TCP connections, everything counted.
#include "agent/replay/pcap_reader.h"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "agent/replay/packet_decoder.h"
#include "agent/replay/pcap_file.h"
#include "agent/replay/tcp_connections.h"

namespace clew::replay {
namespace {

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
struct ClosePcap {
  void operator()(pcap_t* pcap) const { pcap_close(pcap); }
};

/// A capture file, open at its first packet.
struct Capture {
  std::unique_ptr<pcap_t, ClosePcap> pcap;
  FILE* file;  // owned by pcap
  LinkType link;
};

base::Result<Capture> open_capture(const std::string& path) {
  std::unique_ptr<FILE, CloseFile> file(open_counted(path));
  if (!file)
    return base::fail(fmt::format("cannot open {}: {}", path, std::strerror(errno)));  // NOLINT(concurrency-mt-unsafe): glibc's is safe
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  FILE* const raw = file.get();
  std::unique_ptr<pcap_t, ClosePcap> pcap(pcap_fopen_offline_with_tstamp_precision(raw, PCAP_TSTAMP_PRECISION_NANO, why.data()));
  if (!pcap) return base::fail(fmt::format("{}: not a packet capture that can be read, at byte {}: {}", path, ftello(raw), why.data()));
  static_cast<void>(file.release());  // pcap_close() closes it
  const int dlt = pcap_datalink(pcap.get());
  const auto link = link_type_from_dlt(dlt);
  if (!link) {
    const char* name = pcap_datalink_val_to_name(dlt);
    return base::fail(fmt::format("{}: link type {} ({}) is not supported; Ethernet, Linux loopback, Linux cooked (v1, v2) and raw IP are",
                                  path, name == nullptr ? "unknown" : name, dlt));
  }
  return Capture{std::move(pcap), raw, *link};
}

class PacketCounters {
 public:
  explicit PacketCounters(base::Counters& counters) : read_(counters.get("clew_events_total", R"(source="pcap")")) {
    for (size_t i = 0; i < kPacketKinds; ++i) {
      const auto kind = static_cast<PacketKind>(i);
      by_kind_[i] = is_loss(kind) ? &counters.lost("replay", name(kind))
                                  : &counters.get("clew_replay_packets_total", fmt::format(R"(kind="{}")", name(kind)));
    }
  }
  void count(PacketKind kind) {
    read_.add();
    by_kind_[static_cast<size_t>(kind)]->add();
  }

 private:
  base::Counter& read_;
  std::array<base::Counter*, kPacketKinds> by_kind_{};
};

/// Why reading stopped at `offset`, the end of the last whole packet.
std::string describe_stop(const std::string& path, uint64_t packets, int64_t offset, std::string_view why) {
  const std::string_view hint =
      why.find("different from the type of the first interface") != std::string_view::npos ? " (write one file per link type)" : "";
  const std::string at = offset < 0 ? std::string() : fmt::format(", at byte {}", offset);
  return fmt::format("{}: stops after packet {}{}: {}{}", path, packets, at, why, hint);
}

void report(const TcpConnections& tcp, PcapSummary& summary, base::Counters& counters) {
  const TcpOutput& output = tcp.output();
  summary.connections = tcp.totals().connections;
  summary.holes = output.holes;
  summary.hole_bytes = output.hole_bytes;
  counters.lost("replay", "tcp_hole").add(output.holes);
  counters.lost("replay", "connection_evicted").add(tcp.totals().evicted);
  counters.lost("replay", "stray_segment").add(tcp.totals().stray_segments);
  counters.lost("replay", "file_cut_short").add(summary.complete() ? 0 : 1);
  counters.get("clew_replay_hole_bytes_total").add(output.hole_bytes);
  counters.get("clew_replay_holes_early_total").add(output.early_holes);
  counters.get("clew_replay_repeated_segments_total").add(output.repeated_segments);
}

/// Some writers leave garbage in the seconds: wraps instead of overflowing.
uint64_t unix_ns(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(time.tv_usec);  // nanoseconds by request
}

}  // namespace

bool looks_like_pcap(std::string_view first_bytes) {
  using std::string_view_literals::operator""sv;
  // Classic with µs, ns and Kuznetzov's extension, in both byte orders; pcapng's section header.
  static constexpr std::array kMagics = {"\xa1\xb2\xc3\xd4"sv, "\xd4\xc3\xb2\xa1"sv, "\xa1\xb2\x3c\x4d"sv, "\x4d\x3c\xb2\xa1"sv,
                                         "\xa1\xb2\xcd\x34"sv, "\x34\xcd\xb2\xa1"sv, "\x0a\x0d\x0d\x0a"sv};
  for (const std::string_view magic : kMagics) {
    if (first_bytes.starts_with(magic)) return true;
  }
  return false;
}

base::Result<PcapSummary> replay_pcap(const std::string& path, capture::Sink& sink, base::Counters& counters, uint64_t first_connection_id,
                                      const TcpLimits& limits) {
  CLEW_TRY(const Capture capture, open_capture(path));
  PacketCounters packet_counters(counters);
  TcpConnections tcp(sink, first_connection_id, limits);
  PcapSummary summary;
  TcpSegment segment;
  int64_t offset = ftello(capture.file);
  for (;;) {
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    const int status = pcap_next_ex(capture.pcap.get(), &header, &data);
    if (status != 1) {
      if (status != PCAP_ERROR_BREAK) summary.error = describe_stop(path, summary.packets, offset, pcap_geterr(capture.pcap.get()));
      break;
    }
    offset = ftello(capture.file);
    const uint64_t time_ns = unix_ns(header->ts);
    if (summary.packets++ == 0) summary.first_packet_ns = time_ns;
    summary.last_packet_ns = time_ns;
    const PacketKind kind = decode_packet(capture.link, {reinterpret_cast<const char*>(data), header->caplen}, header->len, segment);
    packet_counters.count(kind);
    if (kind != PacketKind::kTcp) continue;
    ++summary.tcp_segments;
    tcp.segment(segment, time_ns);
  }
  tcp.finish(summary.last_packet_ns);
  report(tcp, summary, counters);
  return summary;
}

}  // namespace clew::replay
