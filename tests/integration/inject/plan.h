// SPDX-License-Identifier: Apache-2.0
// What one connection does, as a function of a seed: both ends make the same plan. Each axis has names, any of which can be chosen alone.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace torture {

enum Axis : uint8_t { kTransport, kTraffic, kWriter, kWaiting, kBuffers, kReading, kSharing, kEnding, kTurns, kLife, kAxes };

enum Transport : uint8_t { kIpv4, kIpv6, kUnix };
enum Traffic : uint8_t {
  kPlain,
  kBody,
  kLooksLike,
  kChunked,
  kBigHead,
  kOwnContext,
  kEmptyLines,
  kLfOnly,
  kMixed,
  kExpect,
  kExpectRefused,
  kUpgrade,
  kUpgradeRefused,
  kUpgradeEarly,
  kConnect,
  kConnectRefused,
  kRandomBytes,
  kTlsHello,
  kRedis,
  kHttp2,
  kRtsp,
};
enum Writer : uint8_t {
  kWhole,
  kPieces,
  kBytes,
  kSplit,
  kAwkward,
  kWritev,
  kSendmsg,
  kSendmmsg,
  kMore,
  kCork,
  kSendfile,
  kSplice,
  kZerocopy,
  kZerocopyLate,
  kAnyWriter,
};
enum Waiting : uint8_t { kBlocking, kNonblocking };
enum Buffers : uint8_t { kUsualBuffers, kTiny };
enum Reading : uint8_t { kUsualReading, kSlow, kFionread };
enum Sharing : uint8_t { kOneThread, kThreads, kFork, kDup };
enum Ending : uint8_t { kClose, kShutdown, kInFlight, kReset };
enum Turns : uint8_t { kOneByOne, kPipelined };
enum Life : uint8_t { kShort, kLong };

// An entry per axis: a value, or kAny (the seed decides).
inline constexpr uint8_t kAny = 0xff;
using Pins = std::array<uint8_t, kAxes>;

struct Plan {
  uint64_t seed = 0;
  uint64_t ordinal = 0;  // of the connection within the run
  std::array<uint8_t, kAxes> is{};
  uint32_t items = 0;
  uint32_t turn_at = 0;  // the item that asks for another protocol (Upgrade, CONNECT)

  bool binary() const { return is[kTraffic] >= kRandomBytes; }
  bool cut_short() const { return is[kEnding] == kInFlight || is[kEnding] == kReset; }
};

Plan make_plan(uint64_t seed, uint64_t ordinal, const Pins& pins);

std::span<const std::string_view> names(Axis axis);
// "split,tiny": these, and of every other axis the simplest; with "mix" among them the other axes stay random. Nothing: a name is unknown.
std::optional<Pins> pins_named(std::string_view list);
std::string describe(const Plan& plan);

}  // namespace torture
