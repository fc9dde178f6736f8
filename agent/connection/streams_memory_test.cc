// SPDX-License-Identifier: Apache-2.0
// What 100,000 streams cost that are under way on 1,000 connections, in parser, exchanges and correlator together.
#include <malloc.h>

#include <fmt/format.h>

#include "agent/connection/connections_test.h"
#include "agent/connection/http2_test.h"
#include "bpf/events.h"

namespace clew::connection {
namespace {

constexpr uint64_t kConnections = 1000;
constexpr uint32_t kStreams = 100;  // of each
constexpr size_t kBytesMax = 1024;  // of each stream, with its share of its connection

size_t heap_bytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Not under a sanitizer, which has a heap of its own.
bool is_measurable() {
  static std::string some;  // a local one would be left out
  std::string().swap(some);
  const size_t before = heap_bytes();
  some = std::string(100'000, 'x');
  return heap_bytes() >= before + 100'000;
}

// As grpc-go and nghttp2 would: a path of its own, a trace context, and the fields of a call.
std::string call(uint64_t connection, uint32_t stream) {
  return http2::frame(http2::FrameType::kHeaders, http2::kEndHeaders, stream,
                      "\x83\x86" + http2::path(fmt::format("/shop.v1.Orders/Follow{}-{}", connection, stream)) +
                          http2::field("\x01", "orders.shop.svc:50051") + http2::field("\x0f\x10", "application/grpc") +
                          http2::field(std::string_view("\x0f\x2b", 2), "grpc-go/1.85.0") + http2::field(std::string("\0\x0cgrpc-timeout", 14), "30S") +
                          http2::field(std::string("\0\x0btraceparent", 13),
                                       fmt::format("00-{:032x}-{:016x}-01", connection + 1, uint64_t{stream})));
}

class StreamsMemory : public ConnectionsTest {
 protected:
  /// Bytes for each of the streams. `runtime`: what the process runs in.
  size_t measure(Role role, uint32_t runtime = CLEW_RUNTIME_NONE) {
    connections();
    const size_t before = heap_bytes();
    std::vector<Played> played;
    for (uint64_t id = 1; id <= kConnections; ++id) {
      capture::Connection info = describe(id, role);
      info.has_base = true;
      info.base = {static_cast<uint32_t>(id * 7919), static_cast<uint32_t>(id * 104'729)};
      played.push_back(open(info));
      played.back().client(http2::hello());
      played.back().server(http2::settings());
    }
    for (uint32_t stream = 1; stream < 2 * kStreams; stream += 2)
      for (uint64_t id = 1; id <= kConnections; ++id) {
        const std::string bytes = call(id, stream);
        capture::Bytes request = played[id - 1].make(Sender::kClient, bytes);
        request.execution = {.runtime = runtime, .words = {1'000 + id, 1, 0}};  // a goroutine or a task that reads the connection
        deliver(request);
        played[id - 1].server(http2::frame(http2::FrameType::kHeaders, http2::kEndHeaders, stream, "\x88" + http2::field("\x0f\x10", "application/grpc")));
      }
    const size_t each = (heap_bytes() - before) / (kConnections * kStreams);
    EXPECT_EQ(losses(), "");
    for (Played& one : played) one.end(Kind::kClosed);
    EXPECT_EQ(spans().size(), kConnections * kStreams);
    return each;
  }
};

struct Case {
  const char* name;
  Role role;
  uint32_t runtime;
};

class StreamsMemoryOf : public StreamsMemory, public testing::WithParamInterface<Case> {};

TEST_P(StreamsMemoryOf, IsBounded) {
  if (!is_measurable()) GTEST_SKIP() << "the heap is not malloc's";
  const size_t each = measure(GetParam().role, GetParam().runtime);
  RecordProperty("bytes", static_cast<int>(each));
  EXPECT_LE(each, kBytesMax);
  fmt::print("{}: {} bytes per stream\n", GetParam().name, each);
}

INSTANTIATE_TEST_SUITE_P(EveryKind, StreamsMemoryOf,
                         testing::Values(Case{"server", Role::kServer, CLEW_RUNTIME_NONE}, Case{"client", Role::kClient, CLEW_RUNTIME_NONE},
                                         Case{"go_server", Role::kServer, CLEW_RUNTIME_GO}, Case{"go_client", Role::kClient, CLEW_RUNTIME_GO},
                                         Case{"java_server", Role::kServer, CLEW_RUNTIME_JVM},
                                         Case{"python_server", Role::kServer, CLEW_RUNTIME_CPYTHON},
                                         Case{"node_server", Role::kServer, CLEW_RUNTIME_NODE},
                                         Case{"tokio_server", Role::kServer, CLEW_RUNTIME_TOKIO}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace clew::connection
