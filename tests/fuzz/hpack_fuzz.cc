// SPDX-License-Identifier: Apache-2.0
// libFuzzer target over HPACK, with another decoder as the judge: from the start of a connection ours must take and refuse the blocks that
// libnghttp2's inflater does, and find the same fields. From the middle on, and after what was lost, it must never name a field that the
// judge, who has seen all, does not find in that place.
// Input: byte 0 is the size of the table that the receiver allows, in steps of 64 bytes; byte 1 how many blocks the late decoder has
// missed. Then blocks: their length (2 bytes), and they.
#include <nghttp2/nghttp2.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "protocols/http2/hpack.h"

namespace {

using clew::protocols::http2::HpackDecoder;
using clew::protocols::http2::HpackField;

constexpr size_t kMemoryMax = 512 * 1024;

struct Field {
  std::string name;
  std::string value;
  bool is_name_known = true;
  bool is_value_known = true;
};

class Fields final : public HpackDecoder::Visitor {
 public:
  void field(const HpackField& field) override {
    all.push_back({std::string(field.name), std::string(field.value), field.is_name_known, field.is_value_known});
  }
  std::vector<Field> all;
};

bool every_name(std::string_view /*name*/) { return true; }

/// What the judge finds in a block; `is_block` false: it is none.
class Judge {
 public:
  explicit Judge(size_t table_bytes) {
    if (nghttp2_hd_inflate_new(&inflater_) != 0) std::abort();
    nghttp2_hd_inflate_change_table_size(inflater_, table_bytes);
  }
  ~Judge() { nghttp2_hd_inflate_del(inflater_); }
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  bool read(std::string_view block, std::vector<Field>& fields) {
    const auto* in = reinterpret_cast<const uint8_t*>(block.data());
    size_t left = block.size();
    for (;;) {
      nghttp2_nv found;
      int flags = 0;
      const ssize_t taken = nghttp2_hd_inflate_hd2(inflater_, &found, &flags, in, left, 1);
      if (taken < 0) return false;
      in += taken;
      left -= static_cast<size_t>(taken);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
        fields.push_back({std::string(reinterpret_cast<const char*>(found.name), found.namelen),
                          std::string(reinterpret_cast<const char*>(found.value), found.valuelen)});
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 && left == 0) return false;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
    return true;
  }

 private:
  nghttp2_hd_inflater* inflater_ = nullptr;
};

[[noreturn]] void fail(const char* what, const std::vector<Field>& ours, const std::vector<Field>& theirs) {
  std::fprintf(stderr, "%s\n", what);
  for (const Field& field : ours) std::fprintf(stderr, "  ours   %s: %s\n", field.name.c_str(), field.value.c_str());
  for (const Field& field : theirs) std::fprintf(stderr, "  theirs %s: %s\n", field.name.c_str(), field.value.c_str());
  std::abort();
}

/// What is known of them must be so.
bool agree(const std::vector<Field>& ours, const std::vector<Field>& theirs) {
  if (ours.size() != theirs.size()) return false;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (ours[i].is_name_known && ours[i].name != theirs[i].name) return false;
    if (ours[i].is_value_known && ours[i].value != theirs[i].value) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const uint32_t table_bytes = 64U * static_cast<uint8_t>(rest[0]);
  size_t missed = static_cast<uint8_t>(rest[1]) & 7U;
  rest.remove_prefix(2);
  Judge judge(std::max(table_bytes, HpackDecoder::kTableBytesDefault));  // as allow(): what was said before still holds
  HpackDecoder early(true, every_name);
  HpackDecoder late(false, every_name);
  early.allow(table_bytes);
  late.allow(table_bytes);
  while (rest.size() >= 2) {
    const size_t length = size_t{static_cast<uint8_t>(rest[0])} << 8U | static_cast<uint8_t>(rest[1]);
    const std::string_view block = rest.substr(2, length);
    rest.remove_prefix(2 + block.size());
    std::vector<Field> theirs;
    const bool is_block = judge.read(block, theirs);
    Fields ours;
    const bool is_ours = early.decode(block, ours).empty();
    if (early.memory_bytes() > kMemoryMax) fail("too much memory", {}, {});
    if (is_ours != is_block) fail(is_ours ? "taken, and is no block" : "refused, and is a block", ours.all, theirs);
    if (!is_block) return 0;  // a connection ends here
    if (!agree(ours.all, theirs)) fail("other fields", ours.all, theirs);
    for (const Field& field : ours.all)
      if (!field.is_name_known || !field.is_value_known) fail("not known, though all was seen", ours.all, theirs);
    if (missed > 0) {
      --missed;
      continue;
    }
    Fields known;
    if (!late.decode(block, known).empty()) fail("refused by who came late", known.all, theirs);
    if (!agree(known.all, theirs)) fail("invented by who came late", known.all, theirs);
  }
  return 0;
}
