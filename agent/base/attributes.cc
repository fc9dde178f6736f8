// SPDX-License-Identifier: Apache-2.0
#include "agent/base/attributes.h"

namespace clew::base {

void Attributes::add(Key key, const std::vector<std::string_view>& values) {
  const auto offset = static_cast<uint32_t>(text_.size());
  for (std::string_view value : values) {
    text_.append(value);
    text_.push_back('\0');
  }
  push(key, Type::kStringArray).text = {offset, static_cast<uint32_t>(text_.size()) - offset};
}

void Attributes::add_named(std::string_view key, std::string_view value) {
  const Slice key_slice = store(key);
  const Slice value_slice = store(value);
  Entry& entry = entries_.emplace_back();
  entry.literal_key = nullptr;
  entry.key = key_slice;
  entry.type = Type::kString;
  entry.text = value_slice;
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
