// SPDX-License-Identifier: Apache-2.0
#include "agent/capture/injection.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

// clang-format off: the skeleton needs the types of events.h
#include "bpf/events.h"
#include "bpf/clew.skel.h"
// clang-format on

namespace clew::capture {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

base::Error failed(std::string_view what) { return {fmt::format("{}: {}", what, std::strerror(errno))}; }

// May an sk_msg program reach the storage of a task? Since about 6.15. Tried, for libbpf's own answer is wrong here: it takes a helper that
// a kind of program may not call for one that is there.
bool reaches_task_storage() {
  btf* const types = btf__new_empty();
  const int number = types == nullptr ? -1 : btf__add_int(types, "int", 4, BTF_INT_SIGNED);
  int answer = -1;
  if (number > 0 && btf__load_into_kernel(types) == 0) {
    LIBBPF_OPTS(bpf_map_create_opts, options, .btf_fd = static_cast<uint32_t>(btf__fd(types)),
                .btf_key_type_id = static_cast<uint32_t>(number), .btf_value_type_id = static_cast<uint32_t>(number),
                .map_flags = BPF_F_NO_PREALLOC);
    const Descriptor map(bpf_map_create(BPF_MAP_TYPE_TASK_STORAGE, "clew_trial", 4, 4, 0, &options));
    const bpf_insn program[] = {
        {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_get_current_task_btf},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .off = 0, .imm = map.get()},
        {.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 4, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_task_storage_get},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = SK_PASS},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    };
    if (map.get() >= 0) answer = bpf_prog_load(BPF_PROG_TYPE_SK_MSG, "clew_trial", "Dual BSD/GPL", program, std::size(program), nullptr);
  }
  btf__free(types);
  const Descriptor loaded(answer);
  return answer >= 0;
}

// Some kernels (from 6.6.128, 6.12.75, 6.18.14, 6.19 on; mended in 7.2) tell the owner of a socket in such a map that it has nothing to
// read when it has. Programs that ask and then wait would hang, so a connection of our own is asked first. Returns whether the answer is
// wrong.
base::Result<bool> try_on_ourselves(int map) {
  constexpr std::string_view kSent = "clew?";
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const Descriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const Descriptor client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
      connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return std::unexpected(failed("cannot try injection on a connection of clew's own"));
  const Descriptor server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const uint64_t key = 0;
  const auto value = static_cast<uint64_t>(client.get());
  if (server.get() < 0 || bpf_map_update_elem(map, &key, &value, BPF_ANY) != 0)
    return std::unexpected(failed("the kernel takes no socket into the map for injection"));
  const timeval second{.tv_sec = 1, .tv_usec = 0};
  setsockopt(server.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  setsockopt(client.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
  int readable = -1;
  pollfd wait{.fd = client.get(), .events = POLLIN, .revents = 0};
  std::array<char, 16> answer{};
  const auto size = static_cast<ssize_t>(kSent.size());
  const bool receives = send(server.get(), kSent.data(), kSent.size(), MSG_NOSIGNAL) == size && poll(&wait, 1, 1000) == 1 &&
                        ioctl(client.get(), FIONREAD, &readable) == 0 && recv(client.get(), answer.data(), answer.size(), 0) == size;
  const bool sends = send(client.get(), kSent.data(), kSent.size(), MSG_NOSIGNAL) == size &&
                     recv(server.get(), answer.data(), answer.size(), 0) == size && std::string_view(answer.data(), kSent.size()) == kSent;
  bpf_map_delete_elem(map, &key);
  if (!receives || !sends) return base::fail("injection, tried on a connection of clew's own, lost bytes: nothing is injected");
  return readable != static_cast<int>(size);
}

}  // namespace

void Injection::configure(clew_bpf& skeleton, const InjectionSettings* settings) {
  const bool wanted = settings != nullptr;
  for (bpf_program* program : {skeleton.progs.sk_msg__inject, skeleton.progs.sockops__connected, skeleton.progs.iter__inject_open,
                               skeleton.progs.iter__release_held})
    bpf_program__set_autoload(program, wanted);
  for (bpf_map* map : {skeleton.maps.working, skeleton.maps.served, skeleton.maps.injections, skeleton.maps.local_clients,
                       skeleton.maps.http_servers, skeleton.maps.injected_sockets, skeleton.maps.streams, skeleton.maps.stream_works,
                       skeleton.maps.go_causes, skeleton.maps.received_requests})
    bpf_map__set_autocreate(map, wanted);
  bpf_map__set_max_entries(skeleton.maps.stream_works, static_cast<uint32_t>(std::max(1, libbpf_num_possible_cpus())));
  const bool beside = wanted && settings->tcp_option;
  for (bpf_map* map : {skeleton.maps.carried_out, skeleton.maps.carried_in, skeleton.maps.carried_in_tls, skeleton.maps.listeners})
    bpf_map__set_autocreate(map, beside);
  skeleton.rodata->carrying = beside;
  skeleton.rodata->carrying_tls = beside && reaches_task_storage();  // else the contexts of encrypted requests stay here
  skeleton.rodata->injecting = wanted;
  if (!wanted) return;
  skeleton.rodata->injecting_header = settings->header;
  skeleton.rodata->seed[0] = settings->seed[0];
  skeleton.rodata->seed[1] = settings->seed[1];
  skeleton.rodata->sampling_threshold = settings->sampling_threshold;
  skeleton.rodata->sampling_by_parent = settings->sampling_by_parent;
  skeleton.rodata->sampling_by_state = settings->sampling_by_state;
  skeleton.rodata->reads_forms = settings->reads_forms;
  skeleton.rodata->reads_traceparent = settings->reads_traceparent;
}

base::Result<void> Injection::attach(clew_bpf& skeleton, const InjectionSettings& settings) {
  const int map = bpf_map__fd(skeleton.maps.injected_sockets);
  if (bpf_prog_attach(bpf_program__fd(skeleton.progs.sk_msg__inject), map, BPF_SK_MSG_VERDICT, 0) != 0)
    return std::unexpected(failed("cannot attach the program that injects"));
  skeleton_ = &skeleton;
  const auto tried = try_on_ourselves(map);
  if (!tried) {
    detach();
    return std::unexpected(tried.error());
  }
  misreports_readable_ = *tried;
  skeleton.bss->leave_new_programs = misreports_readable_;
  const Descriptor cgroup(open(settings.cgroup_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (cgroup.get() >= 0) connected_ = bpf_program__attach_cgroup(skeleton.progs.sockops__connected, cgroup.get());
  if (connected_ == nullptr) {
    base::Error error = failed(fmt::format("cannot see new connections of the cgroup {}", settings.cgroup_directory));
    detach();
    return std::unexpected(std::move(error));
  }
  return {};
}

void Injection::detach() {
  if (connected_ != nullptr) bpf_link__destroy(std::exchange(connected_, nullptr));
  if (skeleton_ == nullptr) return;
  bpf_prog_detach2(bpf_program__fd(skeleton_->progs.sk_msg__inject), bpf_map__fd(skeleton_->maps.injected_sockets), BPF_SK_MSG_VERDICT);
  skeleton_ = nullptr;
}

base::Result<void> Injection::take_open_sockets() {
  if (skeleton_ == nullptr) return {};
  return look_at_sockets();
}

void Injection::release_askers() {
  if (skeleton_ == nullptr) return;
  skeleton_->bss->releasing_askers = 1;
  static_cast<void>(look_at_sockets());  // it went well when clew began
  skeleton_->bss->releasing_askers = 0;
}

void Injection::release_held(uint32_t process_id) {
  if (skeleton_ == nullptr || !misreports_readable_) return;
  bpf_iter_link_info which{};
  which.task.pid = process_id;
  LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &which, .link_info_len = sizeof which);
  static_cast<void>(walk(skeleton_->progs.iter__release_held, &options));  // it may be gone
}

base::Result<void> Injection::look_at_sockets() { return walk(skeleton_->progs.iter__inject_open, nullptr); }

base::Result<void> Injection::walk(const bpf_program* program, const bpf_iter_attach_opts* options) {
  bpf_link* link = bpf_program__attach_iter(program, options);
  if (link == nullptr) return std::unexpected(failed("cannot look at open connections"));
  const Descriptor sockets(bpf_iter_create(bpf_link__fd(link)));
  std::array<char, 64> nothing{};
  while (sockets.get() >= 0) {
    const ssize_t n = read(sockets.get(), nothing.data(), nothing.size());
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
  }
  bpf_link__destroy(link);
  if (sockets.get() < 0) return std::unexpected(failed("cannot look at open connections"));
  return {};
}

void Injection::release(uint64_t connection) {
  if (skeleton_ != nullptr) bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.injected_sockets), &connection);
}

}  // namespace clew::capture
