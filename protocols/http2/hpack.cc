// SPDX-License-Identifier: Apache-2.0
// Instructions of a header block, and the table that they build.
#include "protocols/http2/hpack.h"

#include <algorithm>
#include <cstring>

#include "protocols/http2/huffman.h"
#include "protocols/http2/static_table.h"

namespace clew::protocols::http2 {
namespace {

constexpr uint32_t kEntryOverhead = 32;  // RFC 7541 §4.1
constexpr size_t kRingMin = 16;          // a power of two

}  // namespace

void HpackDecoder::forget() {
  is_complete_ = false;
  entries_.clear();
  next_ = count_ = 0;
  table_bytes_ = 0;
  kept_bytes_ = 0;
  table_bytes_max_ = kTableBytesMax;  // its size is not known either; too many entries do no harm
}

std::string_view HpackDecoder::decode(std::string_view block, Visitor& visitor) {
  const std::string_view reason = read_block(block, visitor);
  if (text_.capacity() > kSpareBytesMax) std::string().swap(text_);
  return reason;
}

std::string_view HpackDecoder::read_block(std::string_view block, Visitor& visitor) {
  bool may_resize = true;
  for (std::string_view rest = block; !rest.empty();) {
    const auto first = static_cast<uint8_t>(rest.front());
    uint64_t index = 0;
    if ((first & 0x80U) != 0) {
      if (!read_integer(rest, 7, index)) return "bad_hpack_integer";
      if (index == 0) return "bad_hpack_index";
      if (index <= kStaticTable.size()) {
        const StaticEntry& known = kStaticTable[index - 1];
        if (is_wanted_(known.name)) visitor.field({known.name, known.value});
      } else if (const Entry* const found = entry(index)) {
        if (found->is_wanted || !found->is_name_known) visitor.field(found->field());
      } else {
        if (is_complete_) return "bad_hpack_index";
        visitor.field({.is_name_known = false, .is_value_known = false});
      }
    } else if ((first & 0xe0U) == 0x20) {
      if (!read_integer(rest, 5, index)) return "bad_hpack_integer";
      if (!may_resize) return "late_hpack_resize";
      if (const std::string_view reason = resize(index); !reason.empty()) return reason;
      continue;
    } else {
      const bool inserts = (first & 0x40U) != 0;
      text_.clear();
      if (!read_integer(rest, inserts ? 6 : 4, index)) return "bad_hpack_integer";
      HpackField field;
      if (!read_name(rest, index, field)) return "bad_hpack_name";
      if (!read_string(rest, field.value)) return "bad_hpack_string";
      if (!field.is_name_known || is_wanted_(field.name)) visitor.field(field);
      if (inserts) insert(field);
    }
    may_resize = false;
  }
  return {};
}

bool HpackDecoder::read_integer(std::string_view& rest, unsigned prefix_bits, uint64_t& value) const {
  const uint64_t mask = (1U << prefix_bits) - 1;
  value = static_cast<uint8_t>(rest.front()) & mask;
  rest.remove_prefix(1);
  if (value < mask) return true;
  for (unsigned shift = 0; shift < 35 && !rest.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest.front());
    rest.remove_prefix(1);
    value += uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) return value <= UINT32_MAX;
  }
  return false;
}

bool HpackDecoder::read_string(std::string_view& rest, std::string_view& value) {
  if (rest.empty()) return false;
  const bool is_huffman = (static_cast<uint8_t>(rest.front()) & 0x80U) != 0;
  uint64_t length = 0;
  if (!read_integer(rest, 7, length) || length > rest.size()) return false;
  value = rest.substr(0, length);
  rest.remove_prefix(length);
  if (!is_huffman) return true;
  const size_t begin = text_.size();
  if (!decode_huffman(value, text_)) return false;
  value = std::string_view(text_).substr(begin);
  return true;
}

// `index` 0: it stands here.
bool HpackDecoder::read_name(std::string_view& rest, uint64_t index, HpackField& field) {
  const auto make_room = [&](size_t name_length) { text_.reserve(name_length + rest.size() / 5 * 8 + 16); };
  if (index == 0) {
    make_room(0);
    return read_string(rest, field.name);
  }
  if (index <= kStaticTable.size()) {
    make_room(0);
    field.name = kStaticTable[index - 1].name;
    return true;
  }
  const Entry* const found = entry(index);
  if (found == nullptr) {
    make_room(0);
    field.is_name_known = false;
    return !is_complete_;
  }
  field.is_name_known = found->is_name_known;
  // A copy: the entry may be evicted by what it is the name of. Unwanted names are empty, and remain unwanted.
  make_room(found->name_length);
  text_.assign(found->text.get(), found->name_length);
  field.name = text_;
  return true;
}

const HpackDecoder::Entry* HpackDecoder::entry(uint64_t index) const {
  const uint64_t age = index - kStaticTable.size() - 1;  // 0: the latest
  if (age >= count_) return nullptr;
  return &entries_[(next_ - 1 - age) & (entries_.size() - 1)];
}

void HpackDecoder::insert(const HpackField& field) {
  const uint64_t size = field.name.size() + field.value.size() + kEntryOverhead;
  if (size > table_bytes_max_) return evict(0);  // RFC 7541 §4.4: it empties the table
  evict(table_bytes_max_ - static_cast<uint32_t>(size));
  if (count_ == entries_.size()) {
    std::vector<Entry> larger(std::max(kRingMin, 2 * entries_.size()));
    for (size_t i = 0; i < count_; ++i) larger[i] = std::move(entries_[(next_ - count_ + i) & (entries_.size() - 1)]);
    entries_ = std::move(larger);
    next_ = count_;
  }
  Entry& entry = entries_[next_ & (entries_.size() - 1)];
  entry = {};
  entry.is_name_known = field.is_name_known;
  entry.is_wanted = field.is_name_known && is_wanted_(field.name);
  entry.size = static_cast<uint32_t>(size);
  if (entry.is_wanted || !entry.is_name_known) {
    entry.name_length = static_cast<uint32_t>(field.name.size());
    entry.value_length = static_cast<uint32_t>(field.value.size());
    entry.text = std::make_unique<char[]>(field.name.size() + field.value.size());
    std::copy(field.name.begin(), field.name.end(), entry.text.get());
    std::copy(field.value.begin(), field.value.end(), entry.text.get() + field.name.size());
  }
  kept_bytes_ += entry.kept();
  table_bytes_ += entry.size;
  next_ = (next_ + 1) & (entries_.size() - 1);
  ++count_;
}

// Until not more than so many bytes are left.
void HpackDecoder::evict(uint32_t table_bytes) {
  while (count_ > 0 && table_bytes_ > table_bytes) {
    Entry& oldest = entries_[(next_ - count_) & (entries_.size() - 1)];
    table_bytes_ -= oldest.size;
    kept_bytes_ -= oldest.kept();
    oldest = {};
    --count_;
  }
}

std::string_view HpackDecoder::resize(uint64_t table_bytes) {
  if (is_complete_ && table_bytes > allowed_) return "hpack_table_too_large";
  if (table_bytes > kTableBytesMax) {
    is_complete_ = false;  // entries that are not kept will be unknown
    table_bytes = kTableBytesMax;
  }
  table_bytes_max_ = static_cast<uint32_t>(table_bytes);
  evict(table_bytes_max_);
  return {};
}

}  // namespace clew::protocols::http2
