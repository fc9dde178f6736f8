// SPDX-License-Identifier: Apache-2.0
#include "exporter/factory.h"

#include <random>

#include "exporter/otlp.h"

namespace clew::exporter {
namespace {

base::Result<std::unique_ptr<Exporter>> make(const FileOptions& options, const Wiring& wiring) {
  return make_file_exporter(options, wiring);
}

base::Result<std::unique_ptr<Exporter>> make(const console::Options& options, const Wiring& wiring) {
  return console::make_console_exporter(options, wiring);
}

base::Result<std::unique_ptr<Exporter>> make(const OtlpOptions& options, const Wiring& wiring) {
  return make_otlp_exporter(options, wiring, std::random_device()());
}

}  // namespace

base::Result<std::unique_ptr<Exporter>> make_exporter(const Options& options, const Wiring& wiring) {
  return std::visit([&](const auto& chosen) { return make(chosen, wiring); }, options);
}

}  // namespace clew::exporter
