// SPDX-License-Identifier: Apache-2.0
#include "agent/correlation/propagation/propagator.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "agent/correlation/propagation/characters.h"

namespace clew::correlation::propagation {
namespace {

constexpr std::string_view kNone = "none";
constexpr std::string_view kBaggage = "baggage";
constexpr std::string_view kOtTrace = "ottrace";
/// For errors, in the order of the specification.
constexpr std::array<std::string_view, 9> kKnownNames = {"tracecontext", "baggage", "b3",      "b3multi", "jaeger",
                                                         "xray",         "datadog", "ottrace", "none"};

std::optional<Propagator> find(std::string_view word) {
  const auto found = std::ranges::find(kPropagatorNames, word);
  if (found == kPropagatorNames.end()) return std::nullopt;
  return static_cast<Propagator>(found - kPropagatorNames.begin());
}

template <class T>
bool contains(const std::vector<T>& list, const T& item) {
  return std::ranges::find(list, item) != list.end();
}

template <class T>
void add_once(std::vector<T>& list, const T& item) {
  if (!contains(list, item)) list.push_back(item);
}

/// Puts the other encoding of B3 beside the one that was named.
void complete_b3(std::vector<Propagator>& order) {
  const auto single = std::ranges::find(order, Propagator::kB3);
  const auto multi = std::ranges::find(order, Propagator::kB3Multi);
  if ((single == order.end()) == (multi == order.end())) return;
  if (multi == order.end())
    order.insert(single + 1, Propagator::kB3Multi);
  else
    order.insert(multi, Propagator::kB3);
}

}  // namespace

base::Result<PropagatorChoice> parse_propagators(std::string_view text, NearestWord nearest) {
  PropagatorChoice choice;
  bool none = false;
  size_t named = 0;
  while (text.data() != nullptr) {
    std::string word(trim(take_until(text, ',')));
    if (word.empty()) continue;
    ++named;
    std::ranges::transform(word, word.begin(), to_lower);
    if (const auto propagator = find(word)) {
      add_once(choice.order, *propagator);
    } else if (word == kNone) {
      none = true;
    } else if (word == kOtTrace) {
      add_once(choice.unread, kOtTrace);
    } else if (word != kBaggage) {
      const std::string_view near = nearest(word, kKnownNames);
      const std::string hint = near.empty() ? "" : fmt::format("did you mean {}? ", near);
      return base::fail(fmt::format("unknown propagator \"{}\"; {}Known are {}", word, hint, fmt::join(kKnownNames, ", ")));
    }
  }
  if (named == 0) return PropagatorChoice{{kDefaultOrder.begin(), kDefaultOrder.end()}, {}};
  if (none && named > 1) return base::fail("the propagator \"none\" stands alone");
  complete_b3(choice.order);
  return choice;
}

}  // namespace clew::correlation::propagation
