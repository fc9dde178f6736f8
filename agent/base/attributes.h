// SPDX-License-Identifier: Apache-2.0
// An ordered list of OpenTelemetry attributes in two allocations: entries, and one arena for all text.
// It is built once per span, at up to a hundred thousand spans a second, hence no string per value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace clew::base {

/// The name of an attribute as a literal, so that it need not be copied.
struct Key {
  template <size_t N>
  consteval Key(const char (&literal)[N]) : text(literal, N - 1) {}
  std::string_view text;
};

class Attributes {
 public:
  enum class Type : uint8_t { kString, kInt, kDouble, kBool, kStringArray };

  /// One attribute as read back. Views live as long as the list is neither changed nor moved.
  /// `text` is set for kString; `integer` for kInt and kBool; `number` for kDouble. A kStringArray is read through array().
  struct View {
    std::string_view key;
    Type type;
    std::string_view text;
    int64_t integer;
    double number;
  };

  void add(Key key, std::string_view value) { push(key, Type::kString).text = store(value); }
  void add(Key key, const char* value) { add(key, std::string_view(value)); }
  void add(Key key, int64_t value) { push(key, Type::kInt).integer = value; }
  void add(Key key, int value) { add(key, static_cast<int64_t>(value)); }
  void add(Key key, uint32_t value) { add(key, static_cast<int64_t>(value)); }
  void add(Key key, uint64_t value) { add(key, static_cast<int64_t>(value)); }
  void add(Key key, double value) { push(key, Type::kDouble).number = value; }
  void add(Key key, bool value) { push(key, Type::kBool).integer = value ? 1 : 0; }
  void add(Key key, const std::vector<std::string_view>& values);

  /// The same with a name that is known only at run time (OTEL_RESOURCE_ATTRIBUTES): the name is copied.
  void add_named(std::string_view key, std::string_view value);
  void add_named(std::string_view key, const char* value) { add_named(key, std::string_view(value)); }
  void add_named(std::string_view key, int64_t value);
  void add_named(std::string_view key, bool value);
  void add_named(std::string_view key, double value);
  void add_named(std::string_view key, const std::vector<std::string_view>& values);

  void reserve(size_t entries, size_t text_bytes) {
    entries_.reserve(entries);
    text_.reserve(text_bytes);
  }
  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  View operator[](size_t index) const;
  std::vector<std::string_view> array(size_t index) const;
  /// The index of the first attribute of that name, or size().
  size_t find(std::string_view key) const;
  /// Bytes held, for bounds on queues.
  size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry) + text_.capacity(); }

 private:
  struct Slice {
    uint32_t offset;
    uint32_t length;
  };
  struct Entry {
    const char* literal_key;  // null: the key lies in the arena
    Slice key;                // with a literal key only its length counts
    Type type;
    union {
      Slice text;  // kStringArray: the values, each followed by a NUL
      int64_t integer;
      double number;
    };
  };

  Entry& push(Key key, Type type) {
    Entry& entry = entries_.emplace_back();
    entry.literal_key = key.text.data();
    entry.key = {0, static_cast<uint32_t>(key.text.size())};
    entry.type = type;
    entry.integer = 0;
    return entry;
  }
  Entry& push_named(std::string_view key, Type type);
  Slice store_array(const std::vector<std::string_view>& values);
  Slice store(std::string_view value) {
    const Slice slice{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(value.size())};
    text_.append(value);
    return slice;
  }
  std::string_view slice(Slice s) const { return std::string_view(text_).substr(s.offset, s.length); }

  std::vector<Entry> entries_;
  std::string text_;
};

}  // namespace clew::base
