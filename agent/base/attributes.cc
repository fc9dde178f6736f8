// SPDX-License-Identifier: Apache-2.0
#include "agent/base/attributes.h"

#include <algorithm>
#include <new>

namespace clew::base {

Attributes::Attributes(const Attributes& other)
    : block_(other.block_),
      entry_count_(other.entry_count_),
      entries_max_(other.entry_count_),
      text_size_(other.text_size_),
      text_max_(other.text_size_) {
  if (block_ != nullptr) block_->owners.fetch_add(1, std::memory_order_relaxed);
}

Attributes::Block* Attributes::allocate(size_t entries, size_t text_bytes) {
  void* const memory = ::operator new(sizeof(Block) + entries * sizeof(Entry) + text_bytes);
  return new (memory) Block{1, static_cast<uint32_t>(entries)};
}

void Attributes::grow(size_t entries, size_t text_bytes) {
  if (block_ != nullptr && entries > entries_max_) entries = std::max<size_t>(entries, entries_max_ * size_t{2});
  if (block_ != nullptr && text_bytes > text_max_) text_bytes = std::max<size_t>(text_bytes, text_max_ * size_t{2});
  entries = std::max<size_t>(entries, entries_max_);
  text_bytes = std::max<size_t>(text_bytes, text_max_);
  Attributes larger;
  larger.block_ = allocate(entries, text_bytes);
  if (block_ != nullptr) {
    std::memcpy(larger.entries(), this->entries(), entry_count_ * sizeof(Entry));
    std::memcpy(larger.text(), text(), text_size_);
  }
  std::swap(block_, larger.block_);
  entries_max_ = static_cast<uint32_t>(entries);
  text_max_ = static_cast<uint32_t>(text_bytes);
}

Attributes::Slice Attributes::store_array(const std::vector<std::string_view>& values) {
  const uint32_t offset = text_size_;
  for (std::string_view value : values) {
    store(value);
    store({"", 1});
  }
  return {offset, text_size_ - offset};
}

void Attributes::push_named(std::string_view key, Type type, uint64_t value) {
  const Slice stored = store(key);
  Entry& entry = push(type, value);
  entry.key_offset = stored.offset;
  entry.key_length = stored.length;
  entry.has_literal_key = false;
}

void Attributes::add(Key key, const std::vector<std::string_view>& values) { push(key, Type::kStringArray, store_array(values).bits()); }

void Attributes::add_named(std::string_view key, std::string_view value) { push_named(key, Type::kString, store(value).bits()); }
void Attributes::add_named(std::string_view key, int64_t value) { push_named(key, Type::kInt, static_cast<uint64_t>(value)); }
void Attributes::add_named(std::string_view key, bool value) { push_named(key, Type::kBool, value ? 1 : 0); }
void Attributes::add_named(std::string_view key, double value) { push_named(key, Type::kDouble, std::bit_cast<uint64_t>(value)); }
void Attributes::add_named(std::string_view key, const std::vector<std::string_view>& values) {
  push_named(key, Type::kStringArray, store_array(values).bits());
}

std::vector<std::string_view> Attributes::array(size_t index) const {
  std::vector<std::string_view> values;
  std::string_view rest = slice(Slice::from_bits(entries()[index].value));
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    values.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return values;
}

size_t Attributes::find(std::string_view key) const {
  for (size_t i = 0; i < size(); ++i)
    if ((*this)[i].key == key) return i;
  return size();
}

}  // namespace clew::base
