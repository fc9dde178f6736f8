// SPDX-License-Identifier: Apache-2.0
#include "agent/commands/about.h"

#include <unistd.h>

#include <cstdio>

#include "agent/cli/doctor.h"
#include "agent/cli/machine_facts.h"
#include "agent/telemetry/status.h"
#include "agent/telemetry/status_client.h"
#include "agent/telemetry/status_directory.h"

namespace clew::commands {

int doctor(bool json, const cli::EnvironmentLookup& environment) {
  const std::vector<std::string> directories = telemetry::status_directories(geteuid(), environment);
  const cli::Diagnosis diagnosis = cli::diagnose(cli::gather_machine_facts(telemetry::running_clews(directories)));
  const std::string text = json ? cli::diagnosis_json(diagnosis) : cli::diagnosis_text(diagnosis, cli::speaks_utf8(environment));
  std::fputs(text.c_str(), stdout);
  return static_cast<int>(diagnosis.exit_code());
}

int status(bool json, const cli::EnvironmentLookup& environment) {
  const std::vector<telemetry::Answer> answers = telemetry::ask_clews(telemetry::status_directories(geteuid(), environment));
  const std::string text = json ? telemetry::status_json(answers) : telemetry::status_text(answers, telemetry::has_hidden_clews(geteuid()));
  std::fputs(text.c_str(), stdout);
  return static_cast<int>(cli::ExitCode::kDone);
}

}  // namespace clew::commands
