// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace clew::commands {
namespace {

// Who called sudo, if we run as root by it.
struct Caller {
  uid_t user = 0;
  gid_t group = 0;
  std::string name;
};

std::optional<Caller> sudo_caller() {
  const char* user = std::getenv("SUDO_UID");
  const char* group = std::getenv("SUDO_GID");
  if (geteuid() != 0 || user == nullptr || group == nullptr) return std::nullopt;
  Caller caller;
  caller.user = static_cast<uid_t>(std::strtoul(user, nullptr, 10));
  caller.group = static_cast<gid_t>(std::strtoul(group, nullptr, 10));
  if (caller.user == 0) return std::nullopt;
  if (const passwd* entry = getpwuid(caller.user); entry != nullptr) caller.name = entry->pw_name;
  return caller;
}

bool become(const Caller& caller) {
  const bool groups = caller.name.empty() ? setgroups(1, &caller.group) == 0 : initgroups(caller.name.c_str(), caller.group) == 0;
  return groups && setgid(caller.group) == 0 && setuid(caller.user) == 0;
}

}  // namespace

base::Result<Child> Child::start(const std::vector<std::string>& argv) {
  int go[2];
  int failure[2];
  if (pipe2(go, O_CLOEXEC) != 0) return base::fail(fmt::format("cannot start {}: {}", argv[0], std::strerror(errno)));
  if (pipe2(failure, O_CLOEXEC) != 0) {
    close(go[0]), close(go[1]);
    return base::fail(fmt::format("cannot start {}: {}", argv[0], std::strerror(errno)));
  }
  const std::optional<Caller> caller = sudo_caller();
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t process_id = fork();
  if (process_id == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number : {SIGINT, SIGTERM, SIGPIPE, SIGCHLD}) ::signal(number, SIG_DFL);
    struct sigaction hangup{};  // left ignored if it was: nohup is for the command, too
    if (sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) ::signal(SIGHUP, SIG_DFL);
    char byte = 0;
    close(go[1]);
    if (read(go[0], &byte, 1) != 1) _exit(127);
    int error = 0;
    if (caller && !become(*caller)) error = errno;
    if (error == 0) {
      execvp(arguments[0], arguments.data());
      error = errno;
    }
    [[maybe_unused]] const ssize_t n = write(failure[1], &error, sizeof error);
    _exit(127);
  }
  close(go[0]);
  close(failure[1]);
  Child child;
  child.process_id_ = process_id;
  child.go_ = go[1];
  child.failure_ = failure[0];
  if (process_id < 0) return base::fail(fmt::format("cannot start {}: {}", argv[0], std::strerror(errno)));
  return child;
}

Child::Child(Child&& other) noexcept
    : process_id_(std::exchange(other.process_id_, -1)),
      go_(std::exchange(other.go_, -1)),
      failure_(std::exchange(other.failure_, -1)),
      status_(other.status_) {}

Child::~Child() {
  if (go_ >= 0) {
    close(go_);  // it never ran: it sees the end of the pipe and exits
    if (process_id_ > 0) waitpid(process_id_, nullptr, 0);
  }
  if (failure_ >= 0) close(failure_);
}

base::Result<void> Child::release() {
  const char byte = 1;
  [[maybe_unused]] const ssize_t written = write(go_, &byte, 1);
  close(std::exchange(go_, -1));
  int error = 0;
  ssize_t n = 0;
  do n = read(failure_, &error, sizeof error);
  while (n < 0 && errno == EINTR);
  close(std::exchange(failure_, -1));
  if (n == sizeof error) {
    waitpid(process_id_, nullptr, 0);
    process_id_ = -1;
    return base::fail(std::strerror(error));
  }
  return {};
}

std::optional<int> Child::poll() {
  if (status_ || process_id_ < 0) return status_;
  int status = 0;
  if (waitpid(process_id_, &status, WNOHANG) == process_id_) status_ = status;
  return status_;
}

void Child::signal(int number) const {
  if (process_id_ > 0 && !status_) kill(process_id_, number);
}

int exit_status_of(int wait_status) { return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status); }

}  // namespace clew::commands
