// SPDX-License-Identifier: Apache-2.0
// Certificates and keys are read when the program starts, so that a wrong path is told at once.
#include <fmt/core.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <system_error>

#include "exporter/otlp_transport.h"

namespace clew::exporter {

base::Result<std::string> read_pem(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return base::fail(fmt::format("cannot read {}: {}", path, std::generic_category().message(errno)));
  if (text.find("-----BEGIN ") == std::string::npos) return base::fail(fmt::format("{} is not a PEM file", path));
  return text;
}

}  // namespace clew::exporter
