// SPDX-License-Identifier: Apache-2.0
#include "agent/runtime/jvm.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bpf/events.h"

namespace clew::runtime {
namespace {

constexpr uint64_t kEntriesMax = 8192;  // some 600 in JDK 25
constexpr uint64_t kEntryBytesMax = 256;
constexpr uint64_t kFieldOffsetMax = 1 << 16;
constexpr uint32_t kThreadsMin = 2;  // a virtual machine that runs has a dozen
constexpr uint32_t kThreadsMax = 32;

// glibc: the thread pointer's block names itself and the thread's dynamic vector, of which each entry is {block, to be freed}.
constexpr uint64_t kVector = 8;
constexpr uint64_t kSelf = 16;
constexpr uint64_t kVectorEntry = 16;
constexpr uint64_t kModulesMax = 64;
constexpr uint64_t kNoBlock = ~uint64_t{0};
constexpr uint64_t kBlockBytesMax = 512;  // libjvm has some 80

Layout none(std::string why, bool not_yet = false) { return {.description = "jvm: by threads, " + std::move(why), .not_yet = not_yet}; }

struct Field {
  std::string_view type;
  std::string_view name;
  bool is_static = false;
  std::optional<uint64_t> value{};  // offset, or address if static
};

enum : uint8_t { kOsThread, kThreadId, kPthreadId, kContinuation, kOwner, kList, kLength, kThreads, kFields };

// The first bytes of a text: more than any name that is looked for.
std::string text_at(const ReadMemory& read, std::optional<uint64_t> address) {
  std::array<char, 32> bytes{};
  if (!address || *address == 0 || !read(*address, bytes.data(), bytes.size() - 1)) return {};
  return bytes.data();
}

void find_fields(const ReadMemory& read, const std::array<uint64_t, 6>& symbols, std::array<Field, kFields>& fields) {
  std::array<uint64_t, 6> words{};
  for (size_t i = 0; i < words.size(); ++i) words[i] = word_at(read, symbols[i]).value_or(0);
  const auto [table, stride, type, name, offset, address] = words;
  if (table == 0 || stride == 0 || std::ranges::any_of(words.begin() + 1, words.end(), [](uint64_t w) { return w > kEntryBytesMax; }))
    return;
  for (uint64_t i = 0; i < kEntriesMax; ++i) {
    const uint64_t entry = table + i * stride;
    const auto type_name = word_at(read, entry + type);
    if (!type_name || *type_name == 0) return;  // the last one is empty
    const std::string field_name = text_at(read, word_at(read, entry + name));
    for (Field& field : fields)
      if (!field.value && field_name == field.name && text_at(read, type_name) == field.type)
        field.value = word_at(read, entry + (field.is_static ? address : offset));
  }
}

struct Thread {
  uint64_t java = 0;     // JavaThread
  uint64_t pointer = 0;  // the thread pointer
};

std::vector<Thread> threads_of(const ReadMemory& read, const std::array<Field, kFields>& fields) {
  std::vector<Thread> threads;
  const uint64_t list = word_at(read, *fields[kList].value).value_or(0);
  uint32_t length = 0;
  if (list == 0 || !read(list + *fields[kLength].value, &length, sizeof length)) return threads;
  const uint64_t first = word_at(read, list + *fields[kThreads].value).value_or(0);
  for (uint32_t i = 0; first != 0 && i < std::min(length, kThreadsMax); ++i) {
    Thread thread{.java = word_at(read, first + 8 * uint64_t{i}).value_or(0)};
    const uint64_t os_thread = thread.java != 0 ? word_at(read, thread.java + *fields[kOsThread].value).value_or(0) : 0;
    if (os_thread != 0) thread.pointer = word_at(read, os_thread + *fields[kPthreadId].value).value_or(0);
    if (thread.pointer != 0 && word_at(read, thread.pointer) == thread.pointer && word_at(read, thread.pointer + kSelf) == thread.pointer)
      threads.push_back(thread);
  }
  return threads;
}

// The word that lies there in the thread's own block of that module.
std::optional<uint64_t> local_word(const ReadMemory& read, const Thread& thread, uint64_t module, uint64_t variable) {
  const auto vector = word_at(read, thread.pointer + kVector);
  if (!vector) return std::nullopt;
  const auto block = word_at(read, *vector + module);
  if (!block || *block == 0 || *block == kNoBlock) return std::nullopt;
  return word_at(read, *block + variable);
}

}  // namespace

Layout read_jvm(const ReadMemory& read, const std::array<uint64_t, kVmStructsSymbols.size()>& symbols) {
  std::array<Field, kFields> fields = {{{.type = "Thread", .name = "_osthread"},
                                        {.type = "OSThread", .name = "_thread_id"},
                                        {.type = "OSThread", .name = "_pthread_id"},
                                        {.type = "JavaThread", .name = "_cont_entry"},
                                        {.type = "JavaThread", .name = "_monitor_owner_id"},
                                        {.type = "ThreadsSMRSupport", .name = "_java_thread_list", .is_static = true},
                                        {.type = "ThreadsList", .name = "_length"},
                                        {.type = "ThreadsList", .name = "_threads"}}};
  find_fields(read, symbols, fields);
  for (const Field& field : fields)
    if (!field.value || (!field.is_static && *field.value > kFieldOffsetMax))
      return none(fmt::format("it does not name {}::{} (older than JDK 24?)", field.type, field.name));

  const std::vector<Thread> threads = threads_of(read, fields);
  if (threads.size() < kThreadsMin) return none("its threads are not there", true);
  for (uint64_t module = kVectorEntry; module <= kModulesMax * kVectorEntry; module += kVectorEntry)
    for (uint64_t variable = 0; variable < kBlockBytesMax; variable += 8) {
      if (!std::ranges::all_of(threads, [&](const Thread& t) { return local_word(read, t, module, variable) == t.java; })) continue;
      return {.runtime = CLEW_RUNTIME_JVM,
              .values = {module, variable, *fields[kOsThread].value, *fields[kThreadId].value, *fields[kContinuation].value,
                         *fields[kOwner].value},
              .description = fmt::format("jvm: by threads, virtual ones by their number (offset {})", *fields[kOwner].value)};
    }
  return none("its threads do not keep their JavaThread where glibc would", true);
}

Layout find_jvm(const discovery::ProcFs& proc, uint32_t process_id) {
  const auto image = ProcessImage::open(proc, process_id);
  if (!image) return none(image.error().message);
  const Module* const library = image->find([](std::string_view path) { return path.ends_with("/libjvm.so"); });
  if (library == nullptr) return none("its libjvm is not mapped", true);
  const auto found = find_symbols(*library, kVmStructsSymbols);
  if (!found) return none(found.error().message);
  std::array<uint64_t, kVmStructsSymbols.size()> addresses{};
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (!(*found)[i]) return none(fmt::format("{} does not export {}", library->path, kVmStructsSymbols[i]));
    addresses[i] = (*found)[i]->address;
  }
  return read_jvm(image->memory(), addresses);
}

}  // namespace clew::runtime
