// SPDX-License-Identifier: Apache-2.0
// From options to an exporter that runs: the one place where the command line meets exporter/.
#pragma once

#include <memory>
#include <variant>

#include "agent/base/result.h"
#include "exporter/console/console.h"
#include "exporter/file.h"
#include "exporter/otlp_options.h"
#include "exporter/wiring.h"

namespace clew::exporter {

using Options = std::variant<FileOptions, console::Options, OtlpOptions>;

/// Its thread runs when this returns. The error is for the user (a file that cannot be opened, a certificate that cannot be read).
base::Result<std::unique_ptr<Exporter>> make_exporter(const Options& options, const Wiring& wiring);

}  // namespace clew::exporter
