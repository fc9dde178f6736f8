// SPDX-License-Identifier: Apache-2.0
// What the user asked for: argv and the standard environment variables as plain data. Nothing here touches the machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"
#include "agent/cli/environment.h"

namespace clew::cli {

/// Exit status of clew. With `-- COMMAND` it is that of the command instead of kDone.
enum class ExitCode : int {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,   // wrong usage or configuration
  kKernel = 3,  // this kernel or these privileges cannot do it; the message ends with kRunDoctor
};
inline constexpr std::string_view kRunDoctor = "run: clew doctor";

enum class Command : uint8_t { kTrace, kAgent, kDoctor, kStatus, kExplain, kReplay, kHelp, kVersion };

/// Both ends belong to it; first <= last, first >= 1.
struct PortRange {
  uint16_t first = 0;
  uint16_t last = 0;
  bool operator==(const PortRange&) const = default;
};

/// A process is selected if one of the first group matches, or it descends from `command`, and none of the exclusions does.
struct SelectOptions {
  std::vector<uint32_t> process_ids;
  std::vector<std::string> exe_globs;   // not empty; not yet compiled (agent/discovery): a bad pattern is wrong usage too
  std::vector<PortRange> ports;         // listened on
  std::vector<std::string> cgroups;     // as given: below the mount point, or with it; never empty
  std::vector<std::string> containers;  // id or prefix; "docker://", "containerd://" … are taken off
  std::vector<std::string> command;     // what stands after `--`

  std::vector<std::string> not_exe_globs;
  std::vector<PortRange> not_ports;

  /// False: there is nothing that could be traced.
  bool any() const {
    return !process_ids.empty() || !exe_globs.empty() || !ports.empty() || !cgroups.empty() || !containers.empty() || !command.empty();
  }
};

enum class ConsoleMode : uint8_t { kNone, kTree, kLine };
enum class OtlpProtocol : uint8_t { kGrpc, kHttpProtobuf, kHttpJson };

struct OtlpDestination {
  std::string url;                       // http:// or https://; empty: where OTEL_EXPORTER_OTLP_* says, else its default
  std::optional<OtlpProtocol> protocol;  // unset: what OTEL_EXPORTER_OTLP_*PROTOCOL says, else grpc
};

/// Defaults are already applied: console, if nothing else is asked for and stdout is (not) a terminal.
struct OutputOptions {
  ConsoleMode console = ConsoleMode::kNone;
  std::vector<std::string> files;  // "-" is stdout; at most one output writes there
  std::vector<OtlpDestination> otlp;
  std::vector<std::string> records;  // trace only
  bool capture_query = false;        // query strings unredacted
};

struct TraceOptions {
  SelectOptions select;
  OutputOptions output;
  std::optional<std::chrono::nanoseconds> duration;  // > 0
  std::optional<uint64_t> count;                     // spans, > 0
  bool inject = false;                               // requests that have no trace context are given one …
  bool inject_header = false;                        // … in a traceparent …
  bool inject_tcp_option = false;                    // … or beside their bytes
};

struct ReplayOptions {
  std::vector<std::string> files;  // at least one; "-" is stdin
  OutputOptions output;
  std::optional<uint64_t> count;  // spans, > 0
};

struct ExplainOptions {
  enum class Kind : uint8_t {
    kNumber,  // a process id or a port: whichever exists (both: explain both)
    kPort,    // ":8080"
    kExe,     // a glob as in SelectOptions::exe_globs, or the path of a file
  };
  Kind kind = Kind::kNumber;
  uint32_t number = 0;  // kNumber, kPort
  std::string exe;      // kExe
};

struct Options {
  Command command = Command::kHelp;
  TraceOptions trace;      // kTrace
  ReplayOptions replay;    // kReplay
  ExplainOptions explain;  // kExplain
  bool json = false;       // kDoctor, kStatus
  LogLevel log_level = LogLevel::kInfo;
  Environment environment;
  std::string text;                   // kHelp, kVersion: what goes to stdout
  std::vector<std::string> warnings;  // to be shown on stderr before anything starts, one line each
};

/// What parse() may know of the machine.
struct Surroundings {
  EnvironmentLookup environment;  // empty: no variable is set
  bool stdout_is_terminal = false;
};

/// `arguments` without argv[0]. An error is wrong usage: its message teaches (several lines, no "clew: " in front), exit ExitCode::kUsage.
base::Result<Options> parse(std::span<const char* const> arguments, const Surroundings& surroundings);

}  // namespace clew::cli
