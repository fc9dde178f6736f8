// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/node.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "agent/runtime/node_streams.h"
#include "bpf/events.h"

namespace clew::runtime {
namespace {

using discovery::Directory;
using discovery::ProcFs;

constexpr size_t kMapsBytesMax = size_t{4} << 20;
constexpr uint64_t kBytesMax = uint64_t{64} << 20;
constexpr uint64_t kBytesBehindMax = uint64_t{8} << 20;  // behind a find: a program's Environment is among the first that it allocates
constexpr uint64_t kStackBytesMax = uint64_t{8} << 20;
constexpr size_t kPiece = size_t{1} << 20;
constexpr std::array<uint64_t, 3> kWaits = {232, 281, 441};  // epoll_wait, epoll_pwait, epoll_pwait2
constexpr uint64_t kEventsBytes = 1024 * 12;                 // uv__io_poll: struct epoll_event events[1024], packed
constexpr uint64_t kPollFunctionBytesMax = 16'384;           // of code
constexpr size_t kRunFrameWords = 64;                        // of uv_run
constexpr uint64_t kPollStackBytesMax = 64 << 10;            // from the wait to uv_run

// Lengths of the arrays: the stack of ids begins with 2 × 16 and doubles, the kinds of hooks are 9 since Node 12 (8 before), the ids are 4.
constexpr uint64_t kStackLengthMin = 32;
constexpr uint64_t kStackLengthMax = 1 << 20;
constexpr uint64_t kHooksMin = 7;
constexpr uint64_t kHooksMax = 14;
constexpr uint64_t kIds = 4;
constexpr size_t kArrayWordsMin = 5;  // of one array: 6 in Node 16, 7 since 18
constexpr size_t kArrayWordsMax = 9;
constexpr uint64_t kImmediates = 3;
constexpr size_t kImmediatesWordsMax = 96;  // from the ids' array to that of the immediates
constexpr uint64_t kTicks = 2;
constexpr size_t kTicksWordsMax = 32;  // from there to the next
constexpr size_t kSpan = 2 * kArrayWordsMax + kImmediatesWordsMax + kTicksWordsMax + 4;

// uv_loop_t, include/uv/unix.h: the same in all of libuv 1.
constexpr uint64_t kLoopDescriptor = 64;
constexpr std::array<uint64_t, 3> kLoopQueues = {16, 72, 88};  // handles, pending, watchers

bool is_address(uint64_t word) { return word >= 0x10000 && word < uint64_t{1} << 47 && word % 8 == 0; }

struct Mapping {
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct Mappings {
  std::vector<Mapping> code;
  std::vector<Mapping> data;  // private, writable, of no file; the heap first
  Mapping stack;
};

// "559a4b9c6000-559a4bc36000 rw-p 00000000 00:00 0    [heap]"
Mappings parse(std::string_view maps) {
  Mappings found;
  while (!maps.empty()) {
    const size_t end = std::min(maps.find('\n'), maps.size());
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(std::min(end + 1, maps.size()));
    Mapping mapping;
    const auto begin = std::from_chars(line.data(), line.data() + line.size(), mapping.begin, 16);
    if (begin.ec != std::errc() || begin.ptr == line.data() + line.size()) continue;
    const auto behind = std::from_chars(begin.ptr + 1, line.data() + line.size(), mapping.end, 16);
    if (behind.ec != std::errc()) continue;
    const std::string_view rest(behind.ptr, line.data() + line.size());
    if (rest.starts_with(" r-xp ")) found.code.push_back(mapping);
    if (!rest.starts_with(" rw-p ")) continue;
    const std::string_view name = line.substr(line.rfind(' ') + 1);
    if (name == "[stack]")
      found.stack = mapping;
    else if (name == "[heap]")
      found.data.insert(found.data.begin(), mapping);
    else if (name.empty() || name == "0" || name.starts_with("[anon"))
      found.data.push_back(mapping);
  }
  return found;
}

// /proc/PID/mem.
class Memory {
 public:
  explicit Memory(const Directory& process) : fd_(::openat(process.fd(), "mem", O_RDONLY | O_CLOEXEC)) {}
  ~Memory() {
    if (fd_ >= 0) ::close(fd_);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  bool open() const { return fd_ >= 0; }
  bool bytes(uint64_t address, std::span<uint8_t> bytes) const {
    return ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(address)) == static_cast<ssize_t>(bytes.size());
  }
  /// How many of the words are there.
  size_t read(uint64_t address, std::span<uint64_t> words) const {
    const ssize_t n = ::pread(fd_, words.data(), words.size_bytes(), static_cast<off_t>(address));
    return n < 0 ? 0 : static_cast<size_t>(n) / sizeof(uint64_t);
  }
  bool read(uint64_t address, std::span<double, kIds> ids) const {
    return ::pread(fd_, ids.data(), ids.size_bytes(), static_cast<off_t>(address)) == static_cast<ssize_t>(ids.size_bytes());
  }

 private:
  int fd_;
};

// A JavaScript program may look like anything; three words alike and three lengths in their order do not come by chance.
bool is_array(std::span<const uint64_t> words, size_t at, uint64_t isolate, uint64_t least, uint64_t most) {
  return words[at] == isolate && words[at + 1] >= least && words[at + 1] <= most && words[at + 2] == 0 && is_address(words[at + 3]);
}

class Search {
 public:
  Search(const Memory& memory, std::vector<uint64_t> stack) : memory_(memory), stack_(std::move(stack)) {}

  void look_into(const Mapping& mapping) {
    for (uint64_t address = mapping.begin; address < mapping.end && read_ < kBytesMax;) {
      const size_t wanted = std::min<uint64_t>(kPiece, mapping.end - address) / sizeof(uint64_t);
      const size_t n = memory_.read(address, std::span(piece_).first(wanted));
      if (n == 0) return;  // not there any more, or a guard
      read_ += n * sizeof(uint64_t);
      for (const AsyncHooks& hooks : async_hooks_in(std::span(piece_).first(n))) consider(hooks);
      if (found_ && read_ > found_at_ + kBytesBehindMax) return;
      if (n <= kSpan || address + n * sizeof(uint64_t) >= mapping.end) return;
      address += (n - kSpan) * sizeof(uint64_t);  // what lies across the border is seen with the next piece
    }
  }

  uint64_t bytes_read() const { return read_; }
  bool exhausted() const { return read_ >= kBytesMax; }
  const std::optional<AsyncHooks>& found() const { return found_; }

 private:
  // The isolate that runs the thread stands in the frames from which all others come. Another one may have left traces below them.
  void consider(const AsyncHooks& hooks) {
    std::array<double, kIds> ids{};
    if (!memory_.read(hooks.ids, ids) || !are_async_ids(ids)) return;
    const auto oldest = std::ranges::find(stack_.rbegin(), stack_.rend(), hooks.isolate);
    const auto height = static_cast<size_t>(stack_.rend() - oldest);
    const bool again = found_ && height == height_ && found_->ids == hooks.ids;  // now with what lay behind the border
    if (height == 0 || (height <= height_ && !again)) return;
    height_ = height;
    found_ = hooks;
    found_at_ = read_;
  }

  const Memory& memory_;
  std::vector<uint64_t> stack_;
  std::vector<uint64_t> piece_ = std::vector<uint64_t>(kPiece / sizeof(uint64_t));
  uint64_t read_ = 0;
  uint64_t found_at_ = 0;
  size_t height_ = 0;
  std::optional<AsyncHooks> found_;
};

struct Wait {
  uint64_t stack = 0;
  uint64_t descriptor = 0;  // of the epoll
};

// Where the thread waits for events; none: it does not. "281 0xe 0x7ffc… … STACK CODE", or "running".
std::optional<Wait> wait_of(const Directory& process) {
  std::string text;
  if (process.read("syscall", 512, text).error != 0) return std::nullopt;
  std::vector<uint64_t> numbers;
  for (const char* at = text.data(); at < text.data() + text.size();) {
    const bool hex = std::string_view(at).starts_with("0x");
    uint64_t number = 0;
    const auto parsed = std::from_chars(hex ? at + 2 : at, text.data() + text.size(), number, hex ? 16 : 10);
    if (parsed.ec != std::errc()) break;
    numbers.push_back(number);
    at = parsed.ptr + 1;
  }
  if (numbers.size() != 9 || std::ranges::find(kWaits, numbers[0]) == kWaits.end()) return std::nullopt;
  return Wait{.stack = numbers[7], .descriptor = numbers[1]};
}

bool is_loop(const Memory& memory, uint64_t address, uint64_t descriptor) {
  std::array<uint64_t, 13> loop{};
  if (!is_address(address) || memory.read(address, loop) != loop.size()) return false;
  if (static_cast<uint32_t>(loop[kLoopDescriptor / sizeof(uint64_t)]) != descriptor) return false;
  return std::ranges::all_of(kLoopQueues, [&](uint64_t queue) {
    std::array<uint64_t, 2> next{};  // of the first entry: next, previous
    return memory.read(loop[queue / sizeof(uint64_t)], next) == next.size() && next[1] == address + queue;
  });
}

struct Call {
  bool there = false;
  uint64_t function = 0;  // that it calls; 0: by way of a register or of memory
};

// The call in front of a return address.
Call call_before(const Memory& memory, uint64_t address) {
  std::array<uint8_t, 6> code{};
  if (!memory.bytes(address - code.size(), code)) return {};
  if (code[1] == 0xe8) {
    int32_t distance = 0;
    std::memcpy(&distance, code.data() + 2, sizeof distance);
    return {.there = true, .function = address + static_cast<uint64_t>(int64_t{distance})};
  }
  return {.there = (code[0] == 0xff && code[1] == 0x15) || (code[4] == 0xff && (code[5] & 0xf8) == 0xd0)};
}

}  // namespace

// Of bytes, so that its address need not be a multiple of eight.
static uint64_t ticks_behind(std::span<const uint64_t> words, uint64_t isolate) {
  const std::array wanted = {isolate, kTicks, uint64_t{0}};
  const auto ticks = std::ranges::search(words.first(std::min(kTicksWordsMax, words.size())), wanted);
  return ticks.empty() || ticks.end() == words.end() || *ticks.end() >= uint64_t{1} << 47 ? 0 : *ticks.end();
}

std::vector<AsyncHooks> async_hooks_in(std::span<const uint64_t> words) {
  std::vector<AsyncHooks> found;
  for (size_t at = 2 * kArrayWordsMin; at + 4 <= words.size(); ++at) {
    if (words[at + 1] != kIds || words[at + 2] != 0 || !is_address(words[at]) || !is_address(words[at + 3])) continue;
    for (size_t stride = kArrayWordsMin; stride <= kArrayWordsMax && 2 * stride <= at; ++stride) {
      if (!is_array(words, at - stride, words[at], kHooksMin, kHooksMax)) continue;
      if (!is_array(words, at - 2 * stride, words[at], kStackLengthMin, kStackLengthMax)) continue;
      const auto behind = words.subspan(at + 4, std::min(kImmediatesWordsMax, words.size() - at - 4));
      const std::array wanted = {words[at], kImmediates, uint64_t{0}};
      const auto immediates = std::ranges::search(behind, wanted);
      if (immediates.empty() || immediates.end() == behind.end() || !is_address(*immediates.end())) break;
      found.push_back({.isolate = words[at],
                       .kinds = words[at - stride + 3],
                       .immediates = *immediates.end(),
                       .ticks = ticks_behind(words.subspan(static_cast<size_t>(immediates.end() - behind.begin()) + at + 4), words[at]),
                       .ids = words[at + 3]});
      break;
    }
  }
  return found;
}

bool are_async_ids(std::span<const double, 4> ids) {
  static constexpr double kMost = 9007199254740992.0;  // 2^53: beyond it doubles are no counters
  for (const double id : ids)
    if (!(id >= -1 && id < kMost) || std::trunc(id) != id) return false;
  return ids[0] >= 0 && ids[1] >= 0 && ids[2] >= 1 && ids[0] <= ids[2] && ids[1] <= ids[2] && ids[3] <= ids[2];
}

base::Result<std::optional<AsyncHooks>> find_async_hooks(const ProcFs& proc, uint32_t process_id) {
  CLEW_TRY(const Directory process, Directory::open(fmt::format("{}/{}", proc.root, process_id)));
  std::string text;
  if (const auto read = process.read("maps", kMapsBytesMax, text); read.error != 0)
    return base::fail(fmt::format("cannot read its memory map: {}", std::generic_category().message(read.error)));
  const Memory memory(process);
  if (!memory.open()) return base::fail("cannot read its memory");
  const Mappings mappings = parse(text);
  const uint64_t stack_bytes = std::min(mappings.stack.end - mappings.stack.begin, kStackBytesMax);
  std::vector<uint64_t> stack(stack_bytes / sizeof(uint64_t));
  stack.resize(memory.read(mappings.stack.end - stack_bytes, stack));
  Search search(memory, std::move(stack));
  for (const Mapping& mapping : mappings.data) {
    search.look_into(mapping);
    if (search.found()) return search.found();
    if (search.exhausted()) return base::fail(fmt::format("no async ids in the first {} MiB of its memory", kBytesMax >> 20));
  }
  return std::nullopt;
}

base::Result<std::optional<PollFrame>> find_poll_frame(const ProcFs& proc, uint32_t process_id) {
  CLEW_TRY(const Directory process, Directory::open(fmt::format("{}/{}", proc.root, process_id)));
  const Memory memory(process);
  std::string text;
  if (!memory.open() || process.read("maps", kMapsBytesMax, text).error != 0) return base::fail("cannot read its memory");
  const auto wait = wait_of(process);
  if (!wait) return std::nullopt;
  const Mappings mappings = parse(text);
  const auto is_code = [&](uint64_t word) {
    return std::ranges::any_of(mappings.code, [word](const Mapping& m) { return word > m.begin + 6 && word < m.end; });
  };
  std::vector<uint64_t> words(kPollStackBytesMax / sizeof(uint64_t));
  words.resize(memory.read(wait->stack, words));
  std::optional<size_t> first;  // index of the address to which the wait will return: the first of all
  PollFrame frame;
  for (size_t at = 0; at < words.size() && frame.slot == 0; ++at) {
    if (!is_code(words[at])) continue;
    const Call call = call_before(memory, words[at]);
    if (!call.there) continue;
    if (!first) first = at;
    if (call.function != 0 && (at - *first) * sizeof(uint64_t) >= kEventsBytes && words[*first] - call.function < kPollFunctionBytesMax) {
      frame.slot = wait->stack + at * sizeof(uint64_t);
      frame.function = call.function;
      words.resize(std::min(words.size(), at + kRunFrameWords));
    }
  }
  if (frame.slot == 0) return std::nullopt;
  const auto loop = std::ranges::find_if(words.rbegin(), words.rend(), [&](uint64_t w) { return is_loop(memory, w, wait->descriptor); });
  if (loop == words.rend()) return std::nullopt;
  frame.loop = *loop;
  return frame;
}

Layout node_layout(const ProcFs& proc, uint32_t process_id) {
  const auto hooks = find_async_hooks(proc, process_id);
  if (!hooks) return {.description = fmt::format("nodejs: by threads: {}", hooks.error().message)};
  if (!*hooks) return {.description = "nodejs: by threads: no async ids yet", .not_yet = true};
  const auto poll = find_poll_frame(proc, process_id);
  if (!poll) return {.description = fmt::format("nodejs: by threads: {}", poll.error().message)};
  if (!*poll) return {.description = "nodejs: by threads: its loop has not been seen waiting yet", .not_yet = true};
  Layout layout{
      .runtime = CLEW_RUNTIME_NODE,
      .values = {(*hooks)->ids, (*poll)->slot, (*poll)->function, (*poll)->loop, (*hooks)->immediates, (*hooks)->ticks, (*hooks)->kinds},
      .description = fmt::format("nodejs, async ids at {:#x}, loop at {:#x}", (*hooks)->ids, (*poll)->loop)};
  layout.probes = node_stream_probes(proc, process_id);
  if (!layout.probes.empty()) layout.description += fmt::format("; streams of HTTP/2 by {} probes", layout.probes.size());
  return layout;
}

}  // namespace clew::runtime
