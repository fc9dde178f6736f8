// SPDX-License-Identifier: Apache-2.0
#include "agent/discovery/glob.h"

#include <fmt/format.h>

namespace clew::discovery {
namespace {

constexpr size_t kMaxPattern = 4096;

/// The position behind the set that begins at `pattern[at]` == '[', or npos if it does not end.
size_t end_of_set(std::string_view pattern, size_t at) {
  ++at;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) ++at;
  if (at < pattern.size() && pattern[at] == ']') ++at;  // a ']' in first place is a member
  while (at < pattern.size() && pattern[at] != ']') ++at;
  return at < pattern.size() ? at + 1 : std::string_view::npos;
}

/// `set` is what stands between the brackets.
bool in_set(std::string_view set, char c) {
  const bool negated = set.starts_with('!') || set.starts_with('^');
  if (negated) set.remove_prefix(1);
  bool found = false;
  for (size_t i = 0; i < set.size(); ++i) {
    if (i + 2 < set.size() && set[i + 1] == '-') {
      found = found || (set[i] <= c && c <= set[i + 2]);
      i += 2;
    } else {
      found = found || set[i] == c;
    }
  }
  return found != negated;
}

/// Does one character of the pattern at `p` (not a star) match `c`? `p` is moved behind it.
bool match_one(std::string_view pattern, size_t& p, char c) {
  switch (pattern[p]) {
    case '?': ++p; return c != '/';
    case '[': {
      const size_t end = end_of_set(pattern, p);
      const std::string_view set = pattern.substr(p + 1, end - p - 2);
      p = end;
      return c != '/' && in_set(set, c);
    }
    case '\\':
      if (p + 1 < pattern.size()) ++p;
      [[fallthrough]];
    default: return pattern[p++] == c;
  }
}

/// Where to go on if what follows a star does not fit: the star takes one character more. Only the last star of each kind needs
/// to be tried again (an earlier start of it leaves every later one possible), so the work is at most pattern x text squared.
struct Retry {
  size_t pattern = std::string_view::npos;
  size_t text = 0;
  bool segments = false;  // "**/": takes whole segments, or nothing
};

bool match(std::string_view pattern, std::string_view text) {
  Retry star;
  Retry globstar;
  size_t p = 0;
  size_t t = 0;
  while (true) {
    if (pattern.substr(p).starts_with("**")) {
      const bool segments = pattern.substr(p + 2).starts_with('/') && (p == 0 || pattern[p - 1] == '/');
      p += segments ? 3 : 2;
      globstar = {p, t, segments};
      star = {};
      continue;
    }
    if (p < pattern.size() && pattern[p] == '*') {
      star = {++p, t, false};
      continue;
    }
    if (t == text.size() && p == pattern.size()) return true;
    size_t after = p;
    if (t < text.size() && p < pattern.size() && match_one(pattern, after, text[t])) {
      p = after;
      ++t;
      continue;
    }
    if (star.pattern != std::string_view::npos && star.text < text.size() && text[star.text] != '/') {
      p = star.pattern;
      t = ++star.text;
      continue;
    }
    if (globstar.pattern == std::string_view::npos || globstar.text >= text.size()) return false;
    const size_t slash = globstar.segments ? text.find('/', globstar.text) : globstar.text;
    if (slash == std::string_view::npos) return false;
    p = globstar.pattern;
    t = globstar.text = slash + 1;
    star = {};
  }
}

}  // namespace

base::Result<Glob> Glob::compile(std::string pattern) {
  if (pattern.empty()) return base::fail("the pattern is empty");
  if (pattern.size() > kMaxPattern) return base::fail(fmt::format("the pattern is longer than {} bytes", kMaxPattern));
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '[') {
      const size_t end = end_of_set(pattern, i);
      if (end == std::string::npos) return base::fail(fmt::format("\"{}\": '[' at position {} has no ']'", pattern, i));
      i = end - 1;
    }
  }
  return Glob(std::move(pattern));
}

bool Glob::matches(std::string_view path) const {
  if (path.empty()) return false;
  if (!whole_path_) path = path.substr(path.rfind('/') + 1);
  return match(pattern_, path);
}

}  // namespace clew::discovery
