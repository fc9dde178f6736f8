// SPDX-License-Identifier: Apache-2.0
// Cost of heads and exchanges in one piece, as the agent sees them; and of a head of 64 KiB that comes byte by byte.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "protocols/http1/head_scan.h"
#include "protocols/http1/http1.h"

namespace clew::protocols::http1 {
namespace {

constexpr std::string_view kRequest =
    "GET /api/v1/users/4711?fields=name HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: curl/7.88.1\r\n"
    "Accept: application/json\r\nConnection: keep-alive\r\n\r\n";
constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 21 Nov 2026 15:48:29 GMT\r\nContent-Type: application/json\r\n"
    "Content-Length: 512\r\nConnection: keep-alive\r\nETag: \"65f0-200\"\r\nVary: Accept-Encoding\r\n\r\n";

void ScanRequestHead(benchmark::State& state) {
  while (state.KeepRunning()) {
    HeadProgress progress;
    benchmark::DoNotOptimize(scan_head(Sender::kClient, kRequest, false, progress));
  }
}
BENCHMARK(ScanRequestHead);

void ScanResponseHead(benchmark::State& state) {
  while (state.KeepRunning()) {
    HeadProgress progress;
    benchmark::DoNotOptimize(scan_head(Sender::kServer, kResponse, false, progress));
  }
}
BENCHMARK(ScanResponseHead);

/// Both heads, and the end of the response behind its body. Two requests in turn, so that none is known, or one again and again.
void ParseExchange(benchmark::State& state) {
  const auto parser = Http1().make_parser(true);
  const bool repeats = state.range(0) != 0;
  std::string requests[2] = {std::string(kRequest), std::string(kRequest)};
  std::string responses[2] = {std::string(kResponse), std::string(kResponse)};
  if (!repeats) {
    requests[1].replace(requests[1].find("4711"), 4, "4712");
    responses[1].replace(responses[1].find("512"), 3, "513");
  }
  for (size_t i = 0; state.KeepRunning(); i ^= 1) {
    Step request = parser->parse(Sender::kClient, requests[i]);
    Step response = parser->parse(Sender::kServer, responses[i]);
    parser->parse(Sender::kServer, {});
    if (!request.head || !response.head) state.SkipWithError("no heads");
  }
}
BENCHMARK(ParseExchange)->Name("ParseExchange/different")->Arg(0);
BENCHMARK(ParseExchange)->Name("ParseExchange/repeated")->Arg(1);

void DescribeServerSpan(benchmark::State& state) {
  const Http1 http;
  const auto parser = http.make_parser(true);
  const Step request = parser->parse(Sender::kClient, kRequest);
  const Step response = parser->parse(Sender::kServer, kResponse);
  ExchangeFacts facts;
  facts.request = request.head.get();
  facts.response = response.head.get();
  facts.is_client_side = state.range(0) != 0;
  while (state.KeepRunning()) benchmark::DoNotOptimize(http.describe(facts));
}
BENCHMARK(DescribeServerSpan)->Name("Describe/client")->Arg(1);
BENCHMARK(DescribeServerSpan)->Name("Describe/server")->Arg(0);

void LongHeadByteByByte(benchmark::State& state) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  while (head.size() < 65000) head += "X-Filler-" + std::to_string(head.size()) + ": some value\r\n";
  head += "\r\n";
  while (state.KeepRunning()) {
    const auto parser = Http1().make_parser(true);
    Step step;
    for (size_t n = 1; n <= head.size(); ++n) step = parser->parse(Sender::kClient, std::string_view(head).substr(0, n));
    if (!step.head) state.SkipWithError("no head");
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * head.size()));
}
BENCHMARK(LongHeadByteByByte)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace clew::protocols::http1

BENCHMARK_MAIN();
