// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/kernel_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "agent/capture/kernel_counters.h"

// clang-format off: the skeleton needs the types of events.h
#include "bpf/events.h"
#include "bpf/clew.skel.h"
// clang-format on

namespace clew::capture {
namespace {

// Between two looks at the ring while there is traffic: long enough to make a wake-up cheap per event, short against the second
// that a span may take to its file. Under load so short that a look takes no longer than a program on the same core may well wait.
constexpr auto kPauseMax = std::chrono::nanoseconds(std::chrono::milliseconds(5));
constexpr auto kPauseMin = std::chrono::nanoseconds(std::chrono::milliseconds(1));
constexpr auto kLook = std::chrono::nanoseconds(std::chrono::microseconds(150));
constexpr int kSamplesMax = 8192;  // at a time
constexpr int kIdleRounds = 40;    // then sleep until the kernel wakes us

int no_log(libbpf_print_level, const char*, va_list) { return 0; }

// Since 6.6, but until 6.10 with a process it saw nothing but that one's main thread.
bool attaches_many_at_once() {
  utsname name{};
  int major = 0;
  int minor = 0;
  return uname(&name) == 0 && std::sscanf(name.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 10));
}

void set_port(clew_bpf& skeleton, uint32_t port) { skeleton.bss->wanted_ports[port >> 6] |= uint64_t{1} << (port & 63); }

// What does not fit is left to user space, as patterns are: then the process is selected a moment after its exec.
void want(clew_bpf& skeleton, const std::string& executable) {
  const uint8_t yes = 1;
  clew_executable_name name{};
  struct stat file{};
  if (executable.find('/') == std::string::npos) {
    if (executable.size() >= sizeof name.name - 1) return;  // as long as that, a name may have been cut
    executable.copy(name.name, sizeof name.name - 1);
    bpf_map_update_elem(bpf_map__fd(skeleton.maps.wanted_names), &name, &yes, BPF_ANY);
  } else if (stat(executable.c_str(), &file) == 0) {
    const clew_executable key{.inode = file.st_ino, .device = major(file.st_dev) << 20 | minor(file.st_dev), .padding = 0};
    bpf_map_update_elem(bpf_map__fd(skeleton.maps.wanted_executables), &key, &yes, BPF_ANY);
  }
}

}  // namespace

KernelSource::KernelSource(OnEvent on_event, base::Counters& counters) : on_event_(std::move(on_event)), counters_(counters) {}

base::Result<std::unique_ptr<KernelSource>> KernelSource::load(const KernelSettings& settings, OnEvent on_event, base::Counters& counters) {
  libbpf_set_print(no_log);
  std::unique_ptr<KernelSource> source(new KernelSource(std::move(on_event), counters));
  clew_bpf* skeleton = source->skeleton_ = clew_bpf__open();
  if (skeleton == nullptr) return base::fail(fmt::format("cannot open the BPF object: {}", std::strerror(errno)));

  source->programs_.choose(*skeleton, settings.force_sys_exit);
  bpf_program__set_autoload(skeleton->progs.tp_btf__cgroup_attach_task, settings.watch_cgroup);
  skeleton->rodata->ring_bytes = settings.ring_bytes;
  getrandom(&skeleton->rodata->unix_secret, sizeof skeleton->rodata->unix_secret, 0);  // zero will do
  skeleton->rodata->watch_exec = settings.watch_exec;
  skeleton->rodata->watch_cgroup = settings.watch_cgroup;
  source->many_at_once_ = attaches_many_at_once();
  source->tls_probes_.use(skeleton->obj, source->many_at_once_);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const bool is_probe = bpf_program__type(program) == BPF_PROG_TYPE_KPROBE;
    if (is_probe && source->many_at_once_) bpf_program__set_expected_attach_type(program, BPF_TRACE_UPROBE_MULTI);
  }
  bpf_map__set_max_entries(skeleton->maps.events, settings.ring_bytes);
  if (settings.inject && source->backend() == Backend::kSysExit)
    return base::fail("injection needs the kernel's socket tracepoints (Linux 6.3 and later), which are not there");
  Injection::configure(*skeleton, settings.inject ? &*settings.inject : nullptr);
  source->injection_settings_ = settings.inject;
  for (const auto& [first, last] : settings.listen_ports)
    for (uint32_t port = first; port <= last; ++port) set_port(*skeleton, port);

  if (const int error = clew_bpf__load(skeleton); error != 0) {
    return base::fail(fmt::format("the kernel refused the BPF programs: {}", std::strerror(-error)));
  }
  if (auto joined = source->programs_.join(*skeleton); !joined) return std::unexpected(std::move(joined).error());
  for (const std::string& executable : settings.executables) want(*skeleton, executable);
  source->ring_ = ring_buffer__new(bpf_map__fd(skeleton->maps.events), on_sample, source.get(), nullptr);
  if (source->ring_ == nullptr) return base::fail(fmt::format("cannot map the ring buffer: {}", std::strerror(errno)));
  source->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // edge: only a wake-up that the kernel side asked for, not each event
  if (source->epoll_ < 0 || epoll_ctl(source->epoll_, EPOLL_CTL_ADD, bpf_map__fd(skeleton->maps.events), &event) != 0)
    return base::fail(fmt::format("cannot wait for the ring buffer: {}", std::strerror(errno)));
  return source;
}

KernelSource::~KernelSource() {
  detach();
  if (epoll_ >= 0) close(epoll_);
  if (ring_ != nullptr) ring_buffer__free(ring_);
  if (skeleton_ != nullptr) clew_bpf__destroy(skeleton_);
}

base::Result<void> KernelSource::attach() {
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton_->obj) {
    if (!bpf_program__autoload(program) || bpf_program__expected_attach_type(program) == BPF_TRACE_ITER) continue;
    if (bpf_program__type(program) != BPF_PROG_TYPE_TRACING) continue;  // attach_probe, Injection
    if (programs_.is_called_by_another(*skeleton_, program)) continue;
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr) return base::fail(fmt::format("cannot attach {}: {}", bpf_program__name(program), std::strerror(errno)));
    links_.push_back(link);
  }
  return injection_settings_ ? injection_.attach(*skeleton_, *injection_settings_) : base::Result<void>();
}

void KernelSource::detach() {
  injection_.detach();
  probes_.clear();
  tls_probes_.clear();
  for (bpf_link* link : links_) bpf_link__destroy(link);
  links_.clear();
}

base::Result<void> KernelSource::select(uint32_t process_id, SelectedBy by) {
  clew_process value{};
  const int fd = bpf_map__fd(skeleton_->maps.processes);
  if (bpf_map_lookup_elem(fd, &process_id, &value) != 0 && injection_.attached()) value.rule = CLEW_RULE_LEAVE;  // until set_rule
  value.selected_by |= static_cast<uint32_t>(by);
  if (bpf_map_update_elem(fd, &process_id, &value, BPF_ANY) != 0)
    return base::fail(fmt::format("cannot select process {}: {}", process_id, std::strerror(errno)));
  __atomic_fetch_or(&skeleton_->bss->selected_filter[(process_id >> 6) & 1023], uint64_t{1} << (process_id & 63), __ATOMIC_SEQ_CST);
  return {};
}

void KernelSource::deselect(uint32_t process_id) {
  probes_.detach(process_id);
  tls_probes_.detach(process_id);
  bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.processes), &process_id);
  __atomic_fetch_add(&skeleton_->bss->selection_epoch, 1, __ATOMIC_SEQ_CST);
}

base::Result<void> KernelSource::set_runtime(uint32_t process_id, uint32_t runtime, const std::array<uint64_t, 8>& layout) {
  clew_runtime_layout values{};
  std::ranges::copy(layout, values.values);
  clew_process process{};
  if (runtime == CLEW_RUNTIME_GO) skeleton_->bss->go_probed = 1;
  const int processes = bpf_map__fd(skeleton_->maps.processes);
  if (bpf_map_lookup_elem(processes, &process_id, &process) != 0) return {};  // it has ended
  process.runtime = runtime;
  if (bpf_map_update_elem(bpf_map__fd(skeleton_->maps.runtimes), &process_id, &values, BPF_ANY) != 0 ||
      bpf_map_update_elem(processes, &process_id, &process, BPF_EXIST) != 0)
    return base::fail(fmt::format("cannot follow the executions of process {}: {}", process_id, std::strerror(errno)));
  __atomic_fetch_add(&skeleton_->bss->selection_epoch, 1, __ATOMIC_SEQ_CST);
  return {};
}

base::Result<void> KernelSource::set_rule(uint32_t process_id, uint32_t rule, bool once) {
  clew_process process{};
  const int processes = bpf_map__fd(skeleton_->maps.processes);
  if (bpf_map_lookup_elem(processes, &process_id, &process) != 0) return {};  // it has ended
  process.rule = rule;
  process.once = once;
  if (bpf_map_update_elem(processes, &process_id, &process, BPF_EXIST) != 0)
    return base::fail(fmt::format("cannot inject for process {}: {}", process_id, std::strerror(errno)));
  return {};
}

base::Result<void> KernelSource::attach_probe(uint32_t process_id, const std::string& program, const std::string& file, uint64_t offset,
                                              bool at_return) {
  bpf_program* const found = bpf_object__find_program_by_name(skeleton_->obj, program.c_str());
  if (found == nullptr) return base::fail(fmt::format("there is no BPF program {}", program));
  // One of many, too: the kernel lets several of those go at a time, and the others one by one, 100 ms each.
  return many_at_once_ ? probes_.attach_all(found, process_id, file, {offset}, {0}, at_return)
                       : probes_.attach(found, process_id, file, offset, at_return);
}

base::Result<uint32_t> KernelSource::attach_tls_probes(uint32_t process_id, const std::string& file, const std::string& key,
                                                       std::span<const TlsProbe> probes) {
  skeleton_->bss->tls_probed = 1;
  const auto number = tls_probes_.attach(process_id, file, key, probes);
  if (number) return *number == 0 ? 0 : 1U << *number;
  if (kill(static_cast<pid_t>(process_id), 0) == 0) counters_.lost("capture", "tls_probes_refused").add(1);
  return std::unexpected(number.error());
}

base::Result<void> KernelSource::set_tls(uint32_t process_id, uint64_t since_ns, uint32_t kinds, uint32_t shared) {
  clew_process process{};
  const int processes = bpf_map__fd(skeleton_->maps.processes);
  if (bpf_map_lookup_elem(processes, &process_id, &process) != 0) return {};  // it has ended
  process.tls_since_ns = since_ns;
  process.tls = kinds;
  process.tls_shared = shared;
  if (bpf_map_update_elem(processes, &process_id, &process, BPF_EXIST) != 0)
    return base::fail(fmt::format("cannot follow the TLS of process {}: {}", process_id, std::strerror(errno)));
  __atomic_fetch_add(&skeleton_->bss->selection_epoch, 1, __ATOMIC_SEQ_CST);
  return {};
}

bool KernelSource::selected_by_tree(uint32_t process_id) const {
  clew_process value{};
  return bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.processes), &process_id, &value) == 0 &&
         (value.selected_by & CLEW_SELECTED_TREE) != 0;
}

base::Result<std::vector<OpenSocket>> KernelSource::look_at_open_sockets(uint32_t process_id) {
  skeleton_->bss->open_sockets_of = process_id;
  bpf_link* link = bpf_program__attach_iter(skeleton_->progs.iter__open_sockets, nullptr);
  if (link == nullptr) return base::fail(fmt::format("cannot look at open sockets: {}", std::strerror(errno)));
  const int fd = bpf_iter_create(bpf_link__fd(link));
  std::vector<OpenSocket> sockets;
  std::array<clew_open_socket, 512> records;
  std::string pending;
  for (ssize_t n = 0; fd >= 0 && (n = read(fd, records.data(), sizeof records)) != 0;) {
    if (n < 0 && errno == EAGAIN) continue;
    if (n < 0) break;
    pending.append(reinterpret_cast<const char*>(records.data()), static_cast<size_t>(n));
    size_t at = 0;
    for (clew_open_socket record; pending.size() - at >= sizeof record; at += sizeof record) {
      std::memcpy(&record, pending.data() + at, sizeof record);
      sockets.push_back({record.tgid, record.listening != 0, record.port});
    }
    pending.erase(0, at);
  }
  if (fd >= 0) close(fd);
  bpf_link__destroy(link);
  if (fd < 0) return base::fail(fmt::format("cannot look at open sockets: {}", std::strerror(errno)));
  if (auto taken = injection_.take_open_sockets(); !taken) return std::unexpected(std::move(taken).error());
  return sockets;
}

int KernelSource::on_sample(void* context, void* data, size_t size) {
  auto* self = static_cast<KernelSource*>(context);
  self->on_event_({static_cast<const std::byte*>(data), size});
  return ++self->samples_ < kSamplesMax ? 0 : -EAGAIN;
}

// Not more than so many: whoever cannot keep up has other things to do, too.
int KernelSource::consume() {
  samples_ = 0;
  const int n = ring_buffer__consume(ring_);
  is_behind_ = samples_ >= kSamplesMax;
  return is_behind_ ? samples_ : n;
}

int KernelSource::drain(std::chrono::milliseconds patience) {
  const bool asleep = idle_rounds_ >= kIdleRounds;
  if (asleep) {
    __atomic_store_n(&skeleton_->bss->consumer_asleep, 1, __ATOMIC_SEQ_CST);
    // What came in between the last look and the flag would wake nobody.
    if (const int n = consume(); n > 0) {
      idle_rounds_ = 0;
      return n;
    }
  }
  epoll_event event{};
  auto wait = asleep ? std::chrono::nanoseconds(patience) : std::min(std::chrono::nanoseconds(patience), pause_);
  if (is_behind_) wait = {};
  const timespec limit = {.tv_sec = wait.count() / 1'000'000'000, .tv_nsec = wait.count() % 1'000'000'000};
  const int ready = epoll_pwait2(epoll_, &event, 1, &limit, nullptr);
  const int wait_error = errno;
  const auto began = std::chrono::steady_clock::now();
  const int n = consume();
  const auto took = std::chrono::steady_clock::now() - began;
  idle_rounds_ = n > 0 ? 0 : idle_rounds_ + 1;
  pause_ = took <= kLook ? pause_ + pause_ / 4 : pause_ * kLook.count() / took.count();
  pause_ = std::clamp(pause_, kPauseMin, kPauseMax);
  if (n <= 0 && ready < 0 && wait_error == EINTR) return -1;
  return n;
}

void KernelSource::update_counters() { copy_counters(*skeleton_, injection_settings_.has_value(), counters_); }

}  // namespace clew::capture
