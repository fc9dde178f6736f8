// SPDX-License-Identifier: Apache-2.0
// More HTTP/2 than anybody can follow: `connections` one after the other, with 120 requests in one send, each answered at once to another
// thread. Request k of a connection has the path /k', its answer the status 200 + k' % 100, k' = k without its last bit; both are told by a
// table entry of the request (the answer) before where k is odd, so that one table that is out of step shows as a pair that does not fit.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

constexpr int kRequests = 120;
constexpr size_t kBody = 512;
constexpr unsigned char kData = 0;
constexpr unsigned char kHeaders = 1;
constexpr unsigned char kSettings = 4;
constexpr unsigned char kEndStream = 1;
constexpr unsigned char kEndHeaders = 4;
constexpr char kNewest = '\xbe';  // index 62: the table's latest entry

std::string frame(unsigned char type, unsigned char flags, int stream, const std::string& payload) {
  const std::array<unsigned char, 9> head = {
      0, static_cast<unsigned char>(payload.size() >> 8), static_cast<unsigned char>(payload.size()), type, flags, 0,
      0, static_cast<unsigned char>(stream >> 8),         static_cast<unsigned char>(stream)};
  return std::string(head.begin(), head.end()) + payload;
}

std::string text(const std::string& name, const std::string& value) { return name + static_cast<char>(value.size()) + value; }

std::string request(int k) {
  const std::string path = k % 2 == 0 ? text("\x44", "/" + std::to_string(k)) : std::string(1, kNewest);
  return frame(kHeaders, kEndHeaders | kEndStream, 1 + 2 * k, "\x82\x86" + path + text("\x01", "bed"));
}

std::string answer(int k) {
  const std::string status = k % 2 == 0 ? text("\x48", std::to_string(200 + k % 100)) : std::string(1, kNewest);
  return frame(kHeaders, kEndHeaders, 1 + 2 * k, status) + frame(kData, kEndStream, 1 + 2 * k, std::string(kBody, 'x'));
}

void say(int socket, const std::string& bytes) {
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t n = send(socket, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) std::exit(3);
    sent += static_cast<size_t>(n);
  }
}

void at_once(int socket) {
  const int on = 1;
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

const std::string kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(kSettings, 0, 0, "");

[[noreturn]] void serve(int listener) {
  for (;;) {
    const int socket = accept(listener, nullptr, nullptr);
    if (socket < 0) std::exit(0);
    at_once(socket);
    say(socket, frame(kSettings, 0, 0, ""));
    std::array<char, 16384> buffer{};
    size_t got = 0;
    size_t wanted = kPreface.size() + request(0).size();
    for (int done = 0; done < kRequests;) {
      const ssize_t n = recv(socket, buffer.data(), buffer.size(), 0);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
      for (; done < kRequests && got >= wanted; wanted += request(done).size()) say(socket, answer(done++));
    }
    while (recv(socket, buffer.data(), buffer.size(), 0) > 0) {
    }
    close(socket);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int connections = argc > 1 ? std::atoi(argv[1]) : 100;
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof(address);
  bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  listen(listener, 64);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
  const pid_t server = fork();
  if (server == 0) serve(listener);

  std::string asked = kPreface;
  size_t answers = frame(kSettings, 0, 0, "").size();
  for (int k = 0; k < kRequests; ++k) {
    asked += request(k);
    answers += answer(k).size();
  }
  for (int i = 0; i < connections; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 2;
    at_once(client);
    std::thread receiver([&] {
      std::array<char, 8192> buffer{};
      for (size_t got = 0; got < answers;) {
        const ssize_t n = recv(client, buffer.data(), buffer.size(), 0);
        if (n <= 0) std::exit(4);
        got += static_cast<size_t>(n);
      }
    });
    say(client, asked);
    receiver.join();
    close(client);
  }
  kill(server, SIGTERM);
  waitpid(server, nullptr, 0);
  std::printf("%d\n", connections * kRequests);
  return 0;
}
