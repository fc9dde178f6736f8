// SPDX-License-Identifier: Apache-2.0
// Spans for a person: a line per span, or a waterfall per trace.
#pragma once

#include <memory>

#include "agent/base/result.h"
#include "exporter/wiring.h"

namespace clew::exporter::console {

/// How the text is drawn.
struct Style {
  bool colours = false;
  bool unicode = true;
  bool cut_lines = false;  // lines end at the width; else they are left whole, for grep
  int width = 100;         // columns
};

struct Options {
  enum class Format : uint8_t { kLine, kTree };
  Format format = Format::kLine;
  int fd = 1;  // not owned
  Style style;
};

/// The style that fits what `fd` is: colours on a terminal unless NO_COLOR is set or TERM is "dumb", its width, or 100 columns;
/// ASCII only where the locale says so. `lookup` gives a variable of the environment or null.
Style detect_style(int fd, const std::function<const char*(const char*)>& lookup);

std::unique_ptr<Exporter> make_console_exporter(const Options& options, const Wiring& wiring);

}  // namespace clew::exporter::console
