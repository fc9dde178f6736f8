// SPDX-License-Identifier: Apache-2.0
#include "sender.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace torture {
namespace {

constexpr int kWaitMs = 20'000;

}  // namespace

Sender::Sender(int fd, const Plan& plan, Report& report) : fd_(fd), plan_(plan), report_(report), random_(mix(plan.seed, 4711)) {}

Sender::~Sender() {
  if (epoll_ >= 0) close(epoll_);
}

Sender::Way Sender::way(size_t piece) {
  switch (plan_.is[kWriter]) {
    case kWritev: return kVectors;
    case kSendmsg: return kMessage;
    case kSendmmsg: return kMessages;
    case kMore: return kMoreFlag;
    case kSendfile: return kFile;
    case kSplice: return kPipe;
    case kZerocopy:
    case kZerocopyLate: return zerocopy_.enabled() && !random_.one_in(5) ? kPages : kSend;
    case kAnyWriter: return static_cast<Way>(random_.below(kPages));
    default: return piece % 2 == 0 ? kSend : kWrite;
  }
}

bool Sender::write(const Batch& batch, const std::vector<size_t>& cuts, size_t from, size_t to) {
  std::vector<std::string_view> pieces;
  for (const size_t c : cuts) {
    const size_t end = std::min(c, to);
    if (end <= from) continue;
    pieces.push_back(std::string_view(batch.bytes).substr(from, end - from));
    from = end;
  }
  const bool cork = plan_.is[kWriter] == kCork;
  const int on = 1, off = 0;
  pauses_ = 6;
  if (cork) setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
  bool good = true;
  switch (plan_.is[kSharing]) {
    case kThreads: good = by_threads(pieces); break;
    case kFork: good = by_fork(pieces); break;
    case kDup: good = by_descriptors(pieces); break;
    default:
      for (size_t i = 0; good && i < pieces.size(); ++i) good = one(fd_, pieces, i);
  }
  if (cork) setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
  return good;
}

bool Sender::one(int fd, const std::vector<std::string_view>& pieces, size_t i) {
  const bool last = i + 1 == pieces.size();
  if (!piece(fd, pieces[i], way(i), last)) return false;
  const uint8_t w = plan_.is[kWriter];
  if (!last && pauses_ != 0 && (w == kSplit || w == kAwkward || w == kPieces) && random_.one_in(8)) {
    --pauses_;
    usleep(static_cast<useconds_t>(random_.below(900)));
  }
  return true;
}

bool Sender::by_threads(const std::vector<std::string_view>& pieces) {
  constexpr size_t kHands = 3;
  std::atomic<size_t> turn{0};
  std::atomic<bool> good{true};
  const auto hand = [&](size_t me) {
    for (size_t i = me; i < pieces.size(); i += kHands) {
      for (size_t now = turn; now != i; now = turn) turn.wait(now);
      if (good && !one(fd_, pieces, i)) good = false;
      turn = i + 1;
      turn.notify_all();
    }
  };
  std::thread second(hand, 1), third(hand, 2);
  hand(0);
  second.join();
  third.join();
  return good;
}

// The child writes the second half, on the socket that it has inherited.
bool Sender::by_fork(const std::vector<std::string_view>& pieces) {
  const size_t half = pieces.size() / 2;
  for (size_t i = 0; i < half; ++i)
    if (!one(fd_, pieces, i)) return false;
  const pid_t child = fork();
  if (child < 0) {
    error_ = "fork failed";
    return false;
  }
  if (child == 0) {
    bool good = true;
    for (size_t i = half; good && i < pieces.size(); ++i) good = one(fd_, pieces, i);
    _exit(good ? 0 : 1);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  for (size_t i = half; i < pieces.size(); ++i) written_ += pieces[i].size();
  if (status != 0) error_ = "the child could not write";
  return status == 0;
}

bool Sender::by_descriptors(const std::vector<std::string_view>& pieces) {
  const int other = dup(fd_);
  bool good = other >= 0;
  for (size_t i = 0; good && i < pieces.size(); ++i) good = one(i % 2 == 0 ? other : fd_, pieces, i);
  if (other >= 0) close(other);
  return good;
}

bool Sender::wait(int fd) {
  ++report_.would_block;
  if (epoll_ < 0) {
    epoll_ = epoll_create1(EPOLL_CLOEXEC);
    epoll_event e{};
    e.events = EPOLLOUT;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &e);
  }
  epoll_event e{};
  const int n = epoll_wait(epoll_, &e, 1, kWaitMs);
  if (n > 0 && (e.events & EPOLLERR) != 0 && zerocopy_.enabled()) zerocopy_.reap(fd);
  if (n == 0) error_ = "not writable for 20 s";
  return n != 0;
}

// After a call that failed: is it worth another?
bool Sender::retry(int fd) {
  if (errno == EINTR) return true;
  if (errno == EAGAIN && plan_.is[kWaiting] == kNonblocking) return wait(fd);
  if (errno == ENOBUFS && zerocopy_.enabled()) {
    zerocopy_.reap(fd);
    usleep(300);
    return true;
  }
  error_ = std::string("write: ") + std::strerror(errno);
  return false;
}

bool Sender::piece(int fd, std::string_view bytes, Way way, bool last) {
  if (way == kFile || way == kPipe) return from_file(fd, bytes, way == kPipe);
  if (way == kPages) bytes = zerocopy_.keep(bytes);
  while (!bytes.empty()) {
    const ssize_t n = call(fd, bytes, way, last);
    if (n < 0) {
      if (!retry(fd)) return false;
      continue;
    }
    if (n == 0 || static_cast<size_t>(n) > bytes.size()) {
      error_ = "a call that was given " + std::to_string(bytes.size()) + " bytes says that it has written " + std::to_string(n);
      return false;
    }
    if (way == kPages) zerocopy_.called();
    if (static_cast<size_t>(n) < bytes.size()) ++report_.partial_writes;
    bytes.remove_prefix(static_cast<size_t>(n));
    written_ += static_cast<uint64_t>(n);
  }
  return true;
}

ssize_t Sender::call(int fd, std::string_view bytes, Way way, bool last) {
  switch (way) {
    case kWrite: return ::write(fd, bytes.data(), bytes.size());
    case kVectors: return vectors(fd, bytes, false);
    case kMessage: return vectors(fd, bytes, true);
    case kMessages: return messages(fd, bytes);
    case kMoreFlag: return send(fd, bytes.data(), bytes.size(), last ? MSG_NOSIGNAL : MSG_NOSIGNAL | MSG_MORE);
    case kPages: return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_ZEROCOPY);
    default: return send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

ssize_t Sender::vectors(int fd, std::string_view bytes, bool message) {
  iovec parts[1024];
  size_t n = 0;
  const size_t most = 1 + random_.any_scale(1023), scale = 1 + random_.any_scale(2000);
  while (!bytes.empty() && n < most) {
    const size_t size = n + 1 == most ? bytes.size() : std::min(bytes.size(), random_.below(scale + 1));  // an empty one now and then
    parts[n++] = {const_cast<char*>(bytes.data()), size};
    bytes.remove_prefix(size);
  }
  if (!message) return writev(fd, parts, static_cast<int>(n));
  msghdr m{};
  m.msg_iov = parts;
  m.msg_iovlen = n;
  return sendmsg(fd, &m, MSG_NOSIGNAL);
}

ssize_t Sender::messages(int fd, std::string_view bytes) {
  mmsghdr all[32]{};
  iovec parts[64];
  const size_t most = 1 + random_.below(32), scale = 1 + random_.any_scale(3000);
  size_t n = 0;
  for (; n < most && !bytes.empty(); ++n) {
    const size_t size = std::min(bytes.size(), 1 + random_.below(scale)), first = random_.below(size + 1);
    parts[2 * n] = {const_cast<char*>(bytes.data()), first};
    parts[2 * n + 1] = {const_cast<char*>(bytes.data()) + first, size - first};
    all[n].msg_hdr.msg_iov = &parts[2 * n];
    all[n].msg_hdr.msg_iovlen = 2;
    bytes.remove_prefix(size);
  }
  const int sent = sendmmsg(fd, all, static_cast<unsigned>(n), MSG_NOSIGNAL);
  if (sent < 0) return sent;
  ssize_t total = 0;
  for (int i = 0; i < sent; ++i) {
    total += all[i].msg_len;
    if (all[i].msg_len < parts[2 * i].iov_len + parts[2 * i + 1].iov_len) {
      // The kernel goes on with the next message after a short one: then there is a hole that cannot be mended.
      if (i + 1 < sent) error_ = "sendmmsg went on behind a short message";
      break;
    }
  }
  if (!error_.empty()) {
    errno = EIO;
    return -1;
  }
  return total;
}

// The file is a new one each time: what was sent by reference still lies in the old one's pages.
bool Sender::from_file(int fd, std::string_view bytes, bool through_pipe) {
  const int file = memfd_create("torture", MFD_CLOEXEC);
  int ends[2] = {-1, -1};
  bool good = file >= 0 && ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
              (!through_pipe || pipe2(ends, O_CLOEXEC) == 0);
  if (!good) error_ = "no file to send from";
  const unsigned flags = plan_.is[kWaiting] == kNonblocking ? SPLICE_F_NONBLOCK : 0;
  off_t at = 0;
  size_t in_pipe = 0, done = 0;
  while (good && done < bytes.size()) {
    if (through_pipe && in_pipe == 0) {
      const ssize_t n = splice(file, &at, ends[1], nullptr, bytes.size() - done, SPLICE_F_MOVE);
      good = n > 0;
      if (!good) error_ = "splice into the pipe";
      in_pipe = good ? static_cast<size_t>(n) : 0;
      continue;
    }
    const ssize_t n = through_pipe ? splice(ends[0], nullptr, fd, nullptr, in_pipe, flags) : sendfile(fd, file, &at, bytes.size() - done);
    if (n < 0) {
      good = retry(fd);
    } else if (n == 0) {
      good = false;
      error_ = "sendfile or splice wrote nothing";
    } else {
      done += static_cast<size_t>(n);
      written_ += static_cast<uint64_t>(n);
      if (through_pipe) in_pipe -= static_cast<size_t>(n);
    }
  }
  for (const int f : {file, ends[0], ends[1]})
    if (f >= 0) close(f);
  return good;
}

}  // namespace torture
