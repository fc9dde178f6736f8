// SPDX-License-Identifier: Apache-2.0
#include "verifier.h"

#include <algorithm>
#include <cstring>

namespace torture {
namespace {

constexpr std::string_view kShape = "traceparent: 00-hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh-hhhhhhhhhhhhhhhh-hh\r\n";
static_assert(kShape.size() == kLineSize);

bool fits(char c, size_t at) {
  // The h that belong to the id fields lie behind "traceparent: 00-"; the name has one of its own nowhere.
  return kShape[at] == 'h' ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') : c == kShape[at];
}

}  // namespace

bool well_formed(std::string_view line) {
  if (line.size() != kLineSize) return false;
  for (size_t i = 0; i < kLineSize; ++i)
    if (!fits(line[i], i)) return false;
  return line.substr(16, 32).find_first_not_of('0') != line.npos && line.substr(49, 16).find_first_not_of('0') != line.npos;
}

Verifier::Verifier(const Plan& plan) : plan_(plan) {
  if (plan_.items != 0) item_ = make_item(plan_, 0);
}

void Verifier::next() {
  ++index_;
  at_ = 0;
  decided_ = injected_ = interim_done_ = false;
  line_.clear();
  item_ = index_ < plan_.items ? make_item(plan_, index_) : Item{};
}

std::optional<Verifier::Step> Verifier::fail(std::string what, std::string_view got) {
  mismatch_ = {
      std::move(what), index_, read_, at_, item_.bytes.substr(std::min(at_, item_.bytes.size()), 48), std::string(got.substr(0, 120))};
  return std::nullopt;
}

// Takes bytes of the line; false: it is not well-formed.
bool Verifier::collect(std::string_view data, Step& step) {
  while (step.used < data.size() && line_.size() < kLineSize) {
    if (!fits(data[step.used], line_.size())) return false;
    line_ += data[step.used++];
    ++read_;
  }
  if (line_.size() < kLineSize) return true;
  collecting_ = false;
  injected_ = true;
  return well_formed(line_);
}

std::optional<Verifier::Step> Verifier::feed(std::string_view data) {
  Step step;
  if (index_ >= plan_.items) return fail("bytes behind the last request", data);
  while (step.used < data.size()) {
    if (at_ == item_.insert_at && !decided_) {
      decided_ = true;
      collecting_ = data[step.used] == 't';
    }
    if (collecting_) {
      const size_t from = step.used;
      if (!collect(data, step)) return fail("a malformed line", data.substr(from));
      continue;
    }
    size_t limit = item_.bytes.size();
    if (!decided_) limit = std::min(limit, item_.insert_at);
    if (!interim_done_) limit = std::min(limit, item_.interim_at);
    const size_t n = std::min(limit - at_, data.size() - step.used);
    const char* want = item_.bytes.data() + at_;
    const char* got = data.data() + step.used;
    if (std::memcmp(want, got, n) != 0) {
      const size_t same = static_cast<size_t>(std::mismatch(want, want + n, got).first - want);
      at_ += same;
      read_ += same;
      const std::string_view rest = data.substr(step.used + same);
      return fail(rest.substr(0, 200).find("traceparent: 00-") == 0 ? "a line where none may be" : "other bytes", rest);
    }
    at_ += n;
    read_ += n;
    step.used += n;
    if (at_ == item_.interim_at && !interim_done_) {
      interim_done_ = step.interim = true;
      return step;
    }
    if (at_ == item_.bytes.size()) {
      step.complete = true;
      step.injected = injected_;
      if (injected_) {
        step.trace_id = line_.substr(16, 32);
        step.parent_id = line_.substr(49, 16);
      }
      return step;
    }
  }
  return step;
}

bool Verifier::finish() {
  if (index_ >= plan_.items || plan_.cut_short()) return true;
  fail("the connection ended", "");
  return false;
}

}  // namespace torture
