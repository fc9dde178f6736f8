// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/later.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "agent/cli/edit_distance.h"

namespace clew::cli {
namespace {

struct Later {
  std::string_view name;
  std::string_view what;
  std::string_view instead;
};
constexpr std::array kLater = {
    Later{"namespace", "selects the pods of a Kubernetes namespace", "--container ID, --cgroup PATH or --exe GLOB"},
    Later{"not-namespace", "excludes the pods of a Kubernetes namespace", "--not-exe GLOB or --not-port N"},
    Later{"prometheus", "serves metrics of the traffic and of clew", "clew status --json for clew's own counters"},
};

struct Synonym {
  std::string_view theirs;
  std::string_view ours;
};
constexpr std::array kSynonyms = {
    Synonym{"p", "pid"},
    Synonym{"process", "pid"},
    Synonym{"tgid", "pid"},
    Synonym{"name", "exe"},
    Synonym{"comm", "exe"},
    Synonym{"program", "exe"},
    Synonym{"binary", "exe"},
    Synonym{"executable", "exe"},
    Synonym{"listen", "port"},
    Synonym{"output", "file"},
    Synonym{"o", "file"},
    Synonym{"out", "file"},
    Synonym{"write", "record"},
    Synonym{"w", "record"},
    Synonym{"endpoint", "otlp"},
    Synonym{"collector", "otlp"},
    Synonym{"protocol", "otlp-protocol"},
    Synonym{"timeout", "duration"},
    Synonym{"time", "duration"},
    Synonym{"limit", "count"},
    Synonym{"n", "count"},
    Synonym{"exclude", "not-exe"},
    Synonym{"docker", "container"},
    Synonym{"c", "container"},
    Synonym{"debug", "verbose"},
    Synonym{"silent", "quiet"},
};

}  // namespace

const std::string_view kAgentComesLater =
    "clew agent (trace as a service, from a configuration file) comes later; this version cannot do it yet.\n"
    "  use instead: clew trace --exe nginx --otlp http://localhost:4317";

std::optional<std::string> comes_later(std::string_view name) {
  std::array<std::string_view, kLater.size()> names;
  std::ranges::transform(kLater, names.begin(), &Later::name);
  const auto* exact = std::ranges::find(kLater, name, &Later::name);
  if (exact != kLater.end())
    return fmt::format("--{} ({}) comes later; this version cannot do it yet.\n  use instead: {}", exact->name, exact->what,
                       exact->instead);
  const std::string_view near = nearest(name, names);
  const bool close = !near.empty() && name.size() >= 4 && (near.starts_with(name) || edit_distance(name, near) <= 2);
  if (!close) return std::nullopt;
  return fmt::format("unknown option --{}; did you mean --{}? That comes later; this version cannot do it yet", name, near);
}

std::optional<std::string> other_word_for(std::string_view name) {
  const auto* found = std::ranges::find(kSynonyms, name, &Synonym::theirs);
  if (found == kSynonyms.end()) return std::nullopt;
  return fmt::format("unknown option {}{}; did you mean --{}?", name.size() == 1 ? "-" : "--", name, found->ours);
}

}  // namespace clew::cli
