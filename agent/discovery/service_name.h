// SPDX-License-Identifier: Apache-2.0
// What a process is called: its own OTEL_* variables, else its workload, else the script or executable that it runs.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "agent/discovery/process_info.h"

namespace clew::discovery {

struct ServiceName {
  enum class Source : uint8_t { kServiceNameVariable, kResourceAttributesVariable, kWorkload, kProgram, kComm };
  std::string name;  // never empty
  Source source = Source::kComm;
};

/// "OTEL_SERVICE_NAME of the process" …, for `clew explain`.
std::string_view name_of(ServiceName::Source source);

/// `workload` is the name of the Kubernetes owner, empty where there is none.
ServiceName service_name(const ProcessInfo& process, std::string_view workload = {});

/// The script, module, class or executable that a command line runs: "python3 -m http.server" → "http.server",
/// "java -jar /srv/x.jar" → "x.jar", a title rewritten by the program ("nginx: worker process") → the executable's name.
/// `exe` is the path of the executable and decides which interpreter's options are skipped; empty if unknown. May return empty.
std::string program_name(std::string_view exe, std::span<const std::string> argv);

}  // namespace clew::discovery
