// SPDX-License-Identifier: Apache-2.0
// How far two words are apart, and which known word a mistyped one was meant to be.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace clew::cli {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b` ("optimal string alignment").
/// Time and memory O(|a|·|b|): for words, not for text.
size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` was most likely meant to be, or empty when none is near. Case does not count; the beginning of a
/// candidate (two letters or more) is near. Of equals, the first.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "; did you mean X?" with `prefix` in front of the nearest candidate, or empty.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates, std::string_view prefix = {});

}  // namespace clew::cli
