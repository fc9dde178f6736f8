// SPDX-License-Identifier: Apache-2.0
// The COMMAND behind `--`: started, held before its first instruction until everything is hooked, then let go.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/base/result.h"

namespace clew::commands {

class Child {
 public:
  /// Forks; the child waits. Under sudo it runs as the user who called sudo.
  static base::Result<Child> start(const std::vector<std::string>& argv);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  ~Child();

  pid_t process_id() const { return process_id_; }
  /// Lets it execute. An error if the program cannot be run.
  base::Result<void> release();
  /// Its wait status, once it has ended. Does not wait.
  std::optional<int> poll();
  void signal(int number) const;

 private:
  Child() = default;
  pid_t process_id_ = -1;
  int go_ = -1;       // a byte here lets it go; closed unused, it exits
  int failure_ = -1;  // errno of execvp comes back here
  std::optional<int> status_;
};

/// As a shell reports it: the exit status, or 128 + the signal.
int exit_status_of(int wait_status);

}  // namespace clew::commands
