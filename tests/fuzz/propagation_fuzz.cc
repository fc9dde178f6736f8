// SPDX-License-Identifier: Apache-2.0
// libFuzzer target over the headers of trace context: whatever stands in a head, the result is sound and stays itself when written again.
// Input: byte 0 says with which propagator the order begins (modulo their number). Then lines as in a head, `name:value`, each ended by LF.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "agent/correlation/propagation/extract.h"
#include "agent/correlation/propagation/traceparent.h"

namespace {

using namespace clew::correlation::propagation;  // NOLINT(google-build-using-namespace): a program, not a header

/// Values in memory of their own and of exactly their length, so that ASan sees a read behind them.
class Head {
 public:
  explicit Head(std::string_view text) {
    while (!text.empty()) {
      const size_t end = text.find('\n');
      add_line(text.substr(0, end));
      text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
  }
  const HeaderValues& values() const { return values_; }

 private:
  void add_line(std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const auto name = recognise(line.substr(0, colon));
    if (!name) return;
    const std::string_view value = line.substr(colon + 1);
    auto& copy = memory_.emplace_back(new char[value.size()]);
    if (!value.empty()) std::memcpy(copy.get(), value.data(), value.size());
    values_.add(*name, {copy.get(), value.size()});
  }

  std::vector<std::unique_ptr<char[]>> memory_;
  HeaderValues values_;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

void check_written_again(const RemoteContext& context) {
  char text[kTraceparentLength];
  format_traceparent(context.trace_id, context.span_id, context.flags, text);
  HeaderValues headers;
  headers.add(HeaderName::kTraceparent, {text, sizeof text});
  headers.add(HeaderName::kTracestate, context.trace_state);
  const ExtractResult again = extract(headers, kDefaultOrder);
  require(again.context.has_value(), "what is written is valid");
  require(again.ignored.empty(), "nothing in it is ignored");
  require(again.context->trace_id == context.trace_id && again.context->span_id == context.span_id, "its ids are the same");
  require(again.context->flags == context.flags, "its flags are the same");
  require(again.context->trace_state == context.trace_state, "its tracestate is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  auto order = kDefaultOrder;
  std::rotate(order.begin(), order.begin() + data[0] % order.size(), order.end());
  const Head head({reinterpret_cast<const char*>(data) + 1, size - 1});
  const ExtractResult result = extract(head.values(), order);

  for (const Ignored& ignored : result.ignored)
    require(!name(ignored.propagator).empty() && !name(ignored.reason).empty(), "reasons have names");
  if (!result.context) {
    require(!result.disagreeing, "nobody disagrees with nothing");
    return 0;
  }
  const RemoteContext& context = *result.context;
  require(context.trace_id != TraceId{} && context.span_id != SpanId{}, "ids are not zero");
  require(context.trace_state.size() <= kTraceStateMax, "tracestate is bounded");
  require(context.trace_state.empty() || context.propagator == Propagator::kTraceContext, "tracestate belongs to traceparent");
  require(result.disagreeing != context.propagator, "nobody disagrees with himself");
  require(result.sampled_only == Sampled::kDeferred, "a context brings its own decision");
  check_written_again(context);

  // Alone it must give the same as in company.
  const ExtractResult alone = extract(head.values(), std::span(&context.propagator, 1));
  require(alone.context == result.context, "a propagator does not depend on others");
  return 0;
}
