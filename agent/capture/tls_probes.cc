// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/tls_probes.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "bpf/events.h"

namespace clew::capture {
namespace {

/// The probes of one program, as the kernel wants them.
struct OfProgram {
  std::vector<uint64_t> offsets;
  std::vector<uint64_t> cookies;
  bool at_return = false;
};

OfProgram of_program(std::span<const TlsProbe> probes, const char* program) {
  OfProgram result;
  for (const TlsProbe& probe : probes) {
    if (std::strcmp(probe.program, program) != 0) continue;
    result.offsets.push_back(probe.offset);
    result.cookies.push_back(probe.cookie);
    result.at_return = probe.at_return;
  }
  return result;
}

}  // namespace

void TlsProbes::use(bpf_object* object, bool many_at_once) {
  object_ = object;
  many_at_once_ = many_at_once;
}

base::Result<uint32_t> TlsProbes::attach(uint32_t process_id, const std::string& file, const std::string& key,
                                         std::span<const TlsProbe> probes) {
  File& known = files_[key];
  uint32_t number = 0;
  if (known.own.size() >= kOwnMax && !known.own.contains(process_id)) number = known.number != 0 ? known.number : free_number();
  if (number == 0) {
    if (auto done = attach_own(process_id, file, probes); !done) return failed(key, std::move(done).error());
    known.own.insert(process_id);
  } else {
    known.number = number;
    if (auto done = attach_for_all(known, file, probes); !done) return failed(key, std::move(done).error());
    known.sharing.insert(process_id);
  }
  std::vector<std::string>& files = files_of_[process_id];
  if (std::ranges::find(files, key) == files.end()) files.push_back(key);
  return number;
}

base::Result<void> TlsProbes::attach_own(uint32_t process_id, const std::string& file, std::span<const TlsProbe> probes) {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    const OfProgram those = of_program(probes, bpf_program__name(program));
    if (those.offsets.empty()) continue;
    if (many_at_once_) {
      if (auto done = own_.attach_all(program, process_id, file, those.offsets, those.cookies, those.at_return); !done) return done;
      continue;
    }
    for (size_t i = 0; i < those.offsets.size(); ++i)
      if (auto done = own_.attach(program, process_id, file, those.offsets[i], those.at_return, those.cookies[i]); !done) return done;
  }
  return {};
}

base::Result<void> TlsProbes::attach_for_all(File& known, const std::string& file, std::span<const TlsProbe> probes) {
  constexpr int kAll = -1;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object_) {
    OfProgram those = of_program(probes, bpf_program__name(program));
    if (those.offsets.empty() || known.programs.contains(bpf_program__name(program))) continue;
    for (uint64_t& cookie : those.cookies) cookie = (cookie & ~uint64_t{CLEW_TLS_BY_BIO}) | uint64_t{known.number} << CLEW_TLS_FILE_SHIFT;
    std::vector<bpf_link*> links;
    if (many_at_once_) {
      bpf_uprobe_multi_opts options{};
      options.sz = sizeof options;
      options.offsets = those.offsets.data();
      options.cookies = reinterpret_cast<const __u64*>(those.cookies.data());
      options.cnt = those.offsets.size();
      options.retprobe = those.at_return;
      links.push_back(bpf_program__attach_uprobe_multi(program, kAll, file.c_str(), nullptr, &options));
    }
    for (size_t i = 0; !many_at_once_ && i < those.offsets.size(); ++i) {
      bpf_uprobe_opts options{};
      options.sz = sizeof options;
      options.retprobe = those.at_return;
      options.bpf_cookie = those.cookies[i];
      links.push_back(bpf_program__attach_uprobe_opts(program, kAll, file.c_str(), those.offsets[i], &options));
    }
    const int error = errno;
    const bool complete = std::ranges::find(links, nullptr) == links.end();
    std::erase(links, nullptr);
    known.links.insert(known.links.end(), links.begin(), links.end());
    if (!complete) return base::fail(fmt::format("cannot set probes in {}: {}", file, std::strerror(error)));
    known.programs.insert(bpf_program__name(program));
  }
  return {};
}

// Not the one that was given up last: a process may still have its bit.
uint32_t TlsProbes::free_number() {
  for (uint32_t i = 0; i < kShared; ++i) {
    latest_ = latest_ % kShared + 1;
    if ((numbers_ >> latest_ & 1) != 0) continue;
    numbers_ |= 1U << latest_;
    return latest_;
  }
  return 0;
}

std::unexpected<base::Error> TlsProbes::failed(const std::string& key, base::Error error) {
  drop_unused(key);
  return std::unexpected(std::move(error));
}

void TlsProbes::drop_unused(const std::string& key) {
  File& file = files_[key];
  if (file.sharing.empty() && file.number != 0) {
    destroyer_.destroy(std::exchange(file.links, {}));
    file.programs.clear();
    numbers_ &= ~(1U << file.number);
    file.number = 0;
  }
  if (file.own.empty() && file.sharing.empty()) files_.erase(key);
}

void TlsProbes::detach(uint32_t process_id) {
  own_.detach(process_id);
  const auto found = files_of_.find(process_id);
  if (found == files_of_.end()) return;
  for (const std::string& key : found->second) {
    files_[key].own.erase(process_id);
    files_[key].sharing.erase(process_id);
    drop_unused(key);
  }
  files_of_.erase(found);
}

void TlsProbes::clear() {
  for (auto& [key, file] : files_) destroyer_.destroy(std::move(file.links));
  files_.clear();
  files_of_.clear();
  numbers_ = 0;
  own_.clear();
  destroyer_.wait();
}

}  // namespace clew::capture
