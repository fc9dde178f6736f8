// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/cli/edit_distance.h"

namespace clew::cli {
namespace {

using Specs = std::span<const OptionSpec>;

struct Word {
  std::string_view name;  // as written, without dashes and value
  std::string_view value;
  bool has_value = false;
};

Word take_apart(std::string_view word) {
  word.remove_prefix(word.starts_with("--") ? 2 : 1);
  const size_t equals = word.find('=');
  if (equals == std::string_view::npos) return {word, {}, false};
  return {word.substr(0, equals), word.substr(equals + 1), true};
}

const OptionSpec* by_letter(Specs table, char letter) {
  const auto found = std::ranges::find(table, letter, &OptionSpec::letter);
  return found == table.end() ? nullptr : &*found;
}

/// "-v", "-vv": letters only, every one of them known.
bool is_letters(std::string_view word, Specs table) {
  return !word.starts_with("--") && std::ranges::all_of(word.substr(1), [&](char c) { return by_letter(table, c) != nullptr; });
}

std::string unknown_option(std::string_view written, std::string_view name, Specs table) {
  std::vector<std::string_view> names;
  for (const OptionSpec& spec : table) names.push_back(spec.name);
  const std::string_view shown = written.substr(0, written.find('='));
  return fmt::format("unknown option {}{}", shown, did_you_mean(name, names, "--"));
}

base::Result<GivenOption> with_value(const OptionSpec& spec, const Word& word, const char* next, bool& used_next) {
  GivenOption given{spec.name, word.value, word.has_value};
  const auto example = [&] { return fmt::format("--{}{}{}", spec.name, spec.takes == Takes::kValue ? " " : "=", spec.example); };
  if (spec.takes == Takes::kNothing && word.has_value) return base::fail(fmt::format("--{} takes no value", spec.name));
  if (spec.takes == Takes::kValue && !word.has_value && next != nullptr && !std::string_view(next).starts_with("--")) {
    given.value = next;
    given.has_value = used_next = true;
  }
  const bool needs = spec.takes == Takes::kValue || given.has_value;
  if (needs && spec.takes != Takes::kNothing && given.value.empty())
    return base::fail(fmt::format("--{} needs a value, for example: {}", spec.name, example()));
  return given;
}

}  // namespace

base::Result<Arguments> split_arguments(std::span<const char* const> argv, Specs table, const ExplainUnknown& explain_unknown) {
  Arguments result;
  for (size_t i = 0; i < argv.size(); ++i) {
    const std::string_view written = argv[i];
    if (written == "--") {
      result.command.emplace(argv.begin() + static_cast<ptrdiff_t>(i) + 1, argv.end());
      break;
    }
    if (!looks_like_option(written)) {
      result.operands.push_back(written);
      continue;
    }
    if (is_letters(written, table)) {
      for (char letter : written.substr(1)) result.options.push_back({by_letter(table, letter)->name, {}, false});
      continue;
    }
    const Word word = take_apart(written);
    const auto spec = written.starts_with("--") ? std::ranges::find(table, word.name, &OptionSpec::name) : table.end();
    if (spec == table.end()) {
      std::optional<std::string> better = explain_unknown ? explain_unknown(word.name) : std::nullopt;
      return base::fail(better ? *std::move(better) : unknown_option(written, word.name, table));
    }
    bool used_next = false;
    CLEW_TRY(const GivenOption given, with_value(*spec, word, i + 1 < argv.size() ? argv[i + 1] : nullptr, used_next));
    result.options.push_back(given);
    if (used_next) ++i;
  }
  return result;
}

}  // namespace clew::cli
