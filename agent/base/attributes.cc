// SPDX-License-Identifier: Apache-2.0
#include "agent/base/attributes.h"

namespace clew::base {

Attributes::Slice Attributes::store_array(const std::vector<std::string_view>& values) {
  const auto offset = static_cast<uint32_t>(text_.size());
  for (std::string_view value : values) {
    text_.append(value);
    text_.push_back('\0');
  }
  return {offset, static_cast<uint32_t>(text_.size()) - offset};
}

Attributes::Entry& Attributes::push_named(std::string_view key, Type type) {
  Entry& entry = entries_.emplace_back();
  entry.literal_key = nullptr;
  entry.key = store(key);
  entry.type = type;
  entry.integer = 0;
  return entry;
}

void Attributes::add(Key key, const std::vector<std::string_view>& values) { push(key, Type::kStringArray).text = store_array(values); }

void Attributes::add_named(std::string_view key, std::string_view value) { push_named(key, Type::kString).text = store(value); }
void Attributes::add_named(std::string_view key, int64_t value) { push_named(key, Type::kInt).integer = value; }
void Attributes::add_named(std::string_view key, bool value) { push_named(key, Type::kBool).integer = value ? 1 : 0; }
void Attributes::add_named(std::string_view key, double value) { push_named(key, Type::kDouble).number = value; }
void Attributes::add_named(std::string_view key, const std::vector<std::string_view>& values) {
  push_named(key, Type::kStringArray).text = store_array(values);
}

Attributes::View Attributes::operator[](size_t index) const {
  const Entry& entry = entries_[index];
  View view{};
  view.key = entry.literal_key != nullptr ? std::string_view(entry.literal_key, entry.key.length) : slice(entry.key);
  view.type = entry.type;
  switch (entry.type) {
    case Type::kString: view.text = slice(entry.text); break;
    case Type::kInt:
    case Type::kBool: view.integer = entry.integer; break;
    case Type::kDouble: view.number = entry.number; break;
    case Type::kStringArray: break;
  }
  return view;
}

std::vector<std::string_view> Attributes::array(size_t index) const {
  std::vector<std::string_view> values;
  std::string_view rest = slice(entries_[index].text);
  while (!rest.empty()) {
    const size_t end = rest.find('\0');
    values.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return values;
}

size_t Attributes::find(std::string_view key) const {
  for (size_t i = 0; i < entries_.size(); ++i)
    if ((*this)[i].key == key) return i;
  return entries_.size();
}

}  // namespace clew::base
