// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/status_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "agent/telemetry/status_directory.h"
#include "agent/telemetry/unix_address.h"

namespace clew::telemetry {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kPatience{3000};
constexpr size_t kDocumentBytesMax = 4 << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// The errno, or a connected socket.
std::expected<Descriptor, int> connect_to(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(ENAMETOOLONG);
  Descriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (client.get() < 0) return std::unexpected(errno);
  // A Unix socket connects at once, or says EAGAIN when the backlog is full: busy, not dead.
  if (connect(client.get(), address->get(), address->length) != 0) return std::unexpected(errno);
  return client;
}

bool is_dead(int error) { return error == ECONNREFUSED; }

/// Only in a directory of one's own: in another's, what looks like a dead socket may be a trap for root.
void remove_from(const std::string& directory, const StatusSocket& dead) {
  if (is_own_directory(directory)) unlink(dead.path.c_str());
}

base::Result<std::string> read_all(int client) {
  std::string text;
  const Clock::time_point deadline = Clock::now() + kPatience;
  std::array<char, 16'384> buffer;
  while (Clock::now() < deadline) {
    const ssize_t count = recv(client, buffer.data(), buffer.size(), 0);
    if (count == 0) return text;
    if (count > 0) {
      text.append(buffer.data(), static_cast<size_t>(count));
      if (text.size() > kDocumentBytesMax) return base::fail("its answer is longer than 4 MiB");
      continue;
    }
    if (errno != EAGAIN && errno != EINTR) return base::fail(std::generic_category().message(errno));
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd waiting{client, POLLIN, 0};
    if (left > 0) poll(&waiting, 1, static_cast<int>(left));
  }
  return base::fail("it took longer than three seconds");
}

base::Result<Status> ask(const Descriptor& client) {
  CLEW_TRY(const std::string document, read_all(client.get()));
  return parse_status(document);
}

}  // namespace

std::vector<Answer> ask_clews(const std::vector<std::string>& directories) {
  std::vector<Answer> answers;
  for (const std::string& directory : directories) {
    for (const StatusSocket& status_socket : list_status_sockets(directory)) {
      const auto client = connect_to(status_socket.path);
      if (client)
        answers.push_back({status_socket.process_id, ask(*client)});
      else if (is_dead(client.error()))
        remove_from(directory, status_socket);
      else if (client.error() != ENOENT)  // gone since it was listed
        answers.push_back({status_socket.process_id, base::fail(std::generic_category().message(client.error()))});
    }
  }
  return answers;
}

std::vector<uint32_t> running_clews(const std::vector<std::string>& directories) {
  std::vector<uint32_t> process_ids;
  for (const std::string& directory : directories)
    for (const StatusSocket& status_socket : list_status_sockets(directory))
      if (const auto client = connect_to(status_socket.path); client || client.error() == EAGAIN)
        process_ids.push_back(status_socket.process_id);
  return process_ids;
}

void remove_dead_sockets(const std::string& directory) {
  for (const StatusSocket& status_socket : list_status_sockets(directory))
    if (const auto client = connect_to(status_socket.path); !client && is_dead(client.error())) remove_from(directory, status_socket);
}

}  // namespace clew::telemetry
