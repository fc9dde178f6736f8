// SPDX-License-Identifier: Apache-2.0
// An HTTPS server on one thread, a stack of its own for each connection, that reads in a way of its own and never asks for a handshake: its
// first SSL_read does it. Usage:
// own_reads PORT inside|descriptor|peek|again CERTIFICATE KEY
//   inside      a BIO of the program's own kind changes stacks while SSL_read waits for bytes
//   descriptor  the library has the socket
//   peek        … and every byte is looked at before it is read
//   again       … and sessions are used again for later connections
#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <ucontext.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "https_server.h"

namespace {

std::string_view how;
SSL_CTX* context;
ucontext_t scheduler;
std::vector<SSL*> unused;

struct Connection {
  int fd = -1;
  bool is_over = false;
  ucontext_t own{};
  std::vector<char> stack = std::vector<char>(256 * 1024);
};

Connection* running;

void wait_for_bytes() { swapcontext(&running->own, &scheduler); }

int read_or_change_stacks(BIO* bio, char* into, int size) {
  for (;;) {
    const ssize_t n = recv(running->fd, into, static_cast<size_t>(size), 0);
    if (n >= 0 || errno != EAGAIN) return static_cast<int>(n);
    BIO_clear_retry_flags(bio);
    wait_for_bytes();
  }
}
int write_all(BIO*, const char* from, int size) {
  return static_cast<int>(send(running->fd, from, static_cast<size_t>(size), MSG_NOSIGNAL));
}
long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }

SSL* begin_session(int fd) {
  SSL* ssl = nullptr;
  if (how == "again" && !unused.empty()) {
    ssl = unused.back();
    unused.pop_back();
    SSL_clear(ssl);
  } else {
    ssl = SSL_new(context);
  }
  if (how == "inside") {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "own");
      BIO_meth_set_read(made, read_or_change_stacks);
      BIO_meth_set_write(made, write_all);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* const bio = BIO_new(method);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
  } else {
    SSL_set_fd(ssl, fd);
  }
  SSL_set_accept_state(ssl);
  return ssl;
}

int read_some(SSL* ssl, char* into, int size, bool peeks) {
  for (;;) {
    const int n = peeks ? SSL_peek(ssl, into, size) : SSL_read(ssl, into, size);
    if (n > 0 || SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ) return n;
    wait_for_bytes();
  }
}

void serve() {
  Connection* const connection = running;
  SSL* const ssl = begin_session(connection->fd);
  std::string request;
  char bytes[4096];
  for (int n = 0;
       (how != "peek" || read_some(ssl, bytes, sizeof bytes, true) > 0) && (n = read_some(ssl, bytes, sizeof bytes, false)) > 0;) {
    request.append(bytes, static_cast<size_t>(n));
    while (answer(ssl, request)) continue;
  }
  if (how == "again") {
    SSL_shutdown(ssl);
    unused.push_back(ssl);
  } else {
    SSL_free(ssl);
  }
  close(connection->fd);
  connection->is_over = true;
  swapcontext(&connection->own, &scheduler);
}

void resume(Connection* connection) {
  running = connection;
  swapcontext(&scheduler, &connection->own);
}

}  // namespace

int main(int count, char** words) {
  if (count != 5) return 2;
  how = words[2];
  context = server_context(words[3], words[4]);
  const int listener = listen_on(words[1]);
  std::vector<std::unique_ptr<Connection>> connections;
  for (;;) {
    std::vector<pollfd> waits{{.fd = listener, .events = POLLIN, .revents = 0}};
    for (const auto& connection : connections) waits.push_back({.fd = connection->fd, .events = POLLIN, .revents = 0});
    poll(waits.data(), waits.size(), -1);
    for (size_t i = 1; i < waits.size(); ++i)
      if (waits[i].revents != 0) resume(connections[i - 1].get());
    std::erase_if(connections, [](const auto& connection) { return connection->is_over; });
    if (waits[0].revents == 0) continue;
    auto fresh = std::make_unique<Connection>();
    fresh->fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    getcontext(&fresh->own);
    fresh->own.uc_stack.ss_sp = fresh->stack.data();
    fresh->own.uc_stack.ss_size = fresh->stack.size();
    makecontext(&fresh->own, serve, 0);
    resume(fresh.get());
    if (!fresh->is_over) connections.push_back(std::move(fresh));
  }
}
