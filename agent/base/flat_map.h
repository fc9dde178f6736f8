// SPDX-License-Identifier: Apache-2.0
// A hash table in one array, for what comes and goes with every request: no allocation per entry, and the next entry lies beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

namespace clew::base {

/// The part of std::unordered_map that is asked for. An insertion or erasure moves entries: pointers and iterators end with it. Grows by
/// two when three quarters full and does not shrink, so whoever owns it bounds size(). Open addressing with linear probing.
template <class Key, class Value, class Hash>
class FlatMap {
 public:
  using Entry = std::pair<Key, Value>;
  using iterator = Entry*;

  size_t size() const { return size_; }
  /// Entries that there is memory for.
  size_t capacity() const { return entries_ == nullptr ? 0 : mask_ + 1; }
  iterator end() const { return nullptr; }
  iterator find(const Key& key) const {
    if (size_ == 0) return nullptr;
    const size_t slot = slot_of(key);
    return used_[slot] ? &entries_[slot] : nullptr;
  }
  bool contains(const Key& key) const { return find(key) != nullptr; }
  Value& operator[](const Key& key) { return try_emplace(key).first->second; }
  /// The entry of that key, and whether it is new: then its value is Value().
  std::pair<iterator, bool> try_emplace(const Key& key) {
    if ((size_ + 1) * 4 > capacity() * 3) grow();
    const size_t slot = slot_of(key);
    if (used_[slot]) return {&entries_[slot], false};
    used_[slot] = true;
    entries_[slot].first = key;
    ++size_;
    return {&entries_[slot], true};
  }
  /// Closes the gap, so that no search ends before its key.
  void erase(iterator entry) {
    auto gap = static_cast<size_t>(entry - entries_.get());
    for (size_t at = next(gap); used_[at]; at = next(at)) {
      const size_t home = home_of(entries_[at].first);
      if (((at - home) & mask_) < ((at - gap) & mask_)) continue;  // it would come to stand before its home
      entries_[gap] = std::move(entries_[at]);
      gap = at;
    }
    entries_[gap] = Entry();
    used_[gap] = false;
    --size_;
  }
  /// Forgets all, and gives the memory back.
  void clear() { *this = {}; }
  template <class Visitor>
  void for_each(Visitor visit) const {
    for (size_t i = 0; i < capacity(); ++i)
      if (used_[i]) visit(entries_[i]);
  }
  /// Erases the entries of which `is_unwanted(entry)`.
  template <class Predicate>
  void erase_if(Predicate is_unwanted) {
    for (size_t i = 0; i < capacity();) {
      if (used_[i] && is_unwanted(entries_[i]))
        erase(&entries_[i]);  // another may have come into its place
      else
        ++i;
    }
  }

 private:
  static constexpr size_t kCapacityMin = 16;

  size_t next(size_t slot) const { return (slot + 1) & mask_; }
  /// Mixed once more: the hash of a number may be the number.
  size_t home_of(const Key& key) const { return static_cast<size_t>(Hash()(key) * 0x9e3779b97f4a7c15ULL >> 32U) & mask_; }
  /// Where the key stands, or where it would.
  size_t slot_of(const Key& key) const {
    size_t slot = home_of(key);
    while (used_[slot] && !(entries_[slot].first == key)) slot = next(slot);
    return slot;
  }
  void grow() {
    const size_t old_capacity = capacity();
    const size_t larger = old_capacity == 0 ? kCapacityMin : old_capacity * 2;
    const auto old_entries = std::exchange(entries_, std::make_unique<Entry[]>(larger));
    const auto old_used = std::exchange(used_, std::make_unique<bool[]>(larger));
    mask_ = larger - 1;
    for (size_t i = 0; i < old_capacity; ++i) {
      if (!old_used[i]) continue;
      const size_t slot = slot_of(old_entries[i].first);
      entries_[slot] = std::move(old_entries[i]);
      used_[slot] = true;
    }
  }

  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<bool[]> used_;  // which of them are there
  size_t mask_ = 0;
  size_t size_ = 0;
};

}  // namespace clew::base
