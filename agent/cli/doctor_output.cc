// SPDX-License-Identifier: Apache-2.0
// How a diagnosis is shown: to a person, and to a script.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "agent/cli/doctor.h"

namespace clew::cli {
namespace {

std::string_view mark(Level level, bool utf8) {
  switch (level) {
    case Level::kFine: return utf8 ? "✓" : "ok";
    case Level::kRestricted: return utf8 ? "!" : "! ";
    case Level::kMissing: break;
  }
  return utf8 ? "✗" : "no";
}

std::string_view status(Level level) {
  switch (level) {
    case Level::kFine: return "ok";
    case Level::kRestricted: return "restricted";
    case Level::kMissing: break;
  }
  return "missing";
}

}  // namespace

std::string diagnosis_text(const Diagnosis& diagnosis, bool utf8) {
  std::string text;
  const auto out = std::back_inserter(text);
  const int indent = utf8 ? 19 : 20;
  for (const Finding& finding : diagnosis.findings) {
    fmt::format_to(out, "{} {:<17}{}\n", mark(finding.level, utf8), finding.check, finding.what);
    if (!finding.cost.empty()) fmt::format_to(out, "{:{}}cost: {}\n", "", indent, finding.cost);
    if (!finding.mend.empty()) fmt::format_to(out, "{:{}}mend: {}\n", "", indent, finding.mend);
  }
  if (diagnosis.can_trace)
    fmt::format_to(out, "\nclew can trace here, by {}.\n", name(diagnosis.backend));
  else
    fmt::format_to(out, "\nclew cannot trace here; what must be mended is marked {}.\n", utf8 ? "✗" : "no");
  return text;
}

std::string diagnosis_json(const Diagnosis& diagnosis) {
  nlohmann::ordered_json checks = nlohmann::ordered_json::array();
  for (const Finding& finding : diagnosis.findings) {
    checks.push_back({{"check", finding.check},
                      {"status", status(finding.level)},
                      {"what", finding.what},
                      {"cost", finding.cost},
                      {"mend", finding.mend}});
  }
  const nlohmann::ordered_json document = {
      {"can_trace", diagnosis.can_trace}, {"backend", name(diagnosis.backend)}, {"checks", std::move(checks)}};
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

bool speaks_utf8(const EnvironmentLookup& lookup) {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = lookup ? lookup(variable) : nullptr;
    if (value == nullptr || *value == '\0') continue;
    std::string name = value;
    for (char& c : name) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return name.find("UTF-8") != std::string::npos || name.find("UTF8") != std::string::npos;
  }
  return false;
}

}  // namespace clew::cli
