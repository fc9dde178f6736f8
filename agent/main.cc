// SPDX-License-Identifier: Apache-2.0
// clew: what the user asked for, and who does it.
#include <fcntl.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <span>

#include "agent/cli/options.h"
#include "agent/commands/about.h"
#include "agent/commands/explain.h"
#include "agent/commands/log.h"
#include "agent/commands/replay.h"
#include "agent/commands/trace.h"

namespace {

// A file that is opened while one of these is closed would take its place, and what is meant for a terminal be written into it.
// COMMAND has them closed again, as its caller wanted. By plain system calls: nothing is ready yet, a sanitizer neither.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (syscall(SYS_fcntl, fd, F_GETFD) < 0) syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
}

// Before main(), even before libraries' own beginnings: gRPC's opens files.
[[gnu::section(".preinit_array"), gnu::used]] void (*const first)() = open_standard_streams;

}  // namespace

int main(int argc, char** argv) {
  using namespace clew;
  mallopt(M_MMAP_THRESHOLD, 128 << 10);  // as it is at first; it would grow by the large files that are read, and what they took be kept
  const cli::EnvironmentLookup environment = [](const char* name) -> const char* { return std::getenv(name); };
  const auto options = cli::parse(std::span<const char* const>(argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)),
                                  {.environment = environment, .stdout_is_terminal = isatty(STDOUT_FILENO) != 0});
  if (!options) {
    commands::Messages(cli::LogLevel::kError).always(options.error().message);
    return static_cast<int>(cli::ExitCode::kUsage);
  }
  const commands::Messages messages(options->log_level);
  for (const std::string& warning : options->warnings) messages.warn(warning);
  switch (options->command) {
    case cli::Command::kTrace: return commands::trace(*options, environment, messages);
    case cli::Command::kReplay: return commands::replay(*options, environment, messages);
    case cli::Command::kExplain: return commands::explain(options->explain, environment, messages);
    case cli::Command::kDoctor: return commands::doctor(options->json, environment);
    case cli::Command::kStatus: return commands::status(options->json, environment);
    case cli::Command::kHelp:
    case cli::Command::kVersion: std::fputs(options->text.c_str(), stdout); return 0;
    case cli::Command::kAgent: break;  // refused by parse() for now
  }
  return static_cast<int>(cli::ExitCode::kUsage);
}
