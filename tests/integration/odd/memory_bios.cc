// SPDX-License-Identifier: Apache-2.0
// An HTTPS server on one thread that moves the encrypted bytes itself: it receives from all sockets that are ready, and only then hands
// what came to their sessions, in the opposite order, so that no call of the library follows the receive that it is about. Usage:
// memory_bios PORT pair|memory CERTIFICATE KEY
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr size_t kReceive = 700;  // less than a handshake's flight: records are cut

class Session {
 public:
  Session(int fd, SSL_CTX* context, bool by_pair) : fd_(fd), ssl_(SSL_new(context)) {
    if (by_pair) {
      BIO* inner = nullptr;
      BIO_new_bio_pair(&inner, 0, &to_library_, 0);
      from_library_ = to_library_;
      SSL_set_bio(ssl_, inner, inner);
      owned_ = to_library_;
    } else {
      to_library_ = BIO_new(BIO_s_mem());
      from_library_ = BIO_new(BIO_s_mem());
      SSL_set_bio(ssl_, to_library_, from_library_);
    }
    SSL_set_accept_state(ssl_);
  }
  ~Session() {
    BIO_free(owned_);
    SSL_free(ssl_);
    close(fd_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int fd() const { return fd_; }
  bool receive() {
    char bytes[kReceive];
    const ssize_t n = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) received_.append(bytes, static_cast<size_t>(n));
    return n > 0;
  }
  // False: it is over.
  bool process() {
    BIO_write(to_library_, received_.data(), static_cast<int>(received_.size()));
    received_.clear();
    char bytes[4096];
    for (int n = 0; (n = SSL_read(ssl_, bytes, sizeof bytes)) > 0;) request_.append(bytes, static_cast<size_t>(n));
    while (answer()) continue;
    for (int n = 0; (n = BIO_read(from_library_, bytes, sizeof bytes)) > 0;)
      if (send(fd_, bytes, static_cast<size_t>(n), MSG_NOSIGNAL) != n) return false;
    return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) == 0;
  }

 private:
  bool answer() {
    const size_t head = request_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const size_t length = request_.find("Content-Length: ");
    const size_t body = length < head ? std::strtoul(request_.c_str() + length + 16, nullptr, 10) : 0;
    if (request_.size() < head + 4 + body) return false;
    const bool is_head = request_.starts_with("HEAD ");
    request_.erase(0, head + 4 + body);
    const std::string text = std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") + (is_head ? "" : "ok");
    return SSL_write(ssl_, text.data(), static_cast<int>(text.size())) > 0;
  }

  int fd_;
  SSL* ssl_;
  BIO* to_library_ = nullptr;
  BIO* from_library_ = nullptr;
  BIO* owned_ = nullptr;
  std::string received_;
  std::string request_;
};

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 2;
  SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, words[3]) != 1 || SSL_CTX_use_PrivateKey_file(context, words[4], SSL_FILETYPE_PEM) != 1)
    return 1;
  const bool by_pair = std::string_view(words[2]) == "pair";
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int yes = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<uint16_t>(std::atoi(words[1])));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 || listen(listener, 128) != 0) return 1;
  std::vector<std::unique_ptr<Session>> sessions;
  for (;;) {
    std::vector<pollfd> waits{{.fd = listener, .events = POLLIN, .revents = 0}};
    for (const auto& session : sessions) waits.push_back({.fd = session->fd(), .events = POLLIN, .revents = 0});
    poll(waits.data(), waits.size(), -1);
    std::vector<Session*> ready;
    std::vector<Session*> over;
    for (size_t i = 1; i < waits.size(); ++i) {
      if (waits[i].revents == 0) continue;
      Session* const session = sessions[i - 1].get();
      (session->receive() ? ready : over).push_back(session);
    }
    std::ranges::reverse(ready);
    for (Session* const session : ready)
      if (!session->process()) over.push_back(session);
    std::erase_if(sessions, [&over](const auto& session) { return std::ranges::find(over, session.get()) != over.end(); });
    if (waits[0].revents != 0) sessions.push_back(std::make_unique<Session>(accept(listener, nullptr, nullptr), context, by_pair));
  }
}
