// SPDX-License-Identifier: Apache-2.0
// What holds for any bytes: no crash, no id of zeros, bounded tracestate; and what is written is read back as it was.
#include <gtest/gtest.h>

#include <random>

#include "agent/correlation/propagation/characters.h"
#include "agent/correlation/propagation/test_head.h"

namespace clew::correlation::propagation {
namespace {

using testing::extract_lines;
using testing::Lines;
using testing::summary;

constexpr int kRounds = 20'000;

const Lines kGood = {
    {"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
    {"tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,t@s= x"},
    {"b3", "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90"},
    {"x-b3-traceid", "80f198ee56343ba864fe8b2a57d3eff7"},
    {"x-b3-spanid", "e457b5a2e4d86bd1"},
    {"x-b3-parentspanid", "05e3ac9a4f6e3b90"},
    {"x-b3-sampled", "true"},
    {"x-b3-flags", "1"},
    {"uber-trace-id", "4bf92f3577b34da6%3A00f067aa0ba902b7:0:3"},
    {"x-amzn-trace-id", "Self=1-1-1;Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"},
    {"x-datadog-trace-id", "1234605616436508552"},
    {"x-datadog-parent-id", "18364758544493064720"},
    {"x-datadog-sampling-priority", "2"},
    {"x-datadog-tags", "_dd.p.dm=-4,_dd.p.tid=640cfd8d00000000"},
};

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  size_t below(size_t limit) { return std::uniform_int_distribution<size_t>(0, limit - 1)(engine_); }
  uint8_t byte() { return static_cast<uint8_t>(below(256)); }
  template <size_t N>
  std::array<uint8_t, N> id() {
    std::array<uint8_t, N> bytes;
    do
      for (uint8_t& b : bytes) b = below(4) == 0 ? 0 : byte();
    while (is_zero(bytes));
    return bytes;
  }

  /// One to four small injuries: a byte replaced, removed, put in, a tail cut or repeated.
  std::string injure(std::string text) {
    for (size_t i = below(4) + 1; i > 0 && !text.empty(); --i) {
      const size_t at = below(text.size());
      const char c = below(2) == 0 ? "-:;=,%0dF ?."[below(12)] : static_cast<char>(byte());
      switch (below(5)) {
        case 0: text[at] = c; break;
        case 1: text.erase(at, 1); break;
        case 2: text.insert(at, 1, c); break;
        case 3: text.erase(at); break;
        default: text += text.substr(at); break;
      }
    }
    return text;
  }

 private:
  std::mt19937 engine_;
};

void expect_sound(const ExtractResult& result) {
  if (!result.context) {
    ASSERT_FALSE(result.disagreeing);
    return;
  }
  const RemoteContext& context = *result.context;
  ASSERT_FALSE(is_zero(context.trace_id));
  ASSERT_FALSE(is_zero(context.span_id));
  ASSERT_EQ((context.flags & kFlagSampled) != 0, context.sampled == Sampled::kYes || context.sampled == Sampled::kDebug);
  ASSERT_EQ(context.flags & ~(kFlagSampled | kFlagRandom), 0);
  ASSERT_LE(context.trace_state.size(), kTraceStateMax);
  ASSERT_EQ(result.sampled_only, Sampled::kDeferred);
}

TEST(AnyBytes, GiveASoundResult) {
  Random random(1);
  for (int round = 0; round < kRounds; ++round) {
    Lines lines;
    for (size_t i = random.below(6) + 1; i > 0; --i) {
      std::string value(random.below(80), '\0');
      for (char& c : value) c = static_cast<char>(random.byte());
      lines.emplace_back(kHeaderNames[random.below(kHeaderNames.size())], value);
    }
    expect_sound(extract_lines(lines));
  }
}

TEST(AnyBytes, InjuredHeadersGiveASoundResult) {
  Random random(2);
  int with_context = 0;
  int with_reasons = 0;
  for (int round = 0; round < kRounds; ++round) {
    Lines lines;
    for (const auto& [name, value] : kGood) {
      if (random.below(3) == 0) continue;
      lines.emplace_back(name, random.below(2) == 0 ? random.injure(value) : value);
      if (random.below(20) == 0) lines.push_back(lines.back());
    }
    const ExtractResult result = extract_lines(lines);
    expect_sound(result);
    with_context += result.context ? 1 : 0;
    with_reasons += result.ignored.empty() ? 0 : 1;
  }
  EXPECT_GT(with_context, kRounds / 2) << "the injuries are small enough to get past the first check";
  EXPECT_GT(with_reasons, kRounds / 2);
}

TEST(AnyBytes, EveryBeginningOfEveryHeaderGivesASoundResult) {
  for (size_t line = 0; line < kGood.size(); ++line) {
    for (size_t length = 0; length <= kGood[line].second.size(); ++length) {
      Lines lines = kGood;
      lines[line].second.resize(length);
      lines[line].second.shrink_to_fit();  // so that ASan sees a read behind it
      expect_sound(extract_lines(lines));
      expect_sound(extract_lines({lines[line]}));
    }
  }
}

TEST(FormatTraceparent, IsReadBackAsItWas) {
  Random random(3);
  for (int round = 0; round < kRounds; ++round) {
    const auto trace_id = random.id<16>();
    const auto span_id = random.id<8>();
    const auto flags = static_cast<uint8_t>(random.below(4));
    std::string text(kTraceparentLength, '?');
    format_traceparent(trace_id, span_id, flags, std::span<char, kTraceparentLength>(text.data(), kTraceparentLength));
    const ExtractResult result = extract_lines({{"traceparent", text}, {"tracestate", "a=1"}});
    ASSERT_TRUE(result.context) << text;
    const Sampled sampled = (flags & kFlagSampled) != 0 ? Sampled::kYes : Sampled::kNo;
    ASSERT_EQ(*result.context, (RemoteContext{trace_id, span_id, Propagator::kTraceContext, sampled, flags, "a=1"})) << text;
    ASSERT_TRUE(result.ignored.empty());
  }
}

}  // namespace
}  // namespace clew::correlation::propagation
