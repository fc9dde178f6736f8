// SPDX-License-Identifier: Apache-2.0
// The fields of one header block that matter: from HPACK's visits to the parts of a head.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/http/head.h"
#include "protocols/http2/hpack.h"
#include "protocols/message.h"

namespace clew::protocols::http2 {

/// For HpackDecoder: names that this file knows.
bool is_wanted(std::string_view name);

class BlockFields final : public HpackDecoder::Visitor {
 public:
  /// Most bytes of a block's fields that are kept.
  static constexpr size_t kTextMax = http::MessageHead::kTextMax;
  /// tracestate may come in several fields, and has at most 32 members.
  static constexpr size_t kContextFieldsMax = 64;

  /// Before each block.
  void clear();
  void field(const HpackField& field) override;

  /// Once the block is read. The views are this object's, until the next block.
  http::HeadParts parts() const;
  std::span<const HeaderField> context_fields();
  bool has_pseudo_field() const { return seen_ != 0; }
  bool has_status() const { return (seen_ & kStatusSeen) != 0; }
  bool has_unknown() const { return has_unknown_; }
  bool is_too_large() const { return is_too_large_; }
  size_t memory_bytes() const {
    return text_.capacity() + contexts_.capacity() * sizeof(Context) + fields_.capacity() * sizeof(HeaderField);
  }

 private:
  enum Seen : uint8_t { kMethodSeen = 1, kPathSeen = 2, kSchemeSeen = 4, kAuthoritySeen = 8, kStatusSeen = 16 };
  struct Slice {
    uint32_t begin = 0;
    uint32_t length = 0;
  };
  struct Context {
    std::string_view name;  // a literal
    Slice value;
  };

  Slice keep(std::string_view text);
  void keep(http::Field field, std::string_view value);
  std::string_view text(Slice slice) const { return std::string_view(text_).substr(slice.begin, slice.length); }

  std::string text_;
  std::array<Slice, http::kFieldCount> kept_{};
  std::vector<Context> contexts_;
  std::vector<HeaderField> fields_;
  Slice host_;
  uint16_t status_ = 0;
  uint8_t seen_ = 0;  // of enum Seen
  bool has_unknown_ = false;
  bool has_content_type_ = false;
  bool is_connect_ = false;
  bool is_too_large_ = false;
  http::Rpc rpc_ = http::Rpc::kNone;
  int8_t rpc_status_ = http::kNoRpcStatus;
};

}  // namespace clew::protocols::http2
