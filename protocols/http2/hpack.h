// SPDX-License-Identifier: Apache-2.0
// HPACK, RFC 7541, for somebody who listens: also from the middle of a connection on, where most of the table is not known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace clew::protocols::http2 {

/// Of a header field. Not known is what refers to an entry of the table from before the connection was joined.
struct HpackField {
  std::string_view name{};
  std::string_view value{};
  bool is_name_known = true;
  bool is_value_known = true;
};

/// One direction. Why not libnghttp2's inflater: it knows its table or has to give up. Here an entry that was not seen is unknown, and
/// never another one: an index counts from the latest insertion, so what was inserted since is found whatever stands behind it.
class HpackDecoder {
 public:
  /// Most bytes of a table that are kept, whatever its size is said to be: entries beyond are unknown.
  static constexpr uint32_t kTableBytesMax = 64 * 1024;
  static constexpr uint32_t kTableBytesDefault = 4096;

  /// Is a field of that name asked for? Of the others neither name nor value is kept.
  using IsWanted = bool (*)(std::string_view name);

  HpackDecoder(bool from_start, IsWanted is_wanted) : is_wanted_(is_wanted) {
    if (!from_start) forget();
  }

  /// What to do with the fields that are wanted and with those that are not known, in their order. Views end with the call.
  class Visitor {
   public:
    virtual void field(const HpackField& field) = 0;

   protected:
    ~Visitor() = default;
  };

  /// A whole header block. Returns an empty text, or why it is none, as a literal; the table is not to be relied on then: forget().
  std::string_view decode(std::string_view block, Visitor& visitor);

  /// The receiver has said how large a table may be (SETTINGS_HEADER_TABLE_SIZE). The sender may still use what was said before.
  void allow(uint32_t table_bytes) {
    if (table_bytes > allowed_) allowed_ = table_bytes;
  }
  /// Blocks are missing: what is in the table is not known any more.
  void forget();

  size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry) + kept_bytes_ + text_.capacity(); }

 private:
  struct Entry {
    std::unique_ptr<char[]> text;  // name and value, if wanted
    uint32_t name_length = 0;
    uint32_t value_length = 0;
    bool is_wanted = false;
    bool is_name_known = false;
    uint32_t size = 0;  // as RFC 7541 §4.1 counts
    HpackField field() const { return {{text.get(), name_length}, {text.get() + name_length, value_length}, is_name_known, true}; }
    size_t kept() const { return text ? name_length + value_length : 0; }
  };

  static constexpr size_t kSpareBytesMax = 4096;  // that are kept for the next block

  std::string_view read_block(std::string_view block, Visitor& visitor);
  bool read_integer(std::string_view& rest, unsigned prefix_bits, uint64_t& value) const;
  bool read_string(std::string_view& rest, std::string_view& value);
  bool read_name(std::string_view& rest, uint64_t index, HpackField& field);
  const Entry* entry(uint64_t index) const;
  void insert(const HpackField& field);
  void evict(uint32_t table_bytes);
  std::string_view resize(uint64_t table_bytes);

  IsWanted is_wanted_;
  bool is_complete_ = true;  // every insertion was seen
  uint32_t allowed_ = kTableBytesDefault;
  uint32_t table_bytes_max_ = kTableBytesDefault;
  uint32_t table_bytes_ = 0;
  size_t kept_bytes_ = 0;
  // A ring: the latest entry stands before `next_`.
  std::vector<Entry> entries_;
  size_t next_ = 0;
  size_t count_ = 0;
  std::string text_;  // of the field under way: a name from the table, and what was Huffman coded. Reserved for all, as views point there
};

}  // namespace clew::protocols::http2
