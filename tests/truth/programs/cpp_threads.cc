// SPDX-License-Identifier: Apache-2.0
// C++: a pool of threads, each with a connection of its own to the next server; each request /h/ID asks for /l/ID,
// or, in a chain, /l/ID for /l/1~ID. usage: cpp_threads PORT NEXT_PORT [1~]
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 96;

// The next message, head and body; empty at the end of the connection. `rest` keeps what came after it.
std::string read_message(int socket, std::string& rest) {
  for (size_t length = 0;;) {
    if (const size_t end = rest.find("\r\n\r\n"); end != std::string::npos) {
      const size_t field = rest.find("Content-Length: ");
      length = end + 4 + (field < end ? std::strtoul(rest.c_str() + field + 16, nullptr, 10) : 0);
    }
    if (length != 0 && rest.size() >= length) {
      std::string message = rest.substr(0, length);
      rest.erase(0, length);
      return message;
    }
    char buffer[4096];
    const ssize_t n = recv(socket, buffer, sizeof buffer, 0);
    if (n <= 0) return {};
    rest.append(buffer, static_cast<size_t>(n));
  }
}

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(static_cast<size_t>(n));
  }
}

sockaddr_in address(const char* port) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<uint16_t>(std::atoi(port)));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

void serve(int listener, const char* following, const std::string& prefix) {
  int upstream = -1;
  std::string upstream_rest;
  while (true) {
    const int client = accept(listener, nullptr, nullptr);
    if (client < 0) return;
    std::string rest;
    for (std::string request; !(request = read_message(client, rest)).empty();) {
      const size_t path = request.find('/') + 3;
      std::string answer;
      for (int attempt = 0; attempt < 2 && answer.empty(); ++attempt) {
        if (upstream < 0) {
          const sockaddr_in a = address(following);
          upstream = socket(AF_INET, SOCK_STREAM, 0);
          const int on = 1;
          setsockopt(upstream, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          if (connect(upstream, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0) std::abort();
        }
        send_all(upstream, "GET /l/" + prefix + request.substr(path, request.find(' ', path) - path) + " HTTP/1.1\r\nHost: next\r\n\r\n");
        answer = read_message(upstream, upstream_rest);
        if (!answer.empty()) break;
        close(upstream);
        upstream = -1;
        upstream_rest.clear();
      }
      const std::string body = answer.substr(std::min(answer.size(), answer.find("\r\n\r\n") + 4));
      send_all(client, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    close(client);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const sockaddr_in a = address(argv[1]);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&a), sizeof a) != 0 || listen(listener, 512) != 0) return 1;
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(serve, listener, argv[2], argc > 3 ? argv[3] : "");
}
