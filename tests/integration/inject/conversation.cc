// SPDX-License-Identifier: Apache-2.0
#include "conversation.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <vector>

#include "probes.h"
#include "sender.h"

namespace torture {
namespace {

constexpr int kWaitMs = 20'000;

uint64_t now_us() {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count());
}

// A socket with its name in the table, connected. -1: it could not be.
int connected(const Target& target, const Plan& plan, Table& table, Random& random) {
  const uint8_t kind = plan.is[kTransport];
  const int fd = socket(kind == kIpv4 ? AF_INET : kind == kIpv6 ? AF_INET6 : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (plan.is[kBuffers] == kTiny) {
    const int out = static_cast<int>(random.between(2, 8)) << 10, in = static_cast<int>(random.between(2, 8))
                                                                       << 10;  // doubled by the kernel
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &out, sizeof out);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &in, sizeof in);
  }
  const Entry entry{target.seed, plan.ordinal, target.pins, 1};
  Address own = kind == kIpv4   ? ipv4_address(static_cast<uint8_t>(1 + plan.ordinal % (kAddresses - 2)), 0)
                : kind == kIpv6 ? ipv6_address(0)
                                : unix_address(unix_name(entry));
  bool good = bind(fd, own.get(), own.size) == 0;
  if (kind != kUnix) {
    own.size = sizeof own.storage;
    good = good && getsockname(fd, own.get(), &own.size) == 0;
    if (good) table.set(slot_of(own), port_of(own), entry);
  }
  const Address to = kind == kIpv4   ? ipv4_address(1, target.port4)
                     : kind == kIpv6 ? ipv6_address(target.port6)
                                     : unix_address(target.unix_socket);
  const timeval limit{kWaitMs / 1000, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (good && connect(fd, to.get(), to.size) == 0) {
    const int one = 1;
    if (kind != kUnix && random.one_in(2)) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (plan.is[kWaiting] == kNonblocking) fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
  }
  close(fd);
  return -1;
}

class Conversation {
 public:
  Conversation(int fd, const Target& target, const Plan& plan, Report& report, Random& random)
      : fd_(fd), target_(target), plan_(plan), report_(report), random_(random), sender_(fd, plan, report) {}

  void run();

 private:
  bool batch();
  bool write(size_t from, size_t to);
  bool read(std::string_view answers);
  bool read_some(std::string_view answers);
  bool ready_to_read();
  void damage();
  void finish();
  bool broken(std::string_view what);
  bool last_batch() const { return next_ == plan_.items; }

  int fd_;
  const Target& target_;
  const Plan& plan_;
  Report& report_;
  Random& random_;
  Sender sender_;
  Batch batch_;
  std::vector<size_t> cuts_;
  uint32_t next_ = 0;
  uint64_t read_ = 0;
};

bool Conversation::broken(std::string_view what) {
  report_.complain(report_.broken, plan_, "item " + std::to_string(next_) + ": " + std::string(what));
  return false;
}

bool Conversation::ready_to_read() {
  for (int i = 0; i < 1000; ++i) {
    pollfd p{fd_, POLLIN, 0};
    const int n = poll(&p, 1, kWaitMs);
    if (n == 0) return broken("no answer for 20 s");
    if (n < 0 && errno == EINTR) continue;
    if ((p.revents & POLLERR) != 0 && sender_.zerocopy().enabled()) sender_.zerocopy().reap(fd_);
    if ((p.revents & (POLLIN | POLLHUP)) != 0 || !sender_.zerocopy().enabled()) return true;
  }
  return broken("the error queue does not end");
}

bool Conversation::read_some(std::string_view answers) {
  char buffer[16'384];
  while (!answers.empty()) {
    if (!ready_to_read()) return false;
    const ssize_t n = recv(fd_, buffer, std::min(sizeof buffer, answers.size()), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) return broken(n == 0 ? "the server has closed" : "the connection was reset");
    const std::string_view got(buffer, static_cast<size_t>(n));
    if (got != answers.substr(0, got.size())) {
      report_.complain(report_.wrong_answers, plan_,
                       "item " + std::to_string(next_) + ": another answer: " + std::string(got.substr(0, 80)));
      return false;
    }
    answers.remove_prefix(got.size());
    read_ += got.size();
  }
  return true;
}

bool Conversation::read(std::string_view answers) {
  const bool probe = kAsks && plan_.is[kReading] == kFionread && answers.size() < 1500 && !answers.empty();
  if (!probe) return read_some(answers);
  ++report_.fionread_checks;
  const size_t half = random_.below(answers.size());
  const unsigned patience_ms = report_.probe_failures < 3 ? 5000 : 20;  // if it is broken, it need not take hours to say so
  std::string wrong = readable_bytes_are(fd_, answers.size(), patience_ms);
  if (!read_some(answers.substr(0, half))) return false;
  if (wrong.empty()) wrong = readable_bytes_are(fd_, answers.size() - half, patience_ms);
  if (!read_some(answers.substr(half))) return false;
  if (wrong.empty()) wrong = readable_bytes_are(fd_, 0, patience_ms);
  if (!wrong.empty()) report_.complain(report_.probe_failures, plan_, wrong);
  return true;
}

bool Conversation::write(size_t from, size_t to) { return sender_.write(batch_, cuts_, from, to) || broken(sender_.error()); }

// What injection at a wrong place would do to a stream.
void Conversation::damage() {
  std::string& b = batch_.bytes;
  const size_t at = b.size() / 2;
  switch (plan_.ordinal / 4 % 4) {
    case 0: b.insert(at, b.substr(at, std::min<size_t>(b.size() - at, 40))); break;
    case 1: b.erase(at, 1); break;
    case 2: b.insert(at, "traceparent: 00-11111111111111111111111111111111-2222222222222222-01\r\n"); break;
    default: b[at] = static_cast<char>(b[at] ^ 1); break;
  }
  cuts_ = cut(plan_, batch_, random_);
}

// Some items that may be written together, and their answers.
bool Conversation::batch() {
  const size_t depth = plan_.is[kTurns] == kOneByOne ? 1 : plan_.is[kReading] == kFionread ? random_.between(1, 4) : random_.between(1, 50);
  struct Due {
    size_t at;
    std::string answers;
  };
  batch_ = {};
  std::vector<Due> due;
  std::string answers;
  const uint32_t first = next_;
  for (size_t i = 0; i < depth && next_ < plan_.items && batch_.bytes.size() < (6U << 20); ++i) {
    const Item item = make_item(plan_, next_);
    if (item.interim_at != kNowhere) {
      due.push_back({batch_.bytes.size() + item.interim_at, answers + item.interim});
      answers.clear();
    }
    batch_.add(item, next_);
    answers += item.answer;
    ++next_;
    if (item.barrier) break;
  }
  due.push_back({batch_.bytes.size(), std::move(answers)});
  cuts_ = cut(plan_, batch_, random_);
  if (target_.evil && plan_.ordinal % 4 == 0 && first == 0) damage();
  const uint64_t began = now_us();
  size_t from = 0;
  for (const Due& d : due) {
    const bool end = &d == &due.back();
    size_t to = end ? batch_.bytes.size() : d.at;
    if (end && last_batch() && plan_.is[kEnding] == kReset) to -= random_.below(to - from + 1);
    if (!write(from, to)) return false;
    from = to;
    if (end && last_batch() && plan_.cut_short()) return true;
    if (end && last_batch() && plan_.is[kEnding] == kShutdown) shutdown(fd_, SHUT_WR);
    if (!read(d.answers)) return false;
  }
  // With tiny windows TCP's own timers make waits of seconds, without anybody's doing.
  if (plan_.is[kReading] != kSlow && plan_.is[kBuffers] != kTiny) report_.waited(plan_, now_us() - began, first);
  report_.answered += next_ - first;
  return true;
}

void Conversation::finish() {
  if (plan_.is[kEnding] == kClose && plan_.is[kTransport] != kUnix) {
    uint64_t added = 0;
    ++report_.info_checks;
    const std::string wrong = counters_fit(fd_, sender_.written(), read_, plan_.items, added);
    if (!wrong.empty()) report_.complain(report_.probe_failures, plan_, wrong);
    report_.added_bytes += added;
  }
  if (sender_.zerocopy().enabled() && !plan_.cut_short()) {
    const std::string wrong = sender_.zerocopy().finish(fd_);
    if (!wrong.empty()) report_.complain(report_.probe_failures, plan_, "zerocopy: " + wrong);
    report_.zerocopy_calls += sender_.zerocopy().calls();
    report_.zerocopy_ids += sender_.zerocopy().ids();
  }
  if (plan_.is[kEnding] == kShutdown) {
    char more = 0;
    if (!ready_to_read()) return;
    const ssize_t n = recv(fd_, &more, 1, MSG_DONTWAIT);
    if (n > 0) report_.complain(report_.wrong_answers, plan_, "bytes behind the last answer");
    if (n < 0) broken("no orderly end");
  }
  if (plan_.is[kEnding] == kReset) {
    const linger now{1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
}

void Conversation::run() {
  if (plan_.is[kWriter] == kZerocopy) sender_.zerocopy().enable(fd_);
  bool good = true;
  while (good && next_ < plan_.items) {
    good = batch();
    if (plan_.is[kWriter] == kZerocopyLate && !sender_.zerocopy().enabled()) sender_.zerocopy().enable(fd_);
  }
  if (good) finish();
  report_.bytes_written += sender_.written();
}

}  // namespace

void converse(const Target& target, uint64_t ordinal, Table& table, Report& report) {
  const Plan plan = make_plan(target.seed, ordinal, target.pins);
  Random random(mix(plan.seed, 31337));
  ++report.connections;
  const int fd = connected(target, plan, table, random);
  if (fd < 0) {
    report.complain(report.broken, plan, std::string("no connection: ") + std::strerror(errno));
    return;
  }
  Conversation(fd, target, plan, report, random).run();
  close(fd);
}

}  // namespace torture
