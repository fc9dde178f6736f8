// SPDX-License-Identifier: Apache-2.0
// Compares what arrived on a connection with what was written: each byte in its place, and between them nothing but one well-formed
// `traceparent` line before the empty line of a head that may have one. Feed it in any pieces; it never looks back.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "item.h"

namespace torture {

// `traceparent: 00-<32 hex>-<16 hex>-<2 hex>\r\n`
inline constexpr size_t kLineSize = 70;
bool well_formed(std::string_view line);

struct Mismatch {
  std::string what;
  uint32_t item = 0;
  uint64_t offset = 0;        // in the bytes read
  uint64_t in_item = 0;       // in the item's bytes as written
  std::string expected, got;  // some bytes from there on
};

class Verifier {
 public:
  struct Step {
    size_t used = 0;
    bool interim = false;   // item().interim is due
    bool complete = false;  // item() has been read in whole; call next() after it
    bool injected = false;
    std::string trace_id, parent_id;  // if injected and complete
  };

  explicit Verifier(const Plan& plan);
  // Up to the next interim or complete. Nothing: there is a mismatch().
  std::optional<Step> feed(std::string_view data);
  const Item& item() const { return item_; }
  uint32_t index() const { return index_; }
  bool within_item() const { return at_ != 0; }
  void next();
  // The other end has closed: was that the end of the plan? A plan that is cut short may end anywhere.
  bool finish();
  const Mismatch& mismatch() const { return mismatch_; }

 private:
  std::optional<Step> fail(std::string what, std::string_view got);
  bool collect(std::string_view data, Step& step);

  Plan plan_;
  Item item_;
  uint32_t index_ = 0;
  size_t at_ = 0;
  uint64_t read_ = 0;
  bool decided_ = false, injected_ = false, collecting_ = false, interim_done_ = false;
  std::string line_;
  Mismatch mismatch_;
};

}  // namespace torture
