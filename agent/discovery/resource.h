// SPDX-License-Identifier: Apache-2.0
// The OpenTelemetry Resource of a traced process: who did the work, where, and by which tracer it was seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/discovery/process_info.h"
#include "agent/discovery/resource_attributes.h"
#include "agent/discovery/service_name.h"
#include "exporter/span.h"

namespace clew::discovery {

/// What is the same for every process of this machine and this run.
struct Host {
  std::string name;            // host.name
  std::string id;              // host.id: /etc/machine-id; empty where there is none
  std::string boot_id;         // distinguishes equal process ids and start ticks of two boots
  std::string arch;            // host.arch: amd64, arm64 …
  std::string distro_version;  // telemetry.distro.version: ours

  /// clew's own OTEL_RESOURCE_ATTRIBUTES (deployment.environment.name and the like): added to every Resource where neither the
  /// process nor we know better. Its service.* keys, like clew's own OTEL_SERVICE_NAME, name clew and never a traced process.
  AttributeList defaults;
};

/// Reads the host's identity. `etc` and `proc` are "/etc" and "/proc" but in tests.
Host read_host(const std::string& etc, const ProcFs& proc, std::string distro_version);

/// Precedence: process.* and telemetry.* as observed; then the process's OTEL_RESOURCE_ATTRIBUTES; then host.*, container.id, os.type
/// as observed; then Host::defaults. Never the command line beyond argv[0]: it may carry secrets.
exporter::Resource build_resource(const Host& host, const ProcessInfo& process, const ServiceName& service);

/// The service.instance.id of that incarnation of the process: a version 5 UUID, equal in every run of clew during one boot.
std::string service_instance_id(const Host& host, const ProcessInfo& process);

}  // namespace clew::discovery
