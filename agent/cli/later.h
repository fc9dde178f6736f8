// SPDX-License-Identifier: Apache-2.0
// Words that clew does not take (yet): what they are, and what to use instead.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace clew::cli {

/// For an option that a later version has (or a slip of one), without its dashes: the honest answer.
std::optional<std::string> comes_later(std::string_view name);

/// For a word other tools use for something that clew calls differently: "unknown option --process; did you mean --pid?"
std::optional<std::string> other_word_for(std::string_view name);

extern const std::string_view kAgentComesLater;

}  // namespace clew::cli
