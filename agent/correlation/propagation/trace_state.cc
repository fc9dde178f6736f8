// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/trace_state.h"

#include <algorithm>
#include <expected>

#include "agent/correlation/propagation/characters.h"

namespace clew::correlation::propagation {
namespace {

constexpr size_t kKeyMax = 256;
constexpr size_t kTenantMax = 241;
constexpr size_t kSystemMax = 14;
constexpr size_t kValueMax = 256;
/// Longer members are the first to go when the list is too long.
constexpr size_t kLargeMember = 128;

bool is_key_character(char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '*' || c == '/'; }

bool is_identifier(std::string_view text, size_t max, bool digit_may_begin) {
  if (text.empty() || text.size() > max) return false;
  return (is_lower(text.front()) || (digit_may_begin && is_digit(text.front()))) && std::all_of(text.begin(), text.end(), is_key_character);
}

bool is_key(std::string_view text) {
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return is_identifier(text, kKeyMax, true);
  return is_identifier(text.substr(0, at), kTenantMax, true) && is_identifier(text.substr(at + 1), kSystemMax, false);
}

/// Without the spaces behind it; those in front are a part of it.
bool is_value(std::string_view text) {
  return !text.empty() && text.size() <= kValueMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != '='; });
}

struct Member {
  std::string_view text;
  std::string_view key;
};

class MemberList {
 public:
  /// Why the list is none, or nothing.
  std::optional<Reason> add(std::string_view text) {
    const size_t equals = text.find('=');
    const std::string_view key = text.substr(0, equals);
    if (equals == std::string_view::npos || !is_key(key)) return Reason::kTraceStateKey;
    if (!is_value(text.substr(equals + 1))) return Reason::kTraceStateValue;
    if (seen_++ == kTraceStateMembersMax) return Reason::kTraceStateMembers;
    // The first is the newest: whoever changes a member moves it to the front.
    const auto end = members_.begin() + count_;
    if (std::any_of(members_.begin(), end, [&](const Member& member) { return member.key == key; })) {
      repeated_ = true;
      return std::nullopt;
    }
    members_[count_++] = {text, key};
    bytes_ += text.size() + (count_ > 1 ? 1 : 0);
    return std::nullopt;
  }

  /// Removes whole members from the end, first large ones only. Is false when there was no need.
  bool cut() {
    if (bytes_ <= kTraceStateMax) return false;
    for (const size_t longer_than : {kLargeMember, size_t{0}})
      for (size_t i = count_; i-- > 0 && bytes_ > kTraceStateMax;)
        if (members_[i].text.size() > longer_than) remove(i);
    return true;
  }

  bool repeated() const { return repeated_; }

  std::string join() const {
    std::string text;
    text.reserve(bytes_);
    for (size_t i = 0; i < count_; ++i) text.append(i == 0 ? "" : ",").append(members_[i].text);
    return text;
  }

 private:
  void remove(size_t index) {
    bytes_ -= members_[index].text.size() + (count_ > 1 ? 1 : 0);
    std::move(members_.begin() + index + 1, members_.begin() + count_, members_.begin() + index);
    --count_;
  }

  std::array<Member, kTraceStateMembersMax> members_;
  size_t count_ = 0;
  size_t seen_ = 0;
  size_t bytes_ = 0;  // when joined
  bool repeated_ = false;
};

}  // namespace

TraceState read_trace_state(const HeaderValues& headers) {
  TraceState state;
  if (headers.trace_state().empty()) return state;
  if (headers.trace_state_overflow()) {
    state.reasons.add(Reason::kTraceStateMembers);
    return state;
  }
  MemberList members;
  for (std::string_view line : headers.trace_state()) {
    while (line.data() != nullptr) {
      const std::string_view text = trim(take_until(line, ','));
      if (text.empty()) continue;
      if (const auto reason = members.add(text)) {
        state.reasons.add(*reason);
        return state;
      }
    }
  }
  if (members.repeated()) state.reasons.add(Reason::kTraceStateDuplicateKey);
  if (members.cut()) state.reasons.add(Reason::kTraceStateCut);
  state.text = members.join();
  return state;
}

}  // namespace clew::correlation::propagation
