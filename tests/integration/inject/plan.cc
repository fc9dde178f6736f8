// SPDX-License-Identifier: Apache-2.0
#include "plan.h"

#include "random.h"

namespace torture {
namespace {

// The first of each is the simplest. Behind each name: how often, among all.
struct Choice {
  std::string_view name;
  unsigned weight;
};
constexpr Choice kTransports[] = {{"ipv4", 8}, {"ipv6", 3}, {"unix", 1}};
constexpr Choice kTraffics[] = {
    {"plain", 6},           {"body", 3},          {"looks-like", 4}, {"chunked", 4},         {"big-head", 2},       {"own-context", 4},
    {"empty-lines", 1},     {"lf-only", 1},       {"mixed", 10},     {"expect", 1},          {"expect-refused", 1}, {"upgrade", 2},
    {"upgrade-refused", 1}, {"upgrade-early", 1}, {"connect", 2},    {"connect-refused", 1}, {"random-bytes", 1},   {"tls-hello", 1},
    {"redis", 1},           {"http2", 1},         {"rtsp", 1}};
constexpr Choice kWriters[] = {{"whole", 6},    {"pieces", 4},  {"bytes", 1},    {"split", 3},         {"awkward", 4},
                               {"writev", 2},   {"sendmsg", 2}, {"sendmmsg", 2}, {"more", 2},          {"cork", 2},
                               {"sendfile", 2}, {"splice", 2},  {"zerocopy", 1}, {"zerocopy-late", 1}, {"any-writer", 4}};
constexpr Choice kWaitings[] = {{"blocking", 1}, {"nonblocking", 1}};
constexpr Choice kBufferses[] = {{"usual-buffers", 2}, {"tiny", 1}};
constexpr Choice kReadings[] = {{"usual-reading", 6}, {"slow", 1}, {"fionread", 1}};
constexpr Choice kSharings[] = {{"one-thread", 16}, {"threads", 1}, {"fork", 1}, {"dup", 1}};
constexpr Choice kEndings[] = {{"close", 8}, {"shutdown", 4}, {"in-flight", 1}, {"reset", 1}};
constexpr Choice kTurnses[] = {{"one-by-one", 1}, {"pipelined", 1}};
constexpr Choice kLives[] = {{"short", 1}, {"long", 0}};
constexpr std::array<std::span<const Choice>, kAxes> kChoices{kTransports, kTraffics, kWriters, kWaitings, kBufferses,
                                                              kReadings,   kSharings, kEndings, kTurnses,  kLives};

uint8_t drawn(Random& random, std::span<const Choice> choices) {
  size_t sum = 0;
  for (const Choice& c : choices) sum += c.weight;
  size_t at = random.below(sum);
  for (uint8_t i = 0; i < choices.size(); ++i) {
    if (at < choices[i].weight) return i;
    at -= choices[i].weight;
  }
  return 0;
}

// Combinations that do not exist, or say nothing.
void settle(Plan& plan) {
  const bool zerocopy = plan.is[kWriter] == kZerocopy || plan.is[kWriter] == kZerocopyLate;
  if (plan.is[kTransport] == kUnix && (zerocopy || plan.is[kWriter] == kCork)) plan.is[kWriter] = kWhole;
  if (zerocopy && plan.is[kSharing] == kFork) plan.is[kSharing] = kOneThread;
  // Whoever closes with pages in flight does not learn when they are free: no program does that.
  if (zerocopy && plan.cut_short()) plan.is[kEnding] = kClose;
  if (plan.is[kWriter] == kBytes && plan.is[kSharing] != kOneThread) plan.is[kSharing] = kDup;
  if (plan.binary() && plan.is[kReading] == kFionread) plan.is[kReading] = kUsualReading;
}

}  // namespace

Plan make_plan(uint64_t seed, uint64_t ordinal, const Pins& pins) {
  Plan plan;
  plan.seed = mix(seed, ordinal);
  plan.ordinal = ordinal;
  Random random(plan.seed);
  for (size_t a = 0; a < kAxes; ++a) {
    const uint8_t any = drawn(random, kChoices[a]);  // drawn in any case: a pin changes no other axis
    plan.is[a] = pins[a] == kAny ? any : pins[a];
  }
  settle(plan);
  const bool dear = plan.is[kSharing] == kFork || plan.is[kSharing] == kThreads;
  const size_t most = dear ? 8 : plan.is[kBuffers] == kTiny || plan.is[kReading] == kSlow ? 15 : 60;
  plan.items = static_cast<uint32_t>(random.between(1, most));
  if (plan.is[kLife] == kLong) plan.items = dear || plan.is[kBuffers] == kTiny || plan.is[kReading] == kSlow ? 20 : 500;
  plan.turn_at = static_cast<uint32_t>(random.below(plan.items));
  return plan;
}

std::span<const std::string_view> names(Axis axis) {
  static const auto all = [] {
    std::array<std::array<std::string_view, 32>, kAxes> out{};
    for (size_t a = 0; a < kAxes; ++a)
      for (size_t i = 0; i < kChoices[a].size(); ++i) out[a][i] = kChoices[a][i].name;
    return out;
  }();
  return {all[axis].data(), kChoices[axis].size()};
}

std::optional<Pins> pins_named(std::string_view list) {
  Pins pins;
  pins.fill(list.empty() ? kAny : 0);
  Pins chosen;
  chosen.fill(kAny);
  while (!list.empty()) {
    const size_t comma = list.find(',');
    const std::string_view name = list.substr(0, comma);
    list = comma == list.npos ? std::string_view() : list.substr(comma + 1);
    bool known = name == "mix";
    if (known) pins.fill(kAny);
    for (size_t a = 0; a < kAxes; ++a)
      for (uint8_t i = 0; i < kChoices[a].size(); ++i)
        if (kChoices[a][i].name == name) {
          chosen[a] = i;
          known = true;
        }
    if (!known) return std::nullopt;
  }
  for (size_t a = 0; a < kAxes; ++a)
    if (chosen[a] != kAny) pins[a] = chosen[a];
  return pins;
}

std::string describe(const Plan& plan) {
  std::string out;
  for (size_t a = 0; a < kAxes; ++a) {
    if (a != 0) out += ',';
    out += kChoices[a][plan.is[a]].name;
  }
  return out;
}

}  // namespace torture
