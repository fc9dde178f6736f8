// SPDX-License-Identifier: Apache-2.0
#include "tally.h"

#include <cstdio>

namespace torture {
namespace {

constexpr uint64_t kExamples = 100;  // of all runs; a report tells those that are new

std::string rows(Axis axis, const std::array<Row, 32>& of) {
  std::string out;
  for (size_t i = 0; i < names(axis).size(); ++i) {
    const Row& r = of[i];
    if (r.requests == 0) continue;
    if (!out.empty()) out += ", ";
    out += quoted(names(axis)[i]) + ": {\"requests\": " + std::to_string(r.requests) + ", \"injected\": " + std::to_string(r.injected) +
           ", \"left_alone\": " + std::to_string(r.left_alone) + ", \"forbidden\": " + std::to_string(r.forbidden) + "}";
  }
  return "{" + out + "}";
}

uint64_t sum(const std::array<Row, 32>& of, std::atomic<uint64_t> Row::* field) {
  uint64_t n = 0;
  for (const Row& r : of) n += r.*field;
  return n;
}

void count(Row& row, const Item& item, bool injected) {
  ++row.requests;
  if (injected)
    ++row.injected;
  else if (item.insert_at == kNowhere)
    ++row.forbidden;
  else
    ++row.left_alone;
}

}  // namespace

std::string quoted(std::string_view bytes) {
  std::string out = "\"";
  for (const char c : bytes) {
    char code[8];
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else if (c >= ' ' && c <= '~')
      out += c;
    else if (c == '\r')
      out += "\\r";
    else if (c == '\n')
      out += "\\n";
    else {
      std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned char>(c));
      out += code;
    }
  }
  return out + "\"";
}

void Tally::item(const Plan& plan, const Item& item, bool injected) {
  count(traffic_[plan.is[kTraffic]], item, injected);
  count(writer_[plan.is[kWriter]], item, injected);
}

void Tally::corrupted(const Plan& plan, const Mismatch& m) {
  if (++corrupted_ > kExamples) return;
  const std::scoped_lock hold(lock_);
  if (!examples_.empty()) examples_ += ", ";
  examples_ +=
      "{\"what\": " + quoted(m.what) + ", \"connection\": " + std::to_string(plan.ordinal) + ", \"plan\": " + quoted(describe(plan)) +
      ", \"items\": " + std::to_string(plan.items) + ", \"item\": " + std::to_string(m.item) + ", \"offset\": " + std::to_string(m.offset) +
      ", \"in_item\": " + std::to_string(m.in_item) + ", \"expected\": " + quoted(m.expected) + ", \"got\": " + quoted(m.got) + "}";
}

std::string Tally::json() const {
  const std::scoped_lock hold(lock_);
  return "{\"requests\": " + std::to_string(sum(traffic_, &Row::requests)) +
         ", \"injected\": " + std::to_string(sum(traffic_, &Row::injected)) +
         ", \"left_alone\": " + std::to_string(sum(traffic_, &Row::left_alone)) +
         ", \"forbidden\": " + std::to_string(sum(traffic_, &Row::forbidden)) + ", \"corrupted\": " + std::to_string(corrupted_) +
         ", \"connections\": " + std::to_string(connections) + ", \"open\": " + std::to_string(open) +
         ", \"ended_early\": " + std::to_string(ended_early) + ", \"unknown\": " + std::to_string(unknown) +
         ", \"bytes\": " + std::to_string(bytes) + ", \"by_traffic\": " + rows(kTraffic, traffic_) +
         ", \"by_writer\": " + rows(kWriter, writer_) + ", \"examples\": [" + examples_ + "]}";
}

}  // namespace torture
