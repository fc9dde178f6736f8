// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/explain.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "agent/correlation/execution_model.h"
#include "agent/discovery/glob.h"
#include "agent/discovery/listening.h"
#include "agent/discovery/process_info.h"
#include "agent/discovery/runtime.h"
#include "agent/discovery/service_name.h"
#include "agent/runtime/layout.h"
#include "agent/telemetry/status_client.h"
#include "agent/telemetry/status_directory.h"
#include "agent/tls/process_probes.h"
#include "agent/tls/rustls.h"

namespace clew::commands {
namespace {

using discovery::Executable;
using discovery::ProcessInfo;

constexpr size_t kProcessesMax = 20;  // shown for one pattern

void line(std::string_view label, std::string_view text) { fmt::print("  {:<12}{}\n", label, text); }

void explain_executable(const std::string& path) {
  const auto executable = discovery::inspect_executable(path);
  if (!executable) {
    line("executable", executable.error().message);
    return;
  }
  std::string text(discovery::name_of(executable->runtime));
  if (!executable->version.empty()) text += " " + executable->version;
  text += executable->dynamic ? ", dynamically linked" : ", statically linked";
  if (executable->stripped) text += ", stripped";
  line("runtime", text);
  if (executable->machine != "amd64") line("!", fmt::format("built for {}: this version traces amd64 programs only", executable->machine));
}

void explain_sockets(const discovery::ProcFs& proc, uint32_t process_id) {
  discovery::ListeningSockets listening(proc);
  const std::vector<uint16_t> ports = listening.ports_of(process_id, [](uint16_t) { return true; });
  if (!ports.empty()) line("listens on", fmt::format("{}", fmt::join(ports, ", ")));
  const auto directory = discovery::Directory::open(fmt::format("{}/{}", proc.root, process_id));
  if (!directory) return;
  const auto descriptors = directory->open_below("fd");
  if (!descriptors) {
    line("sockets", "its file descriptors may not be read by this user");
    return;
  }
  size_t sockets = 0;
  bool io_uring = false;
  for (const uint32_t fd : discovery::numbered_entries(*descriptors, 65536)) {
    int error = 0;
    const std::string link = descriptors->link(std::to_string(fd).c_str(), error);
    sockets += link.starts_with("socket:") ? 1 : 0;
    io_uring |= link == "anon_inode:[io_uring]";
  }
  line("sockets", fmt::format("{} open", sockets));
  if (io_uring)
    line("!", "it has an io_uring: what goes through that cannot be read, such calls are counted in clew_lost_total; plain calls are");
}

bool is_tls(std::string_view kind) {
  static constexpr std::array<std::string_view, 7> kKinds = {"openssl", "boringssl", "gnutls", "nss", "mbedtls", "wolfssl", "s2n"};
  return std::ranges::find(kKinds, kind) != kKinds.end();
}

// Where the plaintext of its TLS is seen, and where not.
void explain_tls(const discovery::ProcFs& proc, uint32_t process_id) {
  tls::FileCache cache;
  std::vector<std::string> known;
  bool rustls = false;
  for (const tls::MappedFile& file : tls::mapped_files(proc, process_id, cache)) {
    line("TLS", file.path);
    for (const std::string& text : file.probes->description) {
      line("", text);
      rustls = rustls || text.starts_with("rustls");
    }
    if (!file.probes->damage.empty()) line("", fmt::format("{}: what it encrypts gives no spans", file.probes->damage));
    known.push_back(file.path);
  }
  if (const auto libraries = discovery::mapped_libraries(proc, process_id))
    for (const discovery::MappedLibrary& library : *libraries)
      if (is_tls(library.kind) && std::ranges::find(known, library.path) == known.end())
        line("TLS", fmt::format("{}: no function in it that clew knows: what it encrypts gives no spans", library.path));
  const auto executable = discovery::inspect_executable(fmt::format("{}/{}/exe", proc.root, process_id));
  if (!executable) return;
  if (!rustls && (std::ranges::find(executable->static_tls, "rustls") != executable->static_tls.end() ||
                  (executable->stripped && tls::mentions_rustls(fmt::format("{}/{}/exe", proc.root, process_id)))))
    line("TLS", "rustls, of whose functions no symbols are left, or of another version than 0.23: what it encrypts gives no spans");
  if (executable->runtime == Executable::Runtime::kJvm)
    line("TLS", "Java's own (JSSE) is compiled while it runs: what it encrypts gives no spans");
}

// How a request that it makes finds the one that it was made for.
void explain_parents(const discovery::ProcFs& proc, const ProcessInfo& process) {
  const runtime::Layout layout = runtime::find_layout(proc, process.process_id);
  if (layout.runtime != 0) {
    line("parents", correlation::describe(correlation::model_of(layout.runtime)));
    line("", layout.description);
    return;
  }
  const auto name = std::string_view(process.exe).substr(process.exe.rfind('/') + 1);
  line("parents", correlation::describe(correlation::model_of(name)));
  if (!layout.description.empty()) line("", layout.description);
}

// Which running clew follows it.
bool explain_tracing(uint32_t process_id, const std::vector<telemetry::Answer>& clews) {
  bool traced = false;
  for (const telemetry::Answer& clew : clews) {
    if (!clew.status || std::ranges::find(clew.status->processes, process_id) == clew.status->processes.end()) continue;
    traced = true;
    line("traced", fmt::format("yes, by clew {} ({})", clew.process_id, clew.status->selection));
  }
  if (!traced)
    line("traced", clews.empty() ? fmt::format("no: no clew is running. Try: sudo clew trace --pid {}", process_id)
                                 : fmt::format("no: none of the {} running clews selects it. Try: sudo clew trace --pid {}", clews.size(),
                                               process_id));
  return traced;
}

// Does one of them put trace contexts into its requests?
void explain_injection(uint32_t process_id, const std::vector<telemetry::Answer>& clews) {
  const auto injects = [process_id](const telemetry::Answer& clew) {
    return clew.status && std::ranges::find(clew.status->processes, process_id) != clew.status->processes.end() &&
           std::ranges::any_of(clew.status->counters, [](const auto& counter) { return counter.name == "clew_injected_total"; });
  };
  if (std::ranges::any_of(clews, injects))
    line("injection", "a traceparent in requests over TCP that it sends as a client; what is left alone, and why: clew status");
  else
    line("injection", "none: clew trace --inject puts a traceparent into its requests");
}

void explain_process(const discovery::ProcFs& proc, const ProcessInfo& process, const std::vector<telemetry::Answer>& clews) {
  const discovery::ServiceName service = discovery::service_name(process);
  fmt::print("process {}  {}\n", process.process_id, process.exe.empty() ? process.comm : process.exe);
  if (process.kernel_thread) {
    line("!", "a kernel thread: it makes no socket calls of its own and is never traced");
    return;
  }
  line("service", service.name);
  if (!process.container.id.empty()) line("container", process.container.id);
  explain_executable(fmt::format("{}/{}/exe", proc.root, process.process_id));
  explain_sockets(proc, process.process_id);
  explain_tls(proc, process.process_id);
  explain_parents(proc, process);
  explain_injection(process.process_id, clews);
  if (explain_tracing(process.process_id, clews))
    line("spans",
         "every exchange of HTTP/1 and HTTP/2 (gRPC too) over TCP and Unix sockets, in plain text or by a TLS library that is named above; "
         "see: clew status");
}

}  // namespace

int explain(const cli::ExplainOptions& options, const cli::EnvironmentLookup& environment, const Messages& messages) {
  const discovery::ProcFs proc = discovery::ProcFs::of_this_machine();
  const auto lookup = [&environment](const char* name) { return environment(name); };
  const std::vector<telemetry::Answer> clews = telemetry::ask_clews(telemetry::status_directories(geteuid(), lookup));

  std::vector<ProcessInfo> found;
  using Kind = cli::ExplainOptions::Kind;
  if (options.kind == Kind::kNumber) {
    if (auto process = discovery::read_process(proc, options.number)) found.push_back(std::move(*process));
  }
  const auto all = discovery::Directory::open(proc.root);
  const bool by_port = (options.kind == Kind::kNumber && options.number < 65536) || options.kind == Kind::kPort;
  if (all && (by_port || options.kind == Kind::kExe)) {
    discovery::ListeningSockets listening(proc);
    const auto glob = discovery::Glob::compile(options.exe);
    if (options.kind == Kind::kExe && !glob) {
      messages.always(glob.error().message);
      return static_cast<int>(cli::ExitCode::kUsage);
    }
    for (const uint32_t id : discovery::numbered_entries(*all, 1U << 22)) {
      bool matches = false;
      if (options.kind == Kind::kExe) {
        const auto process = discovery::read_process(proc, id, discovery::kExe);
        matches = process && !process->exe.empty() && glob->matches(process->exe);
      } else {
        matches = !listening.ports_of(id, [&](uint16_t port) { return port == options.number; }).empty();
      }
      if (!matches || std::ranges::find(found, id, &ProcessInfo::process_id) != found.end()) continue;
      if (auto process = discovery::read_process(proc, id)) found.push_back(std::move(*process));
    }
  }
  if (found.empty()) {
    if (options.kind == Kind::kExe && access(options.exe.c_str(), R_OK) == 0) {
      fmt::print("{}\n", options.exe);
      explain_executable(options.exe);
      line("traced", fmt::format("no process runs it now. Try: sudo clew trace --exe {}", options.exe));
      return static_cast<int>(cli::ExitCode::kDone);
    }
    messages.always(options.kind == Kind::kExe    ? fmt::format("no process runs a program that matches {}", options.exe)
                    : options.kind == Kind::kPort ? fmt::format("no process listens on port {}", options.number)
                                                  : fmt::format("there is no process {} and nobody listens on that port", options.number));
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  for (size_t i = 0; i < std::min(found.size(), kProcessesMax); ++i) explain_process(proc, found[i], clews);
  if (found.size() > kProcessesMax) fmt::print("… and {} more\n", found.size() - kProcessesMax);
  return static_cast<int>(cli::ExitCode::kDone);
}

}  // namespace clew::commands
