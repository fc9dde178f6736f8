// SPDX-License-Identifier: Apache-2.0
// An HTTPS server on one thread that moves the encrypted bytes itself: it receives from all sockets that are ready, and only then hands
// what came to their sessions, in the opposite order, so that no call of the library follows the receive that it is about. Usage:
// memory_bios PORT pair|memory CERTIFICATE KEY
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

#include "https_server.h"

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
    while (answer(ssl_, request_)) continue;
    for (int n = 0; (n = BIO_read(from_library_, bytes, sizeof bytes)) > 0;)
      if (send(fd_, bytes, static_cast<size_t>(n), MSG_NOSIGNAL) != n) return false;
    return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) == 0;
  }

 private:
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
  SSL_CTX* const context = server_context(words[3], words[4]);
  const bool by_pair = std::string_view(words[2]) == "pair";
  const int listener = listen_on(words[1]);
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
