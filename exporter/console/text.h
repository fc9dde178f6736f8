// SPDX-License-Identifier: Apache-2.0
// Text for a terminal: safe to print, cut and padded to columns, coloured.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace clew::exporter::console {

/// With control characters (a request path can hold escape sequences) and what is not UTF-8 replaced by '?'.
std::string printable(std::string_view text);

/// Columns that printable text takes; each character counts as one.
int columns(std::string_view text);
/// The first `width` columns, the last of them an ellipsis if something was cut.
std::string cut(std::string_view text, int width, bool unicode);
/// Cut or filled with spaces to exactly `width` columns.
std::string fit(std::string_view text, int width, bool unicode);
std::string fit_right(std::string_view text, int width, bool unicode);

/// "850 ns", "12.3 µs", "4.56 ms", "1.20 s", "2m 05s": at most 7 columns up to 99 minutes.
std::string duration(uint64_t ns, bool unicode);
/// "120 B", "3.4 KB", "1.2 GB" (powers of 1000).
std::string bytes(uint64_t count);
/// "15:04:05.123" in local time.
std::string clock_time(uint64_t unix_ns);

enum class Colour : uint8_t { kNone, kRed, kGreen, kYellow, kBlue, kMagenta, kCyan, kDim, kBold, kBoldRed };
/// Wraps `text` if `enabled`.
std::string paint(std::string_view text, Colour colour, bool enabled);

}  // namespace clew::exporter::console
