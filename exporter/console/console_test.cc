// SPDX-License-Identifier: Apache-2.0
#include "exporter/console/console.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <unistd.h>

#include <map>
#include <sstream>

#include "exporter/console/line.h"
#include "exporter/console/tree.h"
#include "exporter/testing/support.h"

namespace clew::exporter::console {
namespace {

using namespace std::chrono_literals;
using testing::batch_of;
using testing::Bench;
using ::testing::EndsWith;
using testing::eventually;
using ::testing::HasSubstr;
using ::testing::Not;

Summary span_of(uint8_t id, uint8_t parent, uint64_t start_ms, uint64_t end_ms, const std::string& title = "GET /x") {
  Summary span;
  span.trace_id[0] = 1;
  span.span_id[0] = id;
  span.parent_span_id[0] = parent;
  span.kind = SpanKind::kServer;
  span.start_unix_ns = testing::kSampleTime + start_ms * 1'000'000;
  span.end_unix_ns = testing::kSampleTime + end_ms * 1'000'000;
  span.service = "shop";
  span.title = title;
  span.status = "200";
  return span;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(ConsoleText, ControlCharactersAndBrokenUtf8CannotReachTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\n\x7f\xc2\x9b\xff z\xc3\xa4"), "a?[31mb???? z\xc3\xa4");
}

TEST(ConsoleText, DurationsAndSizesAreShort) {
  EXPECT_EQ(duration(0, true), "0 ns");
  EXPECT_EQ(duration(999, true), "999 ns");
  EXPECT_EQ(duration(12'345, true), "12.3 µs");
  EXPECT_EQ(duration(12'345, false), "12.3 us");
  EXPECT_EQ(duration(999'499, true), "999 µs");
  EXPECT_EQ(duration(999'500, true), "1.00 ms");
  EXPECT_EQ(duration(4'560'000, true), "4.56 ms");
  EXPECT_EQ(duration(9'996'000, true), "10.0 ms");
  EXPECT_EQ(duration(59'000'000'000, true), "59.0 s");
  EXPECT_EQ(duration(125'000'000'000, true), "2m 05s");
  EXPECT_EQ(bytes(999), "999 B");
  EXPECT_EQ(bytes(1000), "1.0 KB");
  EXPECT_EQ(bytes(67'045), "67 KB");
  EXPECT_EQ(bytes(999'600), "1.0 MB");
}

TEST(ConsoleText, CuttingCountsCharactersNotBytes) {
  EXPECT_EQ(cut("äöü", 3, true), "äöü");
  EXPECT_EQ(cut("äöüx", 3, true), "äö…");
  EXPECT_EQ(fit("ä", 3, true), "ä  ");
  EXPECT_EQ(fit_right("ä", 3, true), "  ä");
}

TEST(ConsoleLine, SaysWhoWhatHowLongHowMuchWithWhom) {
  const SpanBatch batch = sample_spans(2, 1, testing::kSampleTime);
  const std::string line = format_line(summarise(batch[0]), Style{});
  EXPECT_THAT(line, HasSubstr("frontend"));
  EXPECT_THAT(line, HasSubstr("← 200"));
  EXPECT_THAT(line, HasSubstr("GET /checkout  10.0.0.7"));
  EXPECT_THAT(line, HasSubstr(" ms"));
  EXPECT_THAT(line, HasSubstr(" / "));
  EXPECT_THAT(line, EndsWith("\n"));
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
  EXPECT_THAT(format_line(summarise(batch[1]), Style{}), HasSubstr("→ 200"));
}

TEST(ConsoleLine, ErrorsStandOutAndNameTheirType) {
  SpanBatch batch = sample_spans(1, 1, testing::kSampleTime);
  Span span;
  span.name = "GET";
  span.kind = SpanKind::kServer;
  span.status = StatusCode::kError;
  span.resource = batch[0].resource;
  span.attributes.add("url.path", "/slow");
  span.attributes.add("error.type", "connection_reset");
  const std::string plain = format_line(summarise(span), Style{});
  EXPECT_THAT(plain, HasSubstr("✖"));
  EXPECT_THAT(plain, HasSubstr("GET /slow  connection_reset"));
  EXPECT_THAT(format_line(summarise(span), Style{.colours = true}), HasSubstr("\x1b[1;31mGET /slow"));
}

TEST(ConsoleLine, IsCutOnATerminalAndWholeElsewhere) {
  Summary span = span_of(1, 0, 0, 1, "GET /" + std::string(300, 'x'));
  const std::string cut_line = format_line(span, Style{.cut_lines = true, .width = 90});
  EXPECT_EQ(columns(cut_line), 91);  // and the line end
  EXPECT_THAT(format_line(span, Style{}), HasSubstr(std::string(300, 'x')));
}

TEST(ConsoleTree, ChildrenHangUnderTheirParentInOrderOfTimeWithBarsToScale) {
  const Trace trace = {span_of(3, 1, 60, 90), span_of(2, 1, 10, 50), span_of(1, 0, 0, 100), span_of(4, 2, 20, 30)};
  const auto lines = lines_of(format_tree(trace, Style{}));
  ASSERT_EQ(lines.size(), 6U) << "heading, four spans, an empty line";
  EXPECT_THAT(lines[0], HasSubstr("4 spans  1 service"));
  EXPECT_THAT(lines[1], HasSubstr("  ← shop"));
  EXPECT_THAT(lines[2], HasSubstr("├ ← shop"));
  EXPECT_THAT(lines[3], HasSubstr("│ └ ← shop"));
  EXPECT_THAT(lines[4], HasSubstr("└ ← shop"));
  const auto cells = [](const std::string& line) {
    int count = 0;
    for (size_t at = line.find("━"); at != std::string::npos; at = line.find("━", at + 1)) ++count;
    return count;
  };
  EXPECT_NEAR(cells(lines[2]), cells(lines[1]) * 4 / 10, 1);
  EXPECT_NEAR(cells(lines[3]), cells(lines[1]) / 10, 1);
  for (const std::string& line : lines) EXPECT_LE(columns(line), 100);
}

TEST(ConsoleTree, OrphansAndCirclesAreShownToo) {
  const std::string orphan = format_tree({span_of(2, 9, 0, 10), span_of(3, 2, 1, 5)}, Style{});
  EXPECT_THAT(orphan, HasSubstr("┄ ← shop"));
  const Trace circle = {span_of(2, 3, 0, 10), span_of(3, 2, 1, 5), span_of(4, 4, 1, 2)};
  EXPECT_EQ(lines_of(format_tree(circle, Style{})).size(), 5U);
}

TEST(ConsoleTree, VeryDeepTracesStayInTheirColumns) {
  Trace trace;
  for (uint8_t i = 1; i <= 200; ++i) trace.push_back(span_of(i, static_cast<uint8_t>(i - 1), i, 400 - i));
  const auto lines = lines_of(format_tree(trace, Style{}));
  EXPECT_EQ(lines.size(), 202U);
  for (const std::string& line : lines) EXPECT_LE(columns(line), 130) << line;
}

TEST(ConsoleTree, AsciiStyleUsesNothingElse) {
  for (char c : format_tree({span_of(1, 0, 0, 10), span_of(2, 1, 1, 5), span_of(3, 1, 6, 7)}, Style{.unicode = false}))
    EXPECT_LT(static_cast<unsigned char>(c), 0x80);
}

TEST(ConsoleTraces, TraceIsReadySoonAfterItsRootAndLaterWithoutOne) {
  Traces traces;
  const Traces::TimePoint start{};
  traces.add(span_of(2, 1, 0, 1), start);
  EXPECT_TRUE(traces.take_ready(start + 400ms).empty());
  traces.add(span_of(1, 0, 0, 1), start + 400ms);
  EXPECT_TRUE(traces.take_ready(start + 500ms).empty());
  EXPECT_EQ(traces.take_ready(start + 700ms).size(), 1U);
  traces.add(span_of(2, 1, 0, 1), start + 1s);
  EXPECT_TRUE(traces.take_ready(start + 2s).empty());
  EXPECT_EQ(traces.take_ready(start + 2500ms).size(), 1U);
  EXPECT_EQ(traces.span_count(), 0U);
}

TEST(ConsoleTraces, TraceThatNeverEndsIsShownByItsAgeAndMemoryIsBounded) {
  Traces traces({.spans = 100});
  const Traces::TimePoint start{};
  for (int i = 0; i < 50; ++i) traces.add(span_of(2, 1, 0, 1), start + i * 250ms);
  EXPECT_EQ(traces.take_ready(start + 12'300ms).size(), 1U);
  for (uint8_t i = 0; i < 200; ++i) {
    Summary span = span_of(2, 1, 0, 1);
    span.trace_id[1] = i;
    traces.add(span, start);
    (void)traces.take_ready(start);
    EXPECT_LE(traces.span_count(), 100U);
  }
}

std::string run_through_pipe(Options::Format format, Bench& bench, size_t spans) {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  auto exporter = make_console_exporter({.format = format, .fd = ends[1], .style = {}}, bench.wiring());
  exporter->submit(batch_of(spans));
  exporter->shutdown(5s);
  close(ends[1]);
  std::string text(1 << 16, '\0');
  const ssize_t got = read(ends[0], text.data(), text.size());
  close(ends[0]);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  return text;
}

TEST(Console, ShutdownShowsWhatIsHeldInEitherFormat) {
  Bench bench;
  EXPECT_EQ(lines_of(run_through_pipe(Options::Format::kLine, bench, 10)).size(), 10U);
  EXPECT_EQ(bench.spans("console", "exported"), 10U);
  EXPECT_EQ(lines_of(run_through_pipe(Options::Format::kTree, bench, 10)).size(), 14U);
  EXPECT_EQ(bench.spans("console", "exported"), 20U);
}

TEST(Console, ReaderThatGoesIsToldOnce) {
  Bench bench;
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  auto exporter = make_console_exporter({.format = Options::Format::kLine, .fd = ends[1], .style = {}}, bench.wiring());
  close(ends[0]);
  exporter->submit(batch_of(10));
  ASSERT_TRUE(eventually([&] { return bench.lost("console", "reader_gone") == 10; }));
  exporter->shutdown(1s);
  close(ends[1]);
  EXPECT_EQ(bench.readers_gone(), 1);
}

TEST(ConsoleStyle, ColoursOnlyOnATerminalAndNotWithNoColor) {
  std::map<std::string, std::string> variables = {{"TERM", "xterm"}, {"LANG", "de_DE.UTF-8"}};
  const auto lookup = [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
  int terminal = -1;
  int other = -1;
  const winsize size{.ws_row = 24, .ws_col = 133, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(openpty(&other, &terminal, nullptr, nullptr, &size), 0);
  Style style = detect_style(terminal, lookup);
  EXPECT_TRUE(style.colours);
  EXPECT_TRUE(style.unicode);
  EXPECT_TRUE(style.cut_lines);
  EXPECT_EQ(style.width, 133);
  variables["NO_COLOR"] = "1";
  EXPECT_FALSE(detect_style(terminal, lookup).colours);
  variables = {{"TERM", "dumb"}, {"LC_ALL", "C"}};
  EXPECT_FALSE(detect_style(terminal, lookup).colours);
  EXPECT_FALSE(detect_style(terminal, lookup).unicode);
  close(terminal);
  close(other);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  variables = {{"TERM", "xterm"}};
  style = detect_style(ends[1], lookup);
  EXPECT_FALSE(style.colours);
  EXPECT_FALSE(style.cut_lines);
  EXPECT_TRUE(style.unicode) << "a container without locale can show it";
  EXPECT_EQ(style.width, 100);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace clew::exporter::console
