// SPDX-License-Identifier: Apache-2.0
// Cost of a span in each encoding, and of the whole way through a file exporter.
#include <benchmark/benchmark.h>

#include "exporter/file.h"
#include "exporter/json/writer.h"
#include "exporter/protobuf/writer.h"
#include "exporter/testing/sample_spans.h"

namespace {

using namespace clew::exporter;

constexpr size_t kGroup = 512;

std::shared_ptr<const SpanBatch> typical_batch() {
  SpanBatch batch;
  for (size_t i = 0; i < kGroup; ++i) batch.push_back(typical_span(i));
  return std::make_shared<const SpanBatch>(std::move(batch));
}

void report(benchmark::State& state, size_t bytes) {
  const auto spans = static_cast<double>(kGroup);
  state.counters["ns/span"] = benchmark::Counter(spans * 1e-9, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["bytes/span"] = static_cast<double>(bytes) / spans;
}

void json(benchmark::State& state) {
  const SpanGroup group{{typical_batch(), 0, kGroup}};
  json::Writer writer;
  Buffer out;
  for (auto _ : state) {
    out.clear();
    writer.append(group, out);
    benchmark::DoNotOptimize(out.view());
  }
  report(state, out.view().size());
}
BENCHMARK(json);

void protobuf(benchmark::State& state) {
  const SpanGroup group{{typical_batch(), 0, kGroup}};
  protobuf::Writer writer;
  Buffer out;
  for (auto _ : state) {
    out.clear();
    writer.append(group, out);
    benchmark::DoNotOptimize(out.view());
  }
  report(state, out.view().size());
}
BENCHMARK(protobuf);

void file(benchmark::State& state) {
  clew::base::Counters counters;
  const Wiring wiring{.counters = counters, .log = {}, .when_full = WhenFull::kWait, .on_reader_gone = {}};
  auto exporter = make_file_exporter({"/dev/null"}, wiring);
  const auto batch = typical_batch();
  for (auto _ : state) (*exporter)->submit(batch);
  (*exporter)->shutdown(std::chrono::seconds(10));
  report(state, 0);
}
BENCHMARK(file)->MeasureProcessCPUTime();

}  // namespace

BENCHMARK_MAIN();
