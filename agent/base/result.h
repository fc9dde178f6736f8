// SPDX-License-Identifier: Apache-2.0
// Errors are values: Result<T> is a T or an Error that says what failed and in which context.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace clew::base {

/// What went wrong, for a person: "cannot open x.pcap: No such file or directory".
struct Error {
  std::string message;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(std::string message) { return std::unexpected(Error{std::move(message)}); }

}  // namespace clew::base

// Evaluates a Result; on error returns it from the calling function, else yields the value.
#define CLEW_CONCAT_INNER(a, b) a##b
#define CLEW_CONCAT(a, b) CLEW_CONCAT_INNER(a, b)
#define CLEW_TRY(declaration, expression)                                                                         \
  auto CLEW_CONCAT(result_, __LINE__) = (expression);                                                             \
  if (!CLEW_CONCAT(result_, __LINE__)) return std::unexpected(std::move(CLEW_CONCAT(result_, __LINE__)).error()); \
  declaration = std::move(*CLEW_CONCAT(result_, __LINE__))
