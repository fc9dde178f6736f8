// SPDX-License-Identifier: Apache-2.0
#include "agent/telemetry/status_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <system_error>

#include "agent/telemetry/status_client.h"
#include "agent/telemetry/status_directory.h"
#include "agent/telemetry/unix_address.h"

namespace clew::telemetry {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kClientPatience{1000};
constexpr int kBacklog = 8;

base::Error system_error(std::string_view what, int error) {
  return {fmt::format("status socket: {}: {}", what, std::generic_category().message(error))};
}

/// Bound, listening and only then under its name: nobody takes a socket that is about to listen for a dead one.
base::Result<int> listen_at(const std::string& path) {
  const std::string unnamed = path + ".new";
  CLEW_TRY(const UnixAddress address, unix_address(unnamed));
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return std::unexpected(system_error("cannot make a socket", errno));
  unlink(unnamed.c_str());
  const bool ready = bind(listener, address.get(), address.length) == 0 && chmod(unnamed.c_str(), S_IRUSR | S_IWUSR) == 0 &&
                     listen(listener, kBacklog) == 0 && std::rename(unnamed.c_str(), path.c_str()) == 0;
  if (ready) return listener;
  const base::Error error = system_error(fmt::format("cannot listen at {}", path), errno);
  unlink(unnamed.c_str());
  close(listener);
  return std::unexpected(error);
}

}  // namespace

base::Result<std::unique_ptr<StatusServer>> StatusServer::start(const std::string& directory, uint32_t process_id, Document document) {
  CLEW_TRY(const std::string checked, prepare_status_directory(directory));
  remove_dead_sockets(checked);
  std::string path = fmt::format("{}/{}.sock", checked, process_id);
  CLEW_TRY(const int listener, listen_at(path));
  const int stop = eventfd(0, EFD_CLOEXEC);
  if (stop < 0) {
    const base::Error error = system_error("cannot make an eventfd", errno);
    unlink(path.c_str());
    close(listener);
    return std::unexpected(error);
  }
  return std::unique_ptr<StatusServer>(new StatusServer(std::move(path), listener, stop, std::move(document)));
}

StatusServer::StatusServer(std::string path, int listener, int stop, Document document)
    : path_(std::move(path)), listener_(listener), stop_(stop), document_(std::move(document)) {
  // Signals are for the main thread.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

StatusServer::~StatusServer() {
  eventfd_write(stop_, 1);
  thread_.join();
  unlink(path_.c_str());
  close(listener_);
  close(stop_);
}

void StatusServer::run() const {
  for (;;) {
    std::array<pollfd, 2> waiting = {pollfd{stop_, POLLIN, 0}, pollfd{listener_, POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
    if (waiting[0].revents != 0) return;
    if ((waiting[1].revents & POLLIN) == 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) {
      answer(client);
      close(client);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
      // The client stays in the backlog and poll() would return at once: wait a moment for a descriptor.
      if (poll(waiting.data(), 1, static_cast<int>(kClientPatience.count())) > 0) return;
    }
  }
}

void StatusServer::answer(int client) const {
  const std::string document = document_();
  const Clock::time_point deadline = Clock::now() + kClientPatience;
  for (size_t sent = 0; sent < document.size() && Clock::now() < deadline;) {
    const ssize_t count = send(client, document.data() + sent, document.size() - sent, MSG_NOSIGNAL);
    if (count > 0) {
      sent += static_cast<size_t>(count);
      continue;
    }
    if (count < 0 && errno != EAGAIN && errno != EINTR) return;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    std::array<pollfd, 2> waiting = {pollfd{stop_, POLLIN, 0}, pollfd{client, POLLOUT, 0}};
    if (left <= 0 || poll(waiting.data(), waiting.size(), static_cast<int>(left)) == 0 || waiting[0].revents != 0) return;
  }
}

}  // namespace clew::telemetry
