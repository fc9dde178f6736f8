// SPDX-License-Identifier: Apache-2.0
#include "exporter/queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "exporter/queued.h"
#include "exporter/testing/support.h"

namespace clew::exporter {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::Bench;
using testing::eventually;

TEST(SpanQueue, KeepsOrderAndCutsBatchesToTheGroupSize) {
  SpanQueue queue(100, WhenFull::kDrop);
  const auto first = batch_of(30, 1);
  const auto second = batch_of(30, 2);
  EXPECT_EQ(queue.push(first), 0U);
  EXPECT_EQ(queue.push(second), 0U);
  const auto group = queue.pop(40, 1h, 1h);
  ASSERT_TRUE(group);
  ASSERT_EQ(group->size(), 2U);
  EXPECT_EQ(span_count(*group), 40U);
  EXPECT_EQ((*group)[0].batch, first);
  EXPECT_EQ((*group)[1].spans().data(), second->data());
  const auto rest = queue.pop(40, 0ms, 1h);
  ASSERT_TRUE(rest);
  EXPECT_EQ(span_count(*rest), 20U);
  EXPECT_EQ((*rest)[0].spans().data(), second->data() + 10);
}

TEST(SpanQueue, FullQueueTakesWhatFitsAndSaysHowManyDidNot) {
  SpanQueue queue(50, WhenFull::kDrop);
  EXPECT_EQ(queue.push(batch_of(30)), 0U);
  auto batch = batch_of(30, 2);
  const std::weak_ptr<const SpanBatch> watch = batch;
  const SpanId twentieth = (*batch)[19].span_id;
  EXPECT_EQ(queue.push(std::move(batch)), 10U);
  EXPECT_TRUE(watch.expired()) << "a full queue must not keep whole batches alive";
  EXPECT_EQ(queue.push(batch_of(1, 3)), 1U);
  const auto group = queue.pop(100, 0ms, 1h);
  EXPECT_EQ(span_count(*group), 50U);
  EXPECT_EQ(group->back().spans().back().span_id, twentieth);
}

TEST(SpanQueue, LongSpansFillItByTheirBytes) {
  SpanBatch batch(10);
  for (Span& span : batch) span.attributes.add("url.path", std::string(1000, 'x'));
  const size_t each = batch.front().memory_bytes();
  EXPECT_GT(each, 1000U);
  const auto shared = std::make_shared<const SpanBatch>(std::move(batch));
  SpanQueue queue(100, WhenFull::kDrop, 15 * each);
  EXPECT_EQ(queue.push(shared), 0U);
  EXPECT_EQ(queue.push(shared), 5U);
  EXPECT_EQ(queue.push(shared), 10U);
  EXPECT_EQ(span_count(*queue.pop(12, 0ms, 1h)), 12U);
  EXPECT_EQ(queue.push(shared), 0U) << "three are left";
  EXPECT_EQ(span_count(*queue.pop(100, 0ms, 1h)), 13U);
}

TEST(SpanQueue, WaitingPusherGoesOnWhenThereIsRoomAndEvenWithAnOversizedBatch) {
  SpanQueue queue(10, WhenFull::kWait);
  EXPECT_EQ(queue.push(batch_of(25)), 0U) << "an empty queue takes a batch larger than itself";
  std::atomic<bool> done = false;
  std::thread pusher([&] {
    EXPECT_EQ(queue.push(batch_of(5)), 0U);
    done = true;
  });
  std::this_thread::sleep_for(30ms);
  EXPECT_FALSE(done);
  EXPECT_EQ(span_count(*queue.pop(25, 0ms, 1h)), 25U);
  pusher.join();
  EXPECT_EQ(span_count(*queue.pop(25, 0ms, 1h)), 5U);
}

TEST(SpanQueue, CloseWakesTheWaitingPusherWhichDrops) {
  SpanQueue queue(10, WhenFull::kWait);
  queue.push(batch_of(10));
  std::thread closer([&] {
    std::this_thread::sleep_for(20ms);
    queue.close();
  });
  EXPECT_EQ(queue.push(batch_of(5)), 5U);
  closer.join();
  EXPECT_EQ(span_count(*queue.pop(100, 1h, 1h)), 10U);
  EXPECT_FALSE(queue.pop(100, 1h, 1h));
}

TEST(SpanQueue, OldestSpanWaitsForTheDelayAndTicksComeWithoutSpans) {
  SpanQueue queue(10, WhenFull::kDrop);
  const auto begin = std::chrono::steady_clock::now();
  const auto tick = queue.pop(10, 1h, 20ms);
  ASSERT_TRUE(tick);
  EXPECT_TRUE(tick->empty());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 20ms);
  queue.push(batch_of(1));
  const auto pushed = std::chrono::steady_clock::now();
  EXPECT_EQ(span_count(*queue.pop(10, 50ms, 1h)), 1U);
  EXPECT_GE(std::chrono::steady_clock::now() - pushed, 49ms);
}

/// Counts, and blocks while told to.
class Gate final : public Destination {
 public:
  explicit Gate(std::atomic<bool>& open) : open_(open) {}
  void deliver(const SpanGroup& group, const Patience& patience, Tally& tally) override {
    while (!open_ && !patience.over()) std::this_thread::sleep_for(1ms);
    if (open_)
      tally.exported(span_count(group));
    else
      tally.dropped(span_count(group), "shutdown");
  }

 private:
  std::atomic<bool>& open_;
};

TEST(QueuedExporter, EverySpanIsExportedOrCountedAsLost) {
  Bench bench;
  std::atomic<bool> open = false;
  QueuedExporter exporter("gate", std::make_unique<Gate>(open), {.queue_spans = 100, .max_spans = 10, .delay = 1ms}, bench.wiring());
  for (uint64_t i = 0; i < 50; ++i) exporter.submit(batch_of(7, i));
  EXPECT_GT(bench.lost("gate", "queue_full"), 0U);
  open = true;
  exporter.shutdown(5s);
  EXPECT_GE(bench.spans("gate", "exported"), 100U);
  EXPECT_EQ(bench.spans("gate", "exported") + bench.lost("gate"), 350U);
  EXPECT_EQ(bench.spans("gate", "dropped"), bench.lost("gate"));
}

TEST(QueuedExporter, WhatIsLeftWhenPatienceEndsIsCounted) {
  Bench bench;
  std::atomic<bool> open = false;
  QueuedExporter exporter("gate", std::make_unique<Gate>(open), {.queue_spans = 100, .max_spans = 10, .delay = 1ms}, bench.wiring());
  exporter.submit(batch_of(50));
  const auto begin = std::chrono::steady_clock::now();
  exporter.shutdown(100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
  EXPECT_EQ(bench.lost("gate", "shutdown"), 50U);
}

}  // namespace
}  // namespace clew::exporter
