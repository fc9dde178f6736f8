// SPDX-License-Identifier: Apache-2.0
// Shell patterns for --exe: `*` and `?` stay within a path segment, `**` crosses them, `[a-z]` and `[!a-z]` are sets, `\` quotes.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/result.h"

namespace clew::discovery {

class Glob {
 public:
  /// An Error for an empty pattern, a `[` without `]`, or more than 4,096 bytes.
  static base::Result<Glob> compile(std::string pattern);

  /// A pattern without '/' is compared with the base name, any other with the whole path. `**/` also matches no segment at all.
  bool matches(std::string_view path) const;
  /// It stands for itself.
  bool is_literal() const { return pattern_.find_first_of("*?[\\") == std::string::npos; }
  const std::string& pattern() const { return pattern_; }

 private:
  explicit Glob(std::string pattern) : pattern_(std::move(pattern)), whole_path_(pattern_.find('/') != std::string::npos) {}
  std::string pattern_;
  bool whole_path_;
};

}  // namespace clew::discovery
