// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/edit_distance.h"

#include <algorithm>
#include <vector>

namespace clew::cli {
namespace {

constexpr size_t kWordMax = 64;  // nothing longer is a mistyped option; also bounds the table

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return result;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> cost((a.size() + 1) * width);
  auto at = [&](size_t i, size_t j) -> size_t& { return cost[i * width + j]; };
  for (size_t i = 0; i <= a.size(); ++i) at(i, 0) = i;
  for (size_t j = 0; j <= b.size(); ++j) at(0, j) = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = at(i - 1, j - 1) + (a[i - 1] == b[j - 1] ? 0 : 1);
      at(i, j) = std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, replace});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
    }
  }
  return at(a.size(), b.size());
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > kWordMax) return {};
  const std::string wanted = lower(word);
  std::string_view best;
  size_t best_distance = std::max<size_t>(1, (wanted.size() + 1) / 3) + 1;
  for (std::string_view candidate : candidates) {
    const bool beginning = wanted.size() >= 2 && candidate.starts_with(wanted);
    const size_t distance = beginning ? 1 : edit_distance(wanted, lower(candidate));
    if (distance >= best_distance || distance >= std::max(wanted.size(), candidate.size())) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates, std::string_view prefix) {
  const std::string_view found = nearest(word, candidates);
  if (found.empty()) return {};
  return std::string("; did you mean ").append(prefix).append(found).append("?");
}

}  // namespace clew::cli
