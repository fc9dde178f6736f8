// SPDX-License-Identifier: Apache-2.0
// Messages to the user, on stderr: "clew: …". `clew: ready` is a line that scripts wait for.
#pragma once

#include <memory>
#include <string_view>

#include "agent/cli/environment.h"
#include "exporter/wiring.h"

namespace spdlog {
class logger;
}

namespace clew::commands {

/// Cheap to copy; all copies write through one sink, whole lines, from any thread.
class Messages {
 public:
  explicit Messages(cli::LogLevel level);

  void error(std::string_view text) const;
  void warn(std::string_view text) const;
  void info(std::string_view text) const;
  void debug(std::string_view text) const;
  /// Whatever the level: what scripts rely on.
  void always(std::string_view text) const;
  exporter::Log for_exporters() const;

 private:
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace clew::commands
