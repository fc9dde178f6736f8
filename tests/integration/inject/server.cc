// SPDX-License-Identifier: Apache-2.0
// The server of the torture test: makes each connection's bytes again, compares them with what arrives, answers each request.
//
// usage: torture_server --table FILE --unix NAME [--threads N] [--log FILE]
// Says `ports IPV4 IPV6`, then an object of JSON for each line on stdin, and ends with stdin. The log has a line per request: path, trace
// id, parent id (`-` if the request was left alone).
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <thread>
#include <unordered_map>
#include <vector>

#include "address.h"
#include "random.h"
#include "tally.h"
#include "verifier.h"

using namespace torture;

namespace {

uint64_t now_us() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000 + static_cast<uint64_t>(t.tv_nsec) / 1000;
}

struct Shared {
  const Table& table;
  Tally& tally;
  std::FILE* log = nullptr;
  std::vector<int> listeners;
};

struct Connection {
  int fd;
  Plan plan;
  Verifier verifier;
  std::string out;
  size_t sent = 0;
  bool ended = false;    // the peer has said its last
  uint32_t naps = 0;     // of a slow reader: bounded, so that a big body ends
  uint64_t wake_us = 0;  // 0: awake
  Random random;

  Connection(int f, const Plan& p) : fd(f), plan(p), verifier(p), random(mix(p.seed, 77)) {}
};

class Loop {
 public:
  explicit Loop(Shared& shared) : shared_(shared), epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(256 << 10) {
    for (const int l : shared_.listeners) add(l, EPOLLIN | EPOLLEXCLUSIVE);
  }

  [[noreturn]] void run() {
    epoll_event events[128];
    for (;;) {
      const int n = epoll_wait(epoll_, events, 128, sleepers_.empty() ? 200 : 1);
      for (int i = 0; i < n; ++i) {
        const int fd = events[i].data.fd;
        const auto found = connections_.find(fd);
        if (found == connections_.end())
          accept_some(fd);
        else
          serve(*found->second);
      }
      wake();
      if (n <= 0 && shared_.log != nullptr) std::fflush(shared_.log);
    }
  }

 private:
  void add(int fd, uint32_t what) {
    epoll_event e{};
    e.events = what;
    e.data.fd = fd;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &e);
  }
  void watch(const Connection& c, bool input) {
    epoll_event e{};
    e.events = (input && !c.ended ? EPOLLIN | EPOLLRDHUP : 0U) | (c.sent < c.out.size() ? static_cast<uint32_t>(EPOLLOUT) : 0U);
    e.data.fd = c.fd;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, c.fd, &e);
  }

  void accept_some(int listener) {
    for (int i = 0; i < 16; ++i) {
      Address peer;
      peer.size = sizeof peer.storage;
      const int fd = accept4(listener, peer.get(), &peer.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const bool is_unix = peer.storage.ss_family == AF_UNIX;
      const auto entry = is_unix ? entry_of_unix_name(peer) : std::optional(shared_.table.get(slot_of(peer), port_of(peer)));
      if (!entry || entry->in_use == 0) {
        ++shared_.tally.unknown;
        close(fd);
        continue;
      }
      const Plan plan = make_plan(entry->seed, entry->ordinal, entry->pins);
      auto c = std::make_unique<Connection>(fd, plan);
      if (plan.is[kBuffers] == kTiny) {
        const int size = static_cast<int>(c->random.between(4, 8)) << 10;  // doubled by the kernel
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
      }
      const int one = 1;
      if (!is_unix) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      ++shared_.tally.connections;
      ++shared_.tally.open;
      connections_[fd] = std::move(c);
      add(fd, EPOLLIN | EPOLLRDHUP);
    }
  }

  void wake() {
    if (sleepers_.empty()) return;
    const uint64_t now = now_us();
    std::vector<int> due;
    std::erase_if(sleepers_, [&](int fd) {
      const auto c = connections_.find(fd);
      if (c == connections_.end() || c->second->wake_us <= now) {
        if (c != connections_.end()) due.push_back(fd);
        return true;
      }
      return false;
    });
    for (const int fd : due) {
      connections_[fd]->wake_us = 0;
      serve(*connections_[fd]);
    }
  }

  // Reads what there is (a bounded number of times), answers, and ends the connection when it is over.
  void serve(Connection& c) {
    const bool slow = c.plan.is[kReading] == kSlow && c.naps < 200;
    bool broken = false;
    for (int i = 0; i < 16 && !c.ended && !broken && c.wake_us == 0; ++i) {
      const size_t room = slow ? 1 + c.random.any_scale(16'000) : buffer_.size();
      const ssize_t n = recv(c.fd, buffer_.data(), room, 0);
      if (n < 0) {
        broken = errno != EAGAIN && errno != EINTR;
        if (broken && !c.plan.cut_short()) ++shared_.tally.ended_early;
        break;
      }
      if (n == 0) {
        c.ended = true;
        if (!c.verifier.finish()) {
          ++shared_.tally.ended_early;
          broken = true;
        }
        break;
      }
      shared_.tally.bytes += static_cast<uint64_t>(n);
      broken = !take(c, {buffer_.data(), static_cast<size_t>(n)});
      if (slow) {
        ++c.naps;
        c.wake_us = now_us() + 100 + c.random.below(1500);
        sleepers_.push_back(c.fd);
      }
    }
    // Nagle's algorithm at the other end waits for an acknowledgement, which we would hold back for 40 ms.
    if (const int one = 1; !broken && c.verifier.within_item()) setsockopt(c.fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    if (!broken) broken = !flush(c);
    if (broken || (c.ended && c.sent == c.out.size()))
      drop(c);
    else
      watch(c, c.wake_us == 0);
  }

  bool take(Connection& c, std::string_view data) {
    while (!data.empty()) {
      const auto step = c.verifier.feed(data);
      if (!step) {
        shared_.tally.corrupted(c.plan, c.verifier.mismatch());
        return false;
      }
      data.remove_prefix(step->used);
      if (step->interim) c.out += c.verifier.item().interim;
      if (!step->complete) continue;
      const Item& item = c.verifier.item();
      shared_.tally.item(c.plan, item, step->injected);
      if (shared_.log != nullptr && !item.path.empty())
        std::fprintf(shared_.log, "%s %s %s\n", item.path.c_str(), step->injected ? step->trace_id.c_str() : "-",
                     step->injected ? step->parent_id.c_str() : "-");
      c.out += item.answer;
      c.verifier.next();
    }
    return true;
  }

  bool flush(Connection& c) {
    while (c.sent < c.out.size()) {
      const ssize_t n = send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
      if (n < 0) {
        if (!c.plan.cut_short()) ++shared_.tally.ended_early;
        return false;
      }
      c.sent += static_cast<size_t>(n);
    }
    c.out.clear();
    c.sent = 0;
    return true;
  }

  void drop(Connection& c) {
    --shared_.tally.open;
    const int fd = c.fd;
    connections_.erase(fd);
    close(fd);
  }

  Shared& shared_;
  int epoll_;
  std::vector<char> buffer_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::vector<int> sleepers_;
};

int listening(const Address& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, address.get(), address.size) != 0 || listen(fd, 1024) != 0) {
    std::perror("torture_server: listen");
    std::exit(1);
  }
  return fd;
}

uint16_t bound_port(int fd) {
  Address a;
  a.size = sizeof a.storage;
  getsockname(fd, a.get(), &a.size);
  return port_of(a);
}

}  // namespace

int main(int argc, char** argv) {
  std::string table_path, unix_socket, log_path;
  int threads = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    if (option == "--table")
      table_path = argv[i + 1];
    else if (option == "--unix")
      unix_socket = argv[i + 1];
    else if (option == "--log")
      log_path = argv[i + 1];
    else if (option == "--threads")
      threads = std::atoi(argv[i + 1]);
  }
  std::signal(SIGPIPE, SIG_IGN);
  const Table table(table_path.c_str());
  if (!table.valid() || unix_socket.empty()) {
    std::fprintf(stderr, "usage: torture_server --table FILE --unix NAME [--threads N] [--log FILE]\n");
    return 2;
  }
  static Tally tally;
  Shared shared{table, tally, log_path.empty() ? nullptr : std::fopen(log_path.c_str(), "w"), {}};
  shared.listeners = {listening(ipv4_address(1, 0)), listening(ipv6_address(0)), listening(unix_address(unix_socket))};
  std::printf("ports %u %u\n", bound_port(shared.listeners[0]), bound_port(shared.listeners[1]));
  std::fflush(stdout);
  for (int i = 0; i < threads; ++i) std::thread([&] { Loop(shared).run(); }).detach();
  for (int c; (c = std::getchar()) != EOF;) {
    if (c != '\n') continue;
    if (shared.log != nullptr) std::fflush(shared.log);
    std::printf("%s\n", tally.json().c_str());
    std::fflush(stdout);
  }
  std::_Exit(0);
}
