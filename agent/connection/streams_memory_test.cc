// SPDX-License-Identifier: Apache-2.0
// What 100,000 streams cost that are under way on 1,000 connections, in parser, exchanges and correlator together.
#include <fmt/format.h>

#include "agent/connection/connections_test.h"
#include "agent/connection/heap_test.h"
#include "bpf/events.h"
#include "protocols/http2/frames_test.h"

namespace clew::connection {
namespace {

using namespace protocols::http2;  // NOLINT(google-build-using-namespace): its frames

constexpr uint64_t kConnections = 1000;
constexpr uint32_t kStreams = 100;  // of each
constexpr size_t kBytesMax = 1024;  // of each stream, with its share of its connection

// As grpc-go and nghttp2 would: a path of its own, a trace context, and the fields of a call.
std::string call(uint64_t connection, uint32_t stream) {
  return frame(FrameType::kHeaders, kEndHeaders, stream,
               "\x83\x86" + field(kPath, fmt::format("/shop.v1.Orders/Follow{}-{}", connection, stream)) +
                   field(kAuthority, "orders.shop.svc:50051") + field("\x0f\x10", "application/grpc") +
                   field("\x0f\x2b", "grpc-go/1.85.0") + field("\0\x0cgrpc-timeout"s, "30S") +
                   field("\0\x0btraceparent"s, fmt::format("00-{:032x}-{:016x}-01", connection + 1, uint64_t{stream})));
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
      played.back().client(hello());
      played.back().server(kEmptySettings);
    }
    for (uint32_t stream = 1; stream < 2 * kStreams; stream += 2)
      for (uint64_t id = 1; id <= kConnections; ++id) {
        const std::string bytes = call(id, stream);
        capture::Bytes request = played[id - 1].make(Sender::kClient, bytes);
        request.execution = {.runtime = runtime, .words = {1'000 + id, 1, 0}};  // a goroutine or a task that reads the connection
        deliver(request);
        played[id - 1].server(frame(FrameType::kHeaders, kEndHeaders, stream, "\x88" + field("\x0f\x10", "application/grpc")));
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
                                         Case{"go_server", Role::kServer, CLEW_RUNTIME_GO},
                                         Case{"node_server", Role::kServer, CLEW_RUNTIME_NODE}),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

}  // namespace
}  // namespace clew::connection
