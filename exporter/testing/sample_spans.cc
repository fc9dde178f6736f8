// SPDX-License-Identifier: Apache-2.0
#include "exporter/testing/sample_spans.h"

#include <fmt/core.h>

#include <array>
#include <cstring>

namespace clew::exporter {
namespace {

/// splitmix64: the same numbers everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  template <size_t N>
  std::array<uint8_t, N> id() {
    std::array<uint8_t, N> bytes{};
    for (size_t i = 0; i < N; i += 8) {
      const uint64_t word = next() | 1;
      std::memcpy(bytes.data() + i, &word, 8);
    }
    return bytes;
  }

 private:
  uint64_t state_;
};

std::shared_ptr<const Resource> make_resource(const char* service, int64_t process_id) {
  auto resource = std::make_shared<Resource>();
  resource->attributes.add("service.name", service);
  resource->attributes.add("service.instance.id", fmt::format("{}-{}", service, process_id));
  resource->attributes.add("process.pid", process_id);
  resource->attributes.add("host.name", "node-1");
  resource->attributes.add("telemetry.distro.name", "clew");
  resource->attributes.add_named("deployment.environment.name", "sample");
  return resource;
}

void add_http(Span& span, const char* path, int64_t status, Random& random) {
  base::Attributes& attributes = span.attributes;
  const bool client = span.kind == SpanKind::kClient;
  attributes.add("http.request.method", "GET");
  attributes.add("url.scheme", "http");
  if (client)
    attributes.add("url.full", fmt::format("http://10.0.0.2:8080{}", path));
  else
    attributes.add("url.path", path);
  attributes.add("server.address", "10.0.0.2");
  attributes.add("server.port", 8080);
  attributes.add("network.protocol.version", "1.1");
  attributes.add("network.peer.address", "10.0.0.7");
  attributes.add("network.peer.port", 40000 + static_cast<int64_t>(random.next() % 20000));
  attributes.add("http.response.status_code", status);
  attributes.add("http.request.body.size", static_cast<int64_t>(random.next() % 2000));
  attributes.add("http.response.body.size", static_cast<int64_t>(random.next() % 200000));
  attributes.add("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) \"quoted\" back\\slash tab\there \u00fcml\u00e4ut");
  if (status >= 500) {
    attributes.add("error.type", fmt::format("{}", status));
    span.status = StatusCode::kError;
  }
}

}  // namespace

SpanBatch sample_spans(size_t count, uint64_t seed, uint64_t end_unix_ns) {
  Random random(seed);
  const std::array resources{make_resource("frontend", 101), make_resource("cart", 102), make_resource("payments", 103)};
  SpanBatch batch;
  batch.reserve(count);
  TraceId trace_id{};
  SpanId last{};
  for (size_t i = 0; i < count; ++i) {
    const size_t place = i % 5;  // server, client, server, client, server
    Span& span = batch.emplace_back();
    if (place == 0) trace_id = random.id<16>();
    span.trace_id = trace_id;
    span.span_id = random.id<8>();
    if (place > 0) span.parent_span_id = last;
    last = span.span_id;
    span.kind = place % 2 == 0 ? SpanKind::kServer : SpanKind::kClient;
    if (place % 2 == 0) span.flags |= kFlagHasIsRemote | (place > 0 ? kFlagIsRemote : 0);
    const uint64_t inset = place * 2'000'000 + random.next() % 1'000'000;
    span.start_unix_ns = end_unix_ns - 45'000'000 + inset;
    span.end_unix_ns = end_unix_ns - inset;
    span.name = "GET";
    span.resource = resources[place / 2];
    add_http(span, place < 2 ? "/checkout" : place < 4 ? "/cart/items" : "/pay", i % 10 >= 8 ? 503 : 200, random);
    if (place > 0) span.attributes.add("clew.parent.evidence", place % 2 == 0 ? "connection" : "execution");
    if (place == 3) {
      span.trace_state = "vendor=1,other=2";
      span.attributes.add("clew.parent.confidence", 0.75);
      span.attributes.add("clew.injected", true);
      span.attributes.add("clew.incomplete", std::vector<std::string_view>{"head_truncated", "bytes_lost"});
      Link& link = span.links.emplace_back();
      link.trace_id = random.id<16>();
      link.span_id = random.id<8>();
      link.flags = kFlagSampled | kFlagHasIsRemote;
      link.trace_state = "a=b";
      link.attributes.add("reason", "two parents were possible");
    }
  }
  return batch;
}

Span typical_span(uint64_t seed) {
  Random random(seed);
  Span span;
  span.trace_id = random.id<16>();
  span.span_id = random.id<8>();
  span.kind = SpanKind::kServer;
  span.start_unix_ns = 1'790'000'000'000'000'000 + random.next() % 1'000'000'000;
  span.end_unix_ns = span.start_unix_ns + 1'234'567;
  span.name = "GET";
  static const std::shared_ptr<const Resource> kFrontend = make_resource("frontend", 101);
  span.resource = kFrontend;
  base::Attributes& a = span.attributes;
  a.add("http.request.method", "GET");
  a.add("url.path", "/api/v1/items/12345");
  a.add("url.scheme", "http");
  a.add("http.response.status_code", 200);
  a.add("network.protocol.version", "1.1");
  a.add("server.address", "shop.example");
  a.add("server.port", 8080);
  a.add("client.address", "10.0.0.7");
  a.add("network.peer.address", "10.0.0.7");
  a.add("network.peer.port", 51234);
  a.add("user_agent.original", "curl/7.88.1");
  a.add("http.request.body.size", 0);
  a.add("http.response.body.size", 2048);
  a.add("url.query", "q=REDACTED");
  a.add("clew.parent.evidence", "header");
  a.add("clew.injected", false);
  return span;
}

}  // namespace clew::exporter
