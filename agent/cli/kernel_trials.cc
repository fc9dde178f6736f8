// SPDX-License-Identifier: Apache-2.0
#include "agent/cli/kernel_trials.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <system_error>

namespace clew::cli {
namespace {

constexpr const char* kVmlinuxBtf = "/sys/kernel/btf/vmlinux";
constexpr size_t kVerifierLogBytes = 16'384;

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

Btf load_kernel_btf() {
  if (access(kVmlinuxBtf, R_OK) != 0) return nullptr;  // asked first, because libbpf would complain on stderr
  return Btf(btf__load_vmlinux_btf());
}

/// The id of a tracepoint's or function's type, or 0.
uint32_t type_id(const btf* types, const std::string& name, uint32_t kind) {
  const int32_t id = types == nullptr ? -1 : btf__find_by_name_kind(types, name.c_str(), kind);
  return id > 0 ? static_cast<uint32_t>(id) : 0;
}

uint32_t tracepoint_id(const btf* types, std::string_view name) {
  return type_id(types, std::string("btf_trace_").append(name), BTF_KIND_TYPEDEF);
}

// The instructions of linux/filter.h, which user space does not get.
constexpr bpf_insn instruction(uint8_t code, unsigned to, unsigned from, int32_t value) {
  bpf_insn result{};
  result.code = code;
  result.dst_reg = to & 0xFU;
  result.src_reg = from & 0xFU;
  result.imm = value;
  return result;
}
constexpr bpf_insn move_imm(unsigned to, int32_t value) { return instruction(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, value); }
constexpr bpf_insn move_reg(unsigned to, unsigned from) { return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0); }
constexpr bpf_insn add_imm(unsigned to, int32_t value) { return instruction(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, value); }
constexpr bpf_insn call(int32_t helper) { return instruction(BPF_JMP | BPF_CALL, 0, 0, helper); }
constexpr bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0); }

constexpr std::array kReturnZero = {move_imm(BPF_REG_0, 0), leave()};
constexpr std::array kReturnOne = {move_imm(BPF_REG_0, 1), leave()};  // SK_PASS
constexpr std::array kReadUserMemory = {move_reg(BPF_REG_1, BPF_REG_10),
                                        add_imm(BPF_REG_1, -8),
                                        move_imm(BPF_REG_2, 8),
                                        move_imm(BPF_REG_3, 0),
                                        call(BPF_FUNC_probe_read_user),
                                        move_imm(BPF_REG_0, 0),
                                        leave()};
constexpr std::array kReadRegistersAndUserMemory = {call(BPF_FUNC_get_current_task_btf),
                                                    move_reg(BPF_REG_1, BPF_REG_0),
                                                    call(BPF_FUNC_task_pt_regs),
                                                    move_reg(BPF_REG_1, BPF_REG_10),
                                                    add_imm(BPF_REG_1, -8),
                                                    move_imm(BPF_REG_2, 8),
                                                    move_imm(BPF_REG_3, 0),
                                                    call(BPF_FUNC_probe_read_user),
                                                    move_imm(BPF_REG_0, 0),
                                                    leave()};

Trial outcome(int fd_or_error, std::string_view log = {}) {
  if (fd_or_error >= 0) {
    close(fd_or_error);
    return {true, 0, {}};
  }
  std::string reason = std::generic_category().message(-fd_or_error);
  // The verifier's log ends with the reason, then a line "processed N insns …".
  while (log.ends_with('\n')) log.remove_suffix(1);
  const size_t processed = log.rfind("processed ");
  if (processed != std::string_view::npos) log = log.substr(0, processed);
  while (log.ends_with('\n')) log.remove_suffix(1);
  const std::string_view last = log.substr(log.rfind('\n') == std::string_view::npos ? 0 : log.rfind('\n') + 1);
  if (!last.empty()) reason.append(": ").append(last);
  return {false, -fd_or_error, std::move(reason)};
}

Trial absent(std::string_view what) { return {false, ENOENT, std::string(what) + " is not in this kernel"}; }

Trial load(bpf_prog_type type, std::span<const bpf_insn> program, bpf_attach_type attach = BPF_CGROUP_INET_INGRESS, uint32_t target = 0) {
  const auto log = std::make_unique<char[]>(kVerifierLogBytes);
  LIBBPF_OPTS(bpf_prog_load_opts, options);
  options.expected_attach_type = attach;
  options.attach_btf_id = target;
  options.log_buf = log.get();
  options.log_size = kVerifierLogBytes;  // libbpf asks for a log only when the first try fails
  const int fd = bpf_prog_load(type, "clew_doctor", "Dual BSD/GPL", program.data(), program.size(), &options);
  return outcome(fd, log.get());
}

Trial load_tracepoint(const btf* types, std::string_view name, std::span<const bpf_insn> program) {
  const uint32_t target = tracepoint_id(types, name);
  if (target == 0) return absent(std::string("tracepoint ").append(name));
  return load(BPF_PROG_TYPE_TRACING, program, BPF_TRACE_RAW_TP, target);
}

Trial load_at_function(const btf* types, const char* name, bpf_attach_type attach) {
  const uint32_t target = type_id(types, name, BTF_KIND_FUNC);
  if (target == 0) return absent(name);
  return load(BPF_PROG_TYPE_TRACING, kReturnZero, attach, target);
}

Trial create_ring_buffer() {
  return outcome(bpf_map_create(BPF_MAP_TYPE_RINGBUF, "clew_doctor", 0, 0, static_cast<uint32_t>(sysconf(_SC_PAGESIZE)), nullptr));
}

/// Socket storage wants its key and value described in BTF.
Trial create_socket_storage() {
  const Btf types(btf__new_empty());
  const int int_id = types == nullptr ? -ENOMEM : btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
  if (int_id < 0) return outcome(int_id);
  const int error = btf__load_into_kernel(types.get());
  if (error < 0) return outcome(error);
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = BPF_F_NO_PREALLOC;
  options.btf_fd = static_cast<uint32_t>(btf__fd(types.get()));
  options.btf_key_type_id = options.btf_value_type_id = static_cast<uint32_t>(int_id);
  return outcome(bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "clew_doctor", 4, 4, 0, &options));
}

int silence(libbpf_print_level /*level*/, const char* /*format*/, va_list /*arguments*/) { return 0; }

/// libbpf prints to stderr what its return values say as well.
class Silence {
 public:
  Silence() : before_(libbpf_set_print(silence)) {}
  ~Silence() { libbpf_set_print(before_); }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

 private:
  libbpf_print_fn_t before_;
};

}  // namespace

std::array<Trial, kTrialKinds> try_kernel() {
  const Silence silence;
  const Btf types = load_kernel_btf();
  std::array<Trial, kTrialKinds> trials;
  const auto at = [&](TrialKind kind) -> Trial& { return trials[static_cast<size_t>(kind)]; };
  at(TrialKind::kRingBuffer) = create_ring_buffer();
  at(TrialKind::kSocketStorage) = create_socket_storage();
  at(TrialKind::kSocketTracepoint) = load_tracepoint(types.get(), "sock_send_length", kReadRegistersAndUserMemory);
  at(TrialKind::kSyscallExit) = load_tracepoint(types.get(), "sys_exit", kReadUserMemory);
  at(TrialKind::kProcessTracepoint) = load_tracepoint(types.get(), "sched_process_exit", kReturnZero);
  at(TrialKind::kOpenSockets) = load_at_function(types.get(), "bpf_iter_task_file", BPF_TRACE_ITER);
  at(TrialKind::kSkMsg) = load(BPF_PROG_TYPE_SK_MSG, kReturnOne, BPF_SK_MSG_VERDICT);
  at(TrialKind::kSockOps) = load(BPF_PROG_TYPE_SOCK_OPS, kReturnOne, BPF_CGROUP_SOCK_OPS);
  at(TrialKind::kUprobe) = load(BPF_PROG_TYPE_KPROBE, kReadUserMemory);
  at(TrialKind::kFunctionEntry) = load_at_function(types.get(), "tcp_sendmsg", BPF_TRACE_FENTRY);
  return trials;
}

std::vector<std::string_view> tracepoints_of_kernel(const std::vector<std::string_view>& names, bool& btf_readable) {
  const Silence silence;
  const Btf types = load_kernel_btf();
  btf_readable = types != nullptr;
  std::vector<std::string_view> found;
  for (std::string_view name : names)
    if (tracepoint_id(types.get(), name) != 0) found.push_back(name);
  return found;
}

}  // namespace clew::cli
