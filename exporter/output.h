// SPDX-License-Identifier: Apache-2.0
// A file, pipe or terminal that takes whole pieces of text or none, and never blocks past the exporter's patience.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>

#include "agent/base/result.h"
#include "exporter/patience.h"

namespace clew::exporter {

/// As open(2). A FIFO is opened when somebody reads it; `waits` is called if nobody does yet.
int open_to_write(const std::string& path, int flags, mode_t mode, const std::function<void()>& waits);

/// Not thread-safe. Writing to a pipe without reader needs SIGPIPE blocked (exporters' threads block it).
class Output {
 public:
  /// Creates or truncates the file; "-" is stdout. `waits`: see open_to_write().
  static base::Result<Output> open(const std::string& path, const std::function<void()>& waits);
  /// `fd` is not owned.
  static Output borrow(int fd, std::string name);
  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  Output(const Output&) = delete;
  ~Output();

  /// Writes all of `text` and returns 0, or an errno (ETIMEDOUT: patience ended). After an error a regular file is cut back to
  /// where it was; elsewhere a line end is put before the next piece.
  int write(std::string_view text, const Patience& patience);

  const std::string& name() const { return name_; }

 private:
  Output(int fd, std::string name, bool owned);
  int write_some(std::string_view& text, const Patience& patience) const;
  void undo(size_t written);

  int fd_;
  std::string name_;  // for messages
  bool owned_;
  bool regular_;
  bool mid_line_ = false;
};

}  // namespace clew::exporter
