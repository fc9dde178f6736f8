// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/console.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <string>
#include <system_error>

#include "exporter/console/line.h"
#include "exporter/console/tree.h"
#include "exporter/output.h"
#include "exporter/queued.h"
#include "exporter/trouble.h"

namespace clew::exporter::console {
namespace {

// A person waits: show spans soon, but not each with a write of its own.
constexpr Pace kLinePace{.queue_spans = 8192, .max_spans = 256, .delay = std::chrono::milliseconds(50)};
constexpr Pace kTreePace{
    .queue_spans = 8192, .max_spans = 256, .delay = std::chrono::milliseconds(50), .tick = std::chrono::milliseconds(100)};

/// Writes text to the terminal and keeps the books; both formats share it.
class Screen {
 public:
  Screen(const Options& options, const Wiring& wiring)
      : output_(Output::borrow(options.fd, "--console")), trouble_("--console", wiring.log), on_reader_gone_(wiring.on_reader_gone) {}

  void show(const std::string& text, size_t spans, const Patience& patience, Tally& tally) {
    if (spans == 0) return;
    if (reader_gone_) return tally.failed(spans, "reader_gone");
    const int error = output_.write(text, patience);
    if (error == 0) {
      trouble_.end();
      return tally.exported(spans);
    }
    if (error == ETIMEDOUT) return tally.dropped(spans, "shutdown");
    trouble_.lost(spans);
    reader_gone_ = error == EPIPE || error == EIO;
    trouble_.begin(reader_gone_ ? "its reader has gone; no more spans are shown"
                                : fmt::format("cannot write: {}", std::generic_category().message(error)));
    tally.failed(spans, reader_gone_ ? "reader_gone" : "write_error");
    if (reader_gone_ && on_reader_gone_) on_reader_gone_();
  }

 private:
  Output output_;
  Trouble trouble_;
  std::function<void()> on_reader_gone_;
  bool reader_gone_ = false;
};

class Lines final : public Destination {
 public:
  Lines(const Options& options, const Wiring& wiring) : screen_(options, wiring), style_(options.style) {}

  void deliver(const SpanGroup& group, const Patience& patience, Tally& tally) override {
    std::string text;
    for (const SpanSlice& slice : group)
      for (const Span& span : slice.spans()) text += format_line(summarise(span), style_);
    screen_.show(text, span_count(group), patience, tally);
  }

 private:
  Screen screen_;
  Style style_;
};

class Trees final : public Destination {
 public:
  Trees(const Options& options, const Wiring& wiring) : screen_(options, wiring), style_(options.style) {}

  void deliver(const SpanGroup& group, const Patience& patience, Tally& tally) override {
    const auto now = std::chrono::steady_clock::now();
    for (const SpanSlice& slice : group)
      for (const Span& span : slice.spans()) traces_.add(summarise(span), now);
    show(traces_.take_ready(now), patience, tally);
  }

  void tick(const Patience& patience, Tally& tally) override {
    show(traces_.take_ready(std::chrono::steady_clock::now()), patience, tally);
  }

  void finish(const Patience& patience, Tally& tally) override { show(traces_.take_all(), patience, tally); }

 private:
  void show(const std::vector<Trace>& traces, const Patience& patience, Tally& tally) {
    for (const Trace& trace : traces) screen_.show(format_tree(trace, style_), trace.size(), patience, tally);
  }

  Screen screen_;
  Style style_;
  Traces traces_;
};

/// The locale of the text, as setlocale() would choose it; an unset one (a container, cron) says nothing.
bool locale_is_ascii(const std::function<const char*(const char*)>& lookup) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = lookup(name);
    if (value == nullptr || *value == '\0') continue;
    std::string locale(value);
    std::ranges::transform(locale, locale.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return locale.find("utf-8") == std::string::npos && locale.find("utf8") == std::string::npos;
  }
  return false;
}

}  // namespace

Style detect_style(int fd, const std::function<const char*(const char*)>& lookup) {
  const auto get = [&](const char* name) {
    const char* value = lookup(name);
    return std::string(value == nullptr ? "" : value);
  };
  Style style;
  style.unicode = !locale_is_ascii(lookup);
  if (isatty(fd) == 0) return style;
  style.colours = get("NO_COLOR").empty() && get("TERM") != "dumb";
  style.cut_lines = true;
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  return style;
}

std::unique_ptr<Exporter> make_console_exporter(const Options& options, const Wiring& wiring) {
  if (options.format == Options::Format::kTree)
    return std::make_unique<QueuedExporter>("console", std::make_unique<Trees>(options, wiring), kTreePace, wiring);
  return std::make_unique<QueuedExporter>("console", std::make_unique<Lines>(options, wiring), kLinePace, wiring);
}

}  // namespace clew::exporter::console
