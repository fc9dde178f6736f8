// SPDX-License-Identifier: Apache-2.0
// An ordered list of OpenTelemetry attributes in one allocation: entries, and behind them an arena for all text.
// It is built once per span, at up to a hundred thousand spans a second, hence no string per value.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace clew::base {

/// The name of an attribute as a literal, so that it need not be copied; printable ASCII, so that no encoding has to escape it.
struct Key {
  static constexpr size_t kLengthMax = 64;
  template <size_t N>
  consteval Key(const char (&literal)[N]) : text(literal, N - 1) {
    if (N - 1 > kLengthMax) throw "a key that is too long";  // does not compile
    for (char c : text)
      if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') throw "a key that would have to be escaped";  // does not compile
  }
  std::string_view text;
};

/// A copy shares the memory of its original, also with another thread; once it is added to it moves to memory of its own.
class Attributes {
 public:
  enum class Type : uint8_t { kString, kInt, kDouble, kBool, kStringArray };

  /// One attribute as read back. Views live as long as the list is neither changed nor moved.
  /// `text` is for kString, `integer` for kInt and kBool, `number` for kDouble. A kStringArray is read through array().
  struct View {
    std::string_view key;
    bool has_literal_key;  // it was given as a Key
    Type type;
    std::string_view text;
    int64_t integer;
    double number;
  };

  Attributes() = default;
  Attributes(const Attributes& other);
  Attributes(Attributes&& other) noexcept { swap(other); }
  Attributes& operator=(Attributes other) noexcept {
    swap(other);
    return *this;
  }
  ~Attributes() { release(); }

  void add(Key key, std::string_view value) { push(key, Type::kString, store(value).bits()); }
  void add(Key key, const char* value) { add(key, std::string_view(value)); }
  void add(Key key, int64_t value) { push(key, Type::kInt, static_cast<uint64_t>(value)); }
  void add(Key key, int value) { add(key, static_cast<int64_t>(value)); }
  void add(Key key, uint32_t value) { add(key, static_cast<int64_t>(value)); }
  void add(Key key, uint64_t value) { add(key, static_cast<int64_t>(value)); }
  void add(Key key, double value) { push(key, Type::kDouble, std::bit_cast<uint64_t>(value)); }
  void add(Key key, bool value) { push(key, Type::kBool, value ? 1 : 0); }
  void add(Key key, const std::vector<std::string_view>& values);

  /// The same with a name that is known only at run time (OTEL_RESOURCE_ATTRIBUTES): the name is copied.
  void add_named(std::string_view key, std::string_view value);
  void add_named(std::string_view key, const char* value) { add_named(key, std::string_view(value)); }
  void add_named(std::string_view key, int64_t value);
  void add_named(std::string_view key, bool value);
  void add_named(std::string_view key, double value);
  void add_named(std::string_view key, const std::vector<std::string_view>& values);

  /// Room for that many in all.
  void reserve(size_t entries, size_t text_bytes) {
    if (entries > entries_max_ || text_bytes > text_max_) grow(entries, text_bytes);
  }
  /// There are copies of it: the same attributes will probably come again.
  bool is_shared() const { return block_ != nullptr && block_->owners.load(std::memory_order_relaxed) > 1; }
  /// It is a copy of `other`, or the other way round, and neither was added to since.
  bool is_same_as(const Attributes& other) const {
    return block_ == other.block_ && entry_count_ == other.entry_count_ && text_size_ == other.text_size_;
  }
  /// Where its memory lies: equal for copies; after the last of them is gone it may be that of others.
  const void* address() const { return block_; }
  size_t size() const { return entry_count_; }
  bool empty() const { return entry_count_ == 0; }
  View operator[](size_t index) const {
    const Entry& entry = entries()[index];
    return {
        .key = entry.has_literal_key ? std::string_view(entry.literal_key, entry.key_length) : slice({entry.key_offset, entry.key_length}),
        .has_literal_key = entry.has_literal_key,
        .type = entry.type,
        .text = entry.type == Type::kString ? slice(Slice::from_bits(entry.value)) : std::string_view(),
        .integer = static_cast<int64_t>(entry.value),
        .number = std::bit_cast<double>(entry.value)};
  }
  std::vector<std::string_view> array(size_t index) const;
  /// The index of the first attribute of that name, or size().
  size_t find(std::string_view key) const;
  /// Of all that is text in it, but literal keys.
  size_t text_bytes() const { return text_size_; }
  /// All that lies outside of this object.
  size_t memory_bytes() const { return entry_count_ * sizeof(Entry) + text_size_; }

 private:
  struct Slice {
    uint32_t offset;
    uint32_t length;
    uint64_t bits() const { return uint64_t{offset} << 32U | length; }
    static Slice from_bits(uint64_t bits) { return {static_cast<uint32_t>(bits >> 32U), static_cast<uint32_t>(bits)}; }
  };
  struct Entry {
    union {
      const char* literal_key;
      uint32_t key_offset;  // in the arena
    };
    uint64_t value;  // as bits: a number, or a Slice. kStringArray: of the values, each followed by a NUL
    uint32_t key_length;
    Type type;
    bool has_literal_key;
  };
  static_assert(std::is_trivially_copyable_v<Entry> && sizeof(Entry) == 24);
  /// Before `entries_laid_out` entries and the text.
  struct Block {
    std::atomic<uint32_t> owners;
    uint32_t entries_laid_out;
  };
  static_assert(sizeof(Block) % alignof(Entry) == 0);

  void push(Key key, Type type, uint64_t value) {
    Entry& entry = push(type, value);
    entry.literal_key = key.text.data();
    entry.key_length = static_cast<uint32_t>(key.text.size());
    entry.has_literal_key = true;
  }
  void push_named(std::string_view key, Type type, uint64_t value);
  /// An entry without a key.
  Entry& push(Type type, uint64_t value) {
    if (entry_count_ == entries_max_) grow(entry_count_ + 1, text_size_);
    Entry& entry = entries()[entry_count_++];
    entry.type = type;
    entry.value = value;
    return entry;
  }
  Slice store_array(const std::vector<std::string_view>& values);
  /// `value` is none of this list's own text.
  Slice store(std::string_view value) {
    if (text_max_ - text_size_ < value.size()) grow(entry_count_, text_size_ + value.size());
    if (!value.empty()) std::memcpy(text() + text_size_, value.data(), value.size());
    const Slice stored{text_size_, static_cast<uint32_t>(value.size())};
    text_size_ += stored.length;
    return stored;
  }
  std::string_view slice(Slice s) const { return {text() + s.offset, s.length}; }
  /// Room for at least so many entries and bytes in all, and at least twice of what has run out.
  void grow(size_t entries, size_t text_bytes);
  void swap(Attributes& other) noexcept {
    std::swap(block_, other.block_);
    std::swap(entry_count_, other.entry_count_);
    std::swap(entries_max_, other.entries_max_);
    std::swap(text_size_, other.text_size_);
    std::swap(text_max_, other.text_max_);
  }

  static Block* allocate(size_t entries, size_t text_bytes);
  void release() {
    if (block_ != nullptr && block_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) ::operator delete(block_);
  }
  Entry* entries() const { return reinterpret_cast<Entry*>(block_ + 1); }
  char* text() const { return reinterpret_cast<char*>(entries() + block_->entries_laid_out); }

  Block* block_ = nullptr;
  uint32_t entry_count_ = 0;
  uint32_t entries_max_ = 0;  // that this list may have here: a copy has no room, so that at most one list adds to a block
  uint32_t text_size_ = 0;
  uint32_t text_max_ = 0;
};

}  // namespace clew::base
