// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/node_streams.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "agent/runtime/process_image.h"

namespace clew::runtime {
namespace {

struct Place {
  const char* program;
  const char* program_at_return;  // or null
  std::string_view symbol;
  bool may_be_absent;
};
constexpr std::array<Place, 9> kPlaces = {{
    {"uprobe__node_frame", nullptr, "_ZN4node5http212Http2Session14OnFrameReceiveEP15nghttp2_sessionPK13nghttp2_framePv", false},
    {"uprobe__node_chunk", nullptr, "_ZN4node5http212Http2Session19OnDataChunkReceivedEP15nghttp2_sessionhiPKhmPv", false},
    {"uprobe__node_close", nullptr, "_ZN4node5http212Http2Session13OnStreamCloseEP15nghttp2_sessionijPv", false},
    {"uprobe__node_sends", nullptr, "nghttp2_session_mem_send", false},
    {"uprobe__node_sends", nullptr, "nghttp2_session_mem_send2", true},
    {"uprobe__node_responds", nullptr, "nghttp2_submit_response", false},
    {"uprobe__node_responds", nullptr, "nghttp2_submit_response2", true},
    {"uprobe__node_asks", "uretprobe__node_asked", "nghttp2_submit_request", false},
    {"uprobe__node_asks", "uretprobe__node_asked", "nghttp2_submit_request2", true},
}};

// A push at the beginning of a function, which the kernel emulates; the mark of an indirect branch's target may stand before it.
std::optional<size_t> push_in(std::span<const uint8_t> code) {
  static constexpr std::array<uint8_t, 4> kEndbr64 = {0xf3, 0x0f, 0x1e, 0xfa};
  const size_t at = std::ranges::equal(code.first(4), kEndbr64) ? 4 : 0;
  const size_t opcode = at + (code[at] == 0x41 ? 1 : 0);
  return (code[opcode] & 0xf8) == 0x50 ? std::optional(at) : std::nullopt;
}

}  // namespace

std::vector<Probe> node_stream_probes(const discovery::ProcFs& proc, uint32_t process_id) {
  const auto image = ProcessImage::open(proc, process_id);
  if (!image) return {};
  std::array<std::string_view, kPlaces.size()> names{};
  std::ranges::transform(kPlaces, names.begin(), &Place::symbol);
  std::array<bool, kPlaces.size()> there{};
  std::vector<Probe> probes;
  for (const Module& module : image->modules()) {
    const std::string_view name = std::string_view(module.path).substr(module.path.rfind('/') + 1);
    if (module.path != image->executable() && !name.starts_with("libnode.so") && !name.starts_with("libnghttp2.so")) continue;
    const auto found = find_symbols(module, names);
    if (!found) continue;
    for (size_t i = 0; i < kPlaces.size(); ++i) {
      const auto& symbol = (*found)[i];
      std::array<uint8_t, 8> code{};
      if (there[i] || !symbol || symbol->file_offset == 0 || !image->memory()(symbol->address, code.data(), code.size())) continue;
      const auto inside = push_in(code);
      if (!inside) return {};
      there[i] = true;
      const uint64_t offset = symbol->file_offset + *inside;
      probes.push_back({.program = kPlaces[i].program, .file = module.file, .offset = offset, .at_return = false});
      if (kPlaces[i].program_at_return != nullptr)
        probes.push_back({.program = kPlaces[i].program_at_return, .file = module.file, .offset = offset, .at_return = true});
    }
  }
  for (size_t i = 0; i < kPlaces.size(); ++i)
    if (!there[i] && !kPlaces[i].may_be_absent) return {};
  return probes;
}

}  // namespace clew::runtime
