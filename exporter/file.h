// SPDX-License-Identifier: Apache-2.0
// OTLP/JSON lines into a file or to stdout: one ExportTraceServiceRequest per line, as the Collector's file exporter writes.
#pragma once

#include <memory>
#include <string>

#include "agent/base/result.h"
#include "exporter/wiring.h"

namespace clew::exporter {

struct FileOptions {
  std::string path;  // "-": stdout. A file is truncated.
};

/// A span is written at most 0.3 s after submit(). Only whole lines are left in a file, even when the disk is full.
base::Result<std::unique_ptr<Exporter>> make_file_exporter(const FileOptions& options, const Wiring& wiring);

}  // namespace clew::exporter
