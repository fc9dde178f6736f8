// SPDX-License-Identifier: Apache-2.0
#include "agent/stream/stream.h"

#include <algorithm>

namespace clew::stream {

Stream::Arrival Stream::arrive(uint64_t position, std::string_view bytes, uint64_t advanced_to, uint64_t time_ns) {
  const uint64_t end = std::max(position + bytes.size(), advanced_to);
  if (end <= end_ && end <= position_) return Arrival::kNothingNew;
  end_ = std::max(end_, end);
  time_latest_ = time_ns;

  if (!kept_.empty()) {
    if (bytes.empty()) return Arrival::kInOrder;  // counts once the parser asks to skip
    if (position < shown_end_) {                  // shown twice
      bytes.remove_prefix(std::min<uint64_t>(bytes.size(), shown_end_ - position));
      position = shown_end_;
    }
    if (bytes.empty()) return Arrival::kNothingNew;
    if (position > shown_end_) return Arrival::kHole;
    if (kept() + bytes.size() > kBufferMax) return Arrival::kOverflow;
    compact();
    kept_.append(bytes);
    shown_end_ += bytes.size();
    if (marks_.size() < kMarksMax)
      marks_.push_back({shown_end_, time_ns});
    else
      marks_.back() = {shown_end_, time_ns};
    return Arrival::kInOrder;
  }

  if (skip_ > 0) {
    const uint64_t target = bytes.empty() ? end : position;
    const uint64_t passed = target > position_ ? std::min(skip_, target - position_) : 0;
    if (passed > 0) {
      position_ += passed;
      skipped_ += passed;
      if (skip_ != UINT64_MAX) skip_ -= passed;
      time_of_last_ = time_ns;
    }
  }
  if (position < position_) {
    bytes.remove_prefix(std::min<uint64_t>(bytes.size(), position_ - position));
    position = position_;
  }
  if (bytes.empty()) {
    pass_skipped();
    return skip_ == 0 && end_ > position_ ? Arrival::kHole : Arrival::kInOrder;
  }
  if (position > position_) return Arrival::kHole;
  fresh_ = bytes;
  shown_end_ = position + bytes.size();
  marks_.clear();
  pass_skipped();
  return Arrival::kInOrder;
}

// What is at hand and wanted by nobody; then what is known to have passed behind it.
void Stream::pass_skipped() {
  if (skip_ == 0) return;
  const size_t at_hand = fresh_.size() + kept();
  const uint64_t limit = std::max(end_, position_ + at_hand);
  const uint64_t passed = std::min(skip_, limit - position_);
  if (passed == 0) return;
  const auto dropped = static_cast<size_t>(std::min<uint64_t>(passed, at_hand));
  position_ += passed;
  if (!kept_.empty())
    drop_kept(dropped);
  else
    fresh_.remove_prefix(dropped);
  skipped_ += passed;
  if (skip_ != UINT64_MAX) skip_ -= passed;
  time_of_last_ = time_latest_;
}

std::string_view Stream::available() const {
  if (skip_ > 0) return {};
  return kept_.empty() ? fresh_ : std::string_view(kept_).substr(kept_begin_);
}

uint64_t Stream::time_of_next() const {
  for (const Mark& mark : marks_)
    if (position_ < mark.end) return mark.time_ns;
  return time_latest_;
}

void Stream::consume(size_t bytes) {
  if (bytes == 0) return;
  position_ += bytes;
  if (!kept_.empty()) {
    uint64_t time = time_latest_;
    for (const Mark& mark : marks_)
      if (position_ <= mark.end) {
        time = mark.time_ns;
        break;
      }
    time_of_last_ = time;
    drop_kept(bytes);
  } else {
    time_of_last_ = time_latest_;
    fresh_.remove_prefix(bytes);
  }
}

// `position_` has passed them.
void Stream::drop_kept(size_t bytes) {
  kept_begin_ += bytes;
  if (kept() == 0) {
    kept_.clear();
    kept_begin_ = 0;
    marks_.clear();
    return;
  }
  // Where every piece ends in the middle of a message, there is always something kept.
  const auto open = std::find_if(marks_.begin(), marks_.end(), [&](const Mark& mark) { return position_ < mark.end; });
  marks_.erase(marks_.begin(), open);
}

void Stream::compact() {
  kept_.erase(0, kept_begin_);
  kept_begin_ = 0;
}

void Stream::skip(uint64_t bytes) {
  skip_ = bytes;
  skipped_ = 0;
  pass_skipped();
}

void Stream::restart_at(uint64_t position) {
  position_ = position;
  end_ = std::max(end_, position);
  shown_end_ = position;
  skip_ = 0;
  skipped_ = 0;
  kept_.clear();
  kept_begin_ = 0;
  fresh_ = {};
  marks_.clear();
}

void Stream::forget() {
  std::string().swap(kept_);
  std::vector<Mark>().swap(marks_);
  kept_begin_ = 0;
  fresh_ = {};
}

void Stream::keep_rest() {
  if (kept_.empty() && !fresh_.empty()) {
    kept_.assign(fresh_);
    marks_.assign(1, Mark{shown_end_, time_latest_});
  } else if (kept_.capacity() > 4096 && kept() < kept_.capacity() / 4) {
    compact();
    kept_.shrink_to_fit();
  }
  if (kept_.empty() && marks_.capacity() > 16) marks_.shrink_to_fit();
  fresh_ = {};
}

}  // namespace clew::stream
