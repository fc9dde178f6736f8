// SPDX-License-Identifier: Apache-2.0
// The head of a message, kept until its exchange is a span, and longer where the same bytes may come again.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace clew::protocols {

/// As one protocol sees it. The parser that made it turns it (and the head of the answer) into a span through Protocol::describe();
/// nobody else looks inside. It does not change any more once it is handed out.
class Head {
 public:
  virtual ~Head() = default;
  /// Of this one, with its text.
  virtual size_t memory_bytes() const = 0;

 protected:
  Head() = default;

 private:
  friend class HeadPointer;
  mutable uint32_t owners_ = 0;
};

/// Shares the ownership of a head among the parser, its exchanges and whoever compares them: all in one thread, hence no atomics.
class HeadPointer {
 public:
  HeadPointer() = default;
  HeadPointer(std::nullptr_t) {}  // NOLINT(google-explicit-constructor): as of every pointer
  template <std::derived_from<Head> OneProtocolsHead>
  HeadPointer(std::unique_ptr<OneProtocolsHead> head) : HeadPointer(head.release()) {}  // NOLINT(google-explicit-constructor)
  HeadPointer(const HeadPointer& other) : HeadPointer(other.head_) {}
  HeadPointer(HeadPointer&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
  HeadPointer& operator=(HeadPointer other) noexcept {
    std::swap(head_, other.head_);
    return *this;
  }
  ~HeadPointer() {
    if (head_ != nullptr && --head_->owners_ == 0) delete head_;
  }

  const Head* get() const { return head_; }
  const Head& operator*() const { return *head_; }
  explicit operator bool() const { return head_ != nullptr; }
  /// Others have it, too.
  bool is_shared() const { return head_ != nullptr && head_->owners_ > 1; }
  /// The same head, not an equal one.
  bool operator==(const HeadPointer&) const = default;

 private:
  explicit HeadPointer(const Head* head) : head_(head) {
    if (head_ != nullptr) ++head_->owners_;
  }

  const Head* head_ = nullptr;
};

}  // namespace clew::protocols
