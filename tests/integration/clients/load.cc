// SPDX-License-Identifier: Apache-2.0
// A load client that keeps the ground truth: every request has its own path, and for each one it writes what it saw, when, and from which
// port.
//
// usage: load --port P [--host A] [--unix PATH] [--tls | --tls1.2] --requests N | --seconds S  [--concurrency C] [--close] [--methods
// GET,POST]
//             [--body-max BYTES] [--chunked-every K] [--vary] [--prefix /r/] [--tag T] [--host-header H] > truth.tsv
// SIGTERM: no more requests; those under way are still answered.
// Output, one line per request, separated by tabs, times in ns of CLOCK_REALTIME:
//   method path status request_body response_body start end server_pid local_port error
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

volatile std::sig_atomic_t told_to_stop = 0;

struct Options {
  std::string host = "127.0.0.1", unix_path, prefix = "/r/", tag = "t", host_header;
  int port = 0;
  long requests = 0;
  double seconds = 0;
  int concurrency = 1;
  bool close_each = false, vary = false, tls = false;
  int tls_version_max = 0;
  std::vector<std::string> methods{"GET"};
  size_t body_max = 0;
  int chunked_every = 0;
};

uint64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000ULL + static_cast<uint64_t>(t.tv_nsec);
}

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "load: %s\n", what.c_str());
  std::exit(1);
}

std::vector<std::string> split(const std::string& s) {
  std::vector<std::string> out;
  size_t from = 0;
  while (from <= s.size()) {
    size_t to = s.find(',', from);
    if (to == std::string::npos) to = s.size();
    out.push_back(s.substr(from, to - from));
    from = to + 1;
  }
  return out;
}

Options parse(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    const auto value = [&]() -> std::string {
      if (++i >= argc) die("a value is missing after " + a);
      return argv[i];
    };
    if (a == "--host")
      o.host = value();
    else if (a == "--port")
      o.port = std::stoi(value());
    else if (a == "--unix")
      o.unix_path = value();
    else if (a == "--requests")
      o.requests = std::stol(value());
    else if (a == "--seconds")
      o.seconds = std::stod(value());
    else if (a == "--concurrency")
      o.concurrency = std::stoi(value());
    else if (a == "--close")
      o.close_each = true;
    else if (a == "--tls")
      o.tls = true;
    else if (a == "--tls1.2") {
      o.tls = true;
      o.tls_version_max = TLS1_2_VERSION;
    } else if (a == "--vary")
      o.vary = true;
    else if (a == "--methods")
      o.methods = split(value());
    else if (a == "--body-max")
      o.body_max = std::stoul(value());
    else if (a == "--chunked-every")
      o.chunked_every = std::stoi(value());
    else if (a == "--prefix")
      o.prefix = value();
    else if (a == "--tag")
      o.tag = value();
    else if (a == "--host-header")
      o.host_header = value();
    else
      die("unknown option " + a);
  }
  if (o.port == 0 && o.unix_path.empty()) die("--port or --unix is needed");
  if (o.requests == 0 && o.seconds == 0) die("--requests or --seconds is needed");
  if (o.host_header.empty()) o.host_header = "localhost:" + std::to_string(o.port);
  return o;
}

/// A request as sent and what came back.
struct Record {
  std::string method, path, error = "-";
  int status = 0;
  uint64_t request_body = 0, response_body = 0, start = 0, end = 0;
  int server_pid = 0, local_port = 0;
};

/// A cheap, repeatable mix of sizes: no two neighbours alike.
uint32_t mix(uint64_t n) {
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9ULL;
  n = (n ^ (n >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<uint32_t>(n ^ (n >> 31));
}

std::string build(const Options& o, long id, Record& r) {
  r = Record{};
  r.method = o.methods[static_cast<size_t>(id) % o.methods.size()];
  r.path = o.prefix + o.tag + std::to_string(id);
  if (o.vary) {
    static const int kStatus[] = {200, 200, 200, 201, 404, 200, 500, 204, 200, 301, 503, 200, 200};
    const int status = kStatus[static_cast<size_t>(id) % (sizeof kStatus / sizeof *kStatus)];
    const unsigned bytes = status == 204 ? 0 : mix(static_cast<uint64_t>(id)) % (id % 50 == 0 ? 200000 : 3000);
    r.path += "/s" + std::to_string(status) + "/b" + std::to_string(bytes);
  }
  std::string out = r.method + " " + r.path + "?token=hush" + std::to_string(id) + " HTTP/1.1\r\nHost: " + o.host_header +
                    "\r\nUser-Agent: clew-load/1\r\nAccept: */*\r\n";
  if (o.close_each) out += "Connection: close\r\n";
  const bool has_body = o.body_max > 0 && (r.method == "POST" || r.method == "PUT" || r.method == "PATCH");
  if (!has_body) return out + (r.method == "POST" || r.method == "PUT" ? "Content-Length: 0\r\n\r\n" : "\r\n");
  r.request_body = 1 + mix(static_cast<uint64_t>(id) + 77) % o.body_max;
  std::string body(r.request_body, 'b');
  if (o.chunked_every > 0 && id % o.chunked_every == 0) {
    out += "Transfer-Encoding: chunked\r\n\r\n";
    size_t at = 0;
    while (at < body.size()) {
      const size_t n = std::min<size_t>(body.size() - at, 1 + mix(at + static_cast<uint64_t>(id)) % 997);
      char head[32];
      std::snprintf(head, sizeof head, "%zx\r\n", n);
      out += head + body.substr(at, n) + "\r\n";
      at += n;
    }
    return out + "0\r\n\r\n";
  }
  return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// Reads one response after another from the bytes it is fed; knows where one ends.
class ResponseReader {
 public:
  void start(bool is_head) {
    *this = ResponseReader();
    is_head_ = is_head;
  }
  int status = 0, server_pid = 0;
  uint64_t body = 0;
  bool closes = false, done = false, began = false;
  std::string error;

  void feed(std::string_view in) {
    began = true;
    while (!in.empty() && !done && error.empty()) {
      if (state_ == State::kCounted)
        take(in);
      else if (state_ == State::kUntilClose) {
        body += in.size();
        in = {};
      } else
        line(in);
    }
    if (!in.empty() && done && error.empty()) error = "bytes_after_response";
  }
  void eof() {
    if (state_ == State::kUntilClose)
      done = true;
    else if (!done && error.empty())
      error = began ? "eof_in_response" : "eof_before_response";
    closes = true;
  }

 private:
  enum class State { kStatusLine, kHeaders, kCounted, kChunkSize, kChunkEnd, kTrailers, kUntilClose };
  State state_ = State::kStatusLine;
  std::string line_;
  uint64_t left_ = 0;
  bool is_head_ = false, chunked_ = false, has_length_ = false, in_chunk_ = false;

  void take(std::string_view& in) {
    const uint64_t n = std::min<uint64_t>(left_, in.size());
    in.remove_prefix(n);
    body += n;
    left_ -= n;
    if (left_ == 0) {
      if (in_chunk_)
        state_ = State::kChunkEnd;
      else
        done = true;
    }
  }
  void line(std::string_view& in) {
    const size_t nl = in.find('\n');
    line_.append(in.substr(0, nl == std::string_view::npos ? in.size() : nl));
    in.remove_prefix(nl == std::string_view::npos ? in.size() : nl + 1);
    if (nl == std::string_view::npos) return;
    if (!line_.empty() && line_.back() == '\r') line_.pop_back();
    const std::string text = std::move(line_);
    line_.clear();
    switch (state_) {
      case State::kStatusLine:
        if (text.size() < 12 || text.compare(0, 5, "HTTP/") != 0) {
          error = "bad_status_line";
          return;
        }
        status = std::atoi(text.c_str() + 9);
        if (text.compare(0, 8, "HTTP/1.0") == 0) closes = true;
        state_ = State::kHeaders;
        break;
      case State::kHeaders:
        if (text.empty())
          end_of_head();
        else
          header(text);
        break;
      case State::kChunkSize:
        left_ = std::strtoull(text.c_str(), nullptr, 16);
        in_chunk_ = true;
        state_ = left_ == 0 ? State::kTrailers : State::kCounted;
        break;
      case State::kChunkEnd: state_ = State::kChunkSize; break;
      case State::kTrailers:
        if (text.empty()) done = true;
        break;
      default: break;
    }
  }
  void header(const std::string& text) {
    const auto is = [&](const char* name) { return strncasecmp(text.c_str(), name, std::strlen(name)) == 0; };
    const auto value = [&] { return text.substr(text.find(':') + 1); };
    if (is("content-length:")) {
      left_ = std::strtoull(value().c_str(), nullptr, 10);
      has_length_ = true;
    } else if (is("transfer-encoding:") && value().find("chunked") != std::string::npos)
      chunked_ = true;
    else if (is("connection:") && strcasestr(value().c_str(), "close"))
      closes = true;
    else if (is("connection:") && strcasestr(value().c_str(), "keep-alive"))
      closes = false;
    else if (is("x-pid:"))
      server_pid = std::atoi(value().c_str());
  }
  void end_of_head() {
    if (status < 200) {
      state_ = State::kStatusLine;
      return;
    }
    if (is_head_ || status == 204 || status == 304)
      done = true;
    else if (chunked_)
      state_ = State::kChunkSize;
    else if (has_length_) {
      state_ = State::kCounted;
      done = left_ == 0;
    } else
      state_ = State::kUntilClose;
  }
};

struct Slot {
  int fd = -1;
  SSL* session = nullptr;
  bool busy = false;
  Record record;
  std::string out;
  size_t sent = 0;
  ResponseReader reader;
};

class Load {
 public:
  explicit Load(Options o) : o_(std::move(o)), slots_(static_cast<size_t>(o_.concurrency)), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!o_.tls) return;
    context_ = SSL_CTX_new(TLS_client_method());
    if (o_.tls_version_max != 0) SSL_CTX_set_max_proto_version(context_, o_.tls_version_max);
  }

  int run() {
    began_ = now_ns();
    for (size_t i = 0; i < slots_.size(); ++i) next(i);
    std::vector<epoll_event> events(256);
    while (busy_ > 0) {
      const int n = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 30000);
      if (n == 0) die("no progress for 30 s with " + std::to_string(busy_) + " requests under way");
      for (int i = 0; i < n; ++i) ready(events[static_cast<size_t>(i)].data.u32);
    }
    const double s = static_cast<double>(now_ns() - began_) / 1e9;
    std::fflush(stdout);  // both may go to one file
    std::fprintf(stderr, "load: %ld requests in %.2f s, %.0f/s, %ld errors\n", next_id_, s, static_cast<double>(next_id_) / s, errors_);
    return errors_ == 0 ? 0 : 1;
  }

 private:
  Options o_;
  std::vector<Slot> slots_;
  int epoll_;
  SSL_CTX* context_ = nullptr;
  long next_id_ = 0, errors_ = 0;
  int busy_ = 0;
  uint64_t began_ = 0;

  bool more() const {
    if (told_to_stop != 0) return false;
    if (o_.requests > 0 && next_id_ >= o_.requests) return false;
    return o_.seconds == 0 || static_cast<double>(now_ns() - began_) < o_.seconds * 1e9;
  }
  int connect_now() {
    const bool local = !o_.unix_path.empty();
    const bool v6 = o_.host.find(':') != std::string::npos;
    const int fd = socket(local ? AF_UNIX : v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int rc = 0;
    if (local) {
      sockaddr_un a{};
      a.sun_family = AF_UNIX;
      std::strncpy(a.sun_path, o_.unix_path.c_str(), sizeof a.sun_path - 1);
      rc = connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
    } else if (v6) {
      sockaddr_in6 a{};
      a.sin6_family = AF_INET6;
      a.sin6_port = htons(static_cast<uint16_t>(o_.port));
      inet_pton(AF_INET6, o_.host.c_str(), &a.sin6_addr);
      rc = connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
    } else {
      sockaddr_in a{};
      a.sin_family = AF_INET;
      a.sin_port = htons(static_cast<uint16_t>(o_.port));
      inet_pton(AF_INET, o_.host.c_str(), &a.sin_addr);
      rc = connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a);
    }
    if (rc != 0) die(std::string("connect: ") + std::strerror(errno));
    const int one = 1;
    if (!local) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
  }
  // Whom it talks to is not its business: the certificate is not looked at.
  SSL* connect_session(int fd) {
    SSL* const session = SSL_new(context_);
    SSL_set_fd(session, fd);
    if (SSL_connect(session) != 1) die("TLS handshake failed");
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return session;
  }
  // As send() and recv() do: -1 with EAGAIN, 0 at the end.
  ssize_t send_some(Slot& s) {
    const char* const from = s.out.data() + s.sent;
    const size_t size = s.out.size() - s.sent;
    if (s.session == nullptr) return send(s.fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return result_of(s, SSL_write(s.session, from, static_cast<int>(size)));
  }
  ssize_t receive_some(Slot& s, char* to, size_t size) {
    if (s.session == nullptr) return recv(s.fd, to, size, MSG_DONTWAIT);
    return result_of(s, SSL_read(s.session, to, static_cast<int>(size)));
  }
  static ssize_t result_of(Slot& s, int moved) {
    if (moved > 0) return moved;
    switch (SSL_get_error(s.session, moved)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: errno = EAGAIN; return -1;
      case SSL_ERROR_ZERO_RETURN: return 0;
      default: errno = ECONNRESET; return -1;
    }
  }
  int local_port(int fd) {
    sockaddr_storage a{};
    socklen_t n = sizeof a;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&a), &n) != 0) return 0;
    if (a.ss_family == AF_INET) return ntohs(reinterpret_cast<sockaddr_in*>(&a)->sin_port);
    return a.ss_family == AF_INET6 ? ntohs(reinterpret_cast<sockaddr_in6*>(&a)->sin6_port) : 0;
  }
  void next(size_t index) {
    Slot& s = slots_[index];
    if (s.busy) {
      s.busy = false;
      --busy_;
    }
    if (!more()) return;
    if (s.fd < 0) {
      s.fd = connect_now();
      if (o_.tls) s.session = connect_session(s.fd);
      epoll_event e{};
      e.events = EPOLLIN;
      e.data.u32 = static_cast<uint32_t>(index);
      epoll_ctl(epoll_, EPOLL_CTL_ADD, s.fd, &e);
    }
    s.out = build(o_, next_id_++, s.record);
    s.sent = 0;
    s.reader.start(s.record.method == "HEAD");
    s.record.local_port = local_port(s.fd);
    s.busy = true;
    ++busy_;
    s.record.start = now_ns();
    write(index);
  }
  void write(size_t index) {
    Slot& s = slots_[index];
    while (s.sent < s.out.size()) {
      const ssize_t n = send_some(s);
      if (n < 0) {
        if (errno != EAGAIN) return finish(index, "send_failed");
        break;
      }
      s.sent += static_cast<size_t>(n);
    }
    epoll_event e{};
    e.events = EPOLLIN | (s.sent < s.out.size() ? static_cast<uint32_t>(EPOLLOUT) : 0U);
    e.data.u32 = static_cast<uint32_t>(index);
    epoll_ctl(epoll_, EPOLL_CTL_MOD, s.fd, &e);
  }
  void ready(size_t index) {
    Slot& s = slots_[index];
    if (s.fd < 0) return;
    if (s.busy && s.sent < s.out.size()) {
      write(index);
      if (s.fd < 0) return;
    }
    static char buffer[1 << 16];
    const ssize_t n = receive_some(s, buffer, sizeof buffer);
    if (n < 0 && errno == EAGAIN) return;
    if (!s.busy) return shut(s);
    if (n < 0) return finish(index, "reset");
    if (n == 0)
      s.reader.eof();
    else
      s.reader.feed({buffer, static_cast<size_t>(n)});
    if (!s.reader.error.empty()) return finish(index, s.reader.error);
    if (s.reader.done) return finish(index, "-");
    if (s.session != nullptr) ready(index);  // there may be more in the session, of which epoll knows nothing
  }
  void shut(Slot& s) {
    if (s.session != nullptr) {
      SSL_shutdown(s.session);
      SSL_free(s.session);
      s.session = nullptr;
    }
    if (s.fd >= 0) ::close(s.fd);
    s.fd = -1;
  }
  void finish(size_t index, const std::string& error) {
    Slot& s = slots_[index];
    Record& r = s.record;
    r.end = now_ns();
    r.status = s.reader.status;
    r.response_body = s.reader.body;
    r.server_pid = s.reader.server_pid;
    r.error = error;
    if (error != "-") ++errors_;
    std::printf("%s\t%s\t%d\t%llu\t%llu\t%llu\t%llu\t%d\t%d\t%s\n", r.method.c_str(), r.path.c_str(), r.status,
                static_cast<unsigned long long>(r.request_body), static_cast<unsigned long long>(r.response_body),
                static_cast<unsigned long long>(r.start), static_cast<unsigned long long>(r.end), r.server_pid, r.local_port,
                r.error.c_str());
    if (error != "-" || s.reader.closes || o_.close_each) shut(s);
    next(index);
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { told_to_stop = 1; });
  return Load(parse(argc, argv)).run();
}
