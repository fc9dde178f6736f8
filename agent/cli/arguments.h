// SPDX-License-Identifier: Apache-2.0
// Splits argv by a table of options. Written by hand because `--console[=tree|line]` takes a value only after '=', `--` ends clew's
// own words for good, and a wrong word must be answered with the right one; CLI11 offers none of the three.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/result.h"

namespace clew::cli {

enum class Takes : uint8_t {
  kNothing,
  kValue,          // --pid 12, --pid=12
  kOptionalValue,  // --console, --console=tree
};

struct OptionSpec {
  std::string_view name;  // without the dashes
  Takes takes = Takes::kNothing;
  std::string_view example = {};  // a value, for the message that one is missing
  char letter = '\0';             // -v; only with Takes::kNothing
};

struct GivenOption {
  std::string_view name;  // of the spec
  std::string_view value;
  bool has_value = false;
};

/// Views into argv and into the table.
struct Arguments {
  std::vector<GivenOption> options;  // in the order given
  std::vector<std::string_view> operands;
  std::optional<std::vector<std::string>> command;  // what stands after `--`; may be empty
};

/// Turns an option that is not in the table (without its dashes) into a better message than "unknown option", or returns nothing.
using ExplainUnknown = std::function<std::optional<std::string>(std::string_view name)>;

/// Wrong: an option that is not in `table`, a value that is missing or unwanted.
base::Result<Arguments> split_arguments(std::span<const char* const> argv, std::span<const OptionSpec> table,
                                        const ExplainUnknown& explain_unknown);

/// True if `word` is to be read as an option: "-" alone (stdin, stdout) is not.
inline bool looks_like_option(std::string_view word) { return word.size() > 1 && word.front() == '-'; }

}  // namespace clew::cli
