// SPDX-License-Identifier: Apache-2.0
// HotSpot: where a carrier's JavaThread names the virtual thread that it runs (bpf/execution/jvm.bpf.h), by the table of fields that libjvm
// exports for debuggers.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "agent/runtime/layout.h"
#include "agent/runtime/process_image.h"

namespace clew::runtime {

/// What libjvm exports of its table: where it lies, the size of an entry, and offsets in an entry. `static` fields have an address.
inline constexpr std::array<std::string_view, 6> kVmStructsSymbols = {
    "gHotSpotVMStructs",
    "gHotSpotVMStructEntryArrayStride",
    "gHotSpotVMStructEntryTypeNameOffset",
    "gHotSpotVMStructEntryFieldNameOffset",
    "gHotSpotVMStructEntryOffsetOffset",
    "gHotSpotVMStructEntryAddressOffset",
};

/// `symbols`: addresses of the above. Nothing is taken on trust: the virtual machine's list of threads must lead to threads that all keep
/// their JavaThread at the same place of the same module's thread-local block.
Layout read_jvm(const ReadMemory& read, const std::array<uint64_t, kVmStructsSymbols.size()>& symbols);

Layout find_jvm(const discovery::ProcFs& proc, uint32_t process_id);

}  // namespace clew::runtime
