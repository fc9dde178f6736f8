/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The fallback where the socket tracepoints are absent (before 6.3): tp_btf/sys_exit alone. At exit the registers still hold the
 * arguments, so no enter program and no table of arguments is needed; every system call of every process pays some 80 ns for it
 * (FEASIBILITY 1.3). From a descriptor one comes to the socket by plain reads, so its state cannot lie in socket storage: it lies in
 * a table by the socket's address, checked by the socket's inode number.
 * Misses: calls through io_uring.
 */

static __noinline int is_stream_read(struct sock *sk)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family == AF_INET || family == AF_INET6)
		return BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP;
	return family == AF_UNIX && BPF_CORE_READ(sk, sk_type) == SOCK_STREAM;
}

/* Direction of the call and its flags argument; 0xff: not a call that moves bytes of a socket. */
static __always_inline u8 direction_of(u64 nr, struct pt_regs *regs, u32 *flags, bool *many)
{
	*flags = 0;
	*many = false;
	switch (nr) {
	case NR_recvfrom:
		*flags = (u32)regs->r10;
		return CLEW_INGRESS;
	case NR_recvmsg:
		*flags = (u32)regs->dx;
		return CLEW_INGRESS;
	case NR_recvmmsg:
		*flags = (u32)regs->r10;
		*many = true;
		return CLEW_INGRESS;
	case NR_read:
	case NR_readv:
	case NR_preadv2:
		return CLEW_INGRESS;
	case NR_sendto:
		*flags = (u32)regs->r10;
		return CLEW_EGRESS;
	case NR_sendmsg:
		*flags = (u32)regs->dx;
		return CLEW_EGRESS;
	case NR_sendmmsg:
		*many = true;
		return CLEW_EGRESS;
	case NR_write:
	case NR_writev:
	case NR_pwritev2:
	case NR_sendfile:
	case NR_splice:
		return CLEW_EGRESS;
	}
	return 0xff;
}

struct many {
	struct scratch *s;
	struct connection *c;
	struct sock *sk;
	u64 vector;
};

/* One message of sendmmsg or recvmmsg. */
static long many_step(u32 index, struct many *m)
{
	struct scratch *s = m->s;
	u64 entry = m->vector + sizeof(struct user_mmsghdr) * index;
	u32 moved = 0;

	if (bpf_probe_read_user(&moved, sizeof(moved), (void *)(entry + sizeof(struct user_msghdr)))) {
		lose(s, CLEW_LOSS_READ_USER, 1);
		return 1;
	}
	if (moved) {
		s->iov_index = 0;
		s->iov_offset = 0;
		handle_call(s, m->c, m->sk, s->walk.direction, moved, 0, use_msghdr(s, entry) == 0, NULL, bpf_get_current_pid_tgid(), NULL,
			    true, NULL);
	}
	return 0;
}

static __noinline struct connection *connection_by_address(struct scratch *s, struct socket_of_call *socket, u32 tgid)
{
	struct connection *c = bpf_map_lookup_elem(&connections_by_address, &socket->sk);

	if (c && c->inode == socket->inode)
		return c;
	__builtin_memset(&s->fresh, 0, sizeof(s->fresh));
	s->fresh.inode = socket->inode;
	s->fresh.tgid = tgid;
	if (bpf_map_update_elem(&connections_by_address, &socket->sk, &s->fresh, BPF_ANY)) {
		lose(s, CLEW_LOSS_CONNECTION_MAP, 1);
		return NULL;
	}
	return bpf_map_lookup_elem(&connections_by_address, &socket->sk);
}

/* By itself, for the stack. */
static __noinline int read_positions(struct tcp_sock *tp, struct tcp_positions *tcp, u32 begins, u32 direction, u32 moved)
{
#define READ(field) BPF_CORE_READ(tp, field)
	READ_TCP_POSITIONS(tcp, READ, BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_flags) >> SOCK_DONE & 1);
	if (begins)
		READ_TCP_BASES(tcp, READ, direction, moved);
	return tp != NULL;
}

/* By itself, for the stack. `tcp`: or NULL. */
static __noinline int begin_on_exit(struct scratch *s, struct connection *c, const struct tcp_positions *tcp, u32 direction, u32 moved)
{
	u64 id = (bpf_ktime_get_ns() << 6) | (bpf_get_smp_processor_id() & 63);

	if (!s || !c)
		return 0;
	begin_connection(s, c, id, tcp, (u8)direction, moved);
	return 1;
}

static __always_inline int on_exit(struct pt_regs *regs, long moved, u64 pid_tgid)
{
	u64 nr = regs->orig_ax;
	u32 tgid = (u32)(pid_tgid >> 32), flags, fd = (u32)regs->di;
	struct tcp_positions *positions = NULL;
	struct socket_of_call socket;
	struct clew_process *p;
	struct connection *c;
	struct scratch *s;
	struct sock *sk;
	bool many;
	u8 direction = direction_of(nr, regs, &flags, &many);

	if (direction == 0xff || moved < 0)
		return 0;
	if (flags & (MSG_OOB | (direction == CLEW_INGRESS ? MSG_PEEK | MSG_ERRQUEUE : 0)))
		return 0;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p)
		return 0;
	if (nr == NR_splice) {
		if (!socket_of((u32)regs->dx, &socket)) {
			direction = CLEW_INGRESS;
			if (!socket_of(fd, &socket))
				return 0;
		}
	} else if (!socket_of(fd, &socket)) {
		return 0;
	}
	sk = (struct sock *)socket.sk;
	if (!is_stream_read(sk))
		return 0;
	s = scratch_of(SCRATCH_SEND);
	if (!s)
		return 0;
	if (moved == 0) {
		c = bpf_map_lookup_elem(&connections_by_address, &socket.sk);
		if (c && c->inode == socket.inode && direction == CLEW_INGRESS && (BPF_CORE_READ(sk, sk_shutdown) & 1))
			emit_end(s, c, CLEW_END_DIRECTION, CLEW_INGRESS);
		if (direction == CLEW_INGRESS && (BPF_CORE_READ(sk, sk_shutdown) & 1))
			tls_received_all(s, sk);
		return 0;
	}
	c = connection_by_address(s, &socket, tgid);
	if (!c)
		return 0;
	if (!many && BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX) {
		if (read_positions((struct tcp_sock *)sk, &s->tcp, c->id == 0 || !c->has_base, direction, (u32)moved))
			positions = &s->tcp;
	}
	tls_follow(s, c, p, tgid);
	if (c->id == 0 || !c->begun[direction & 1])
		begin_on_exit(s, c, positions, direction, (u32)moved);
	c->tgid = tgid;
	c->runtime = (u8)p->runtime;
	s->blocking = (flags & MSG_DONTWAIT) || (socket.file_flags & O_NONBLOCK) ? 0 : CLEW_BLOCKING;
	if (many) {
		struct many m = {.s = s, .c = c, .sk = sk, .vector = regs->si};

		s->walk.direction = direction;
		bpf_loop((u32)moved & 1023, many_step, &m, 0); /* UIO_MAXIOV */
		return 0;
	}
	s->readable = !(direction == CLEW_INGRESS && (flags & MSG_TRUNC)) && find_buffer(s, c, direction, nr, regs->si, regs->dx) == 0;
	tls_on_exit(s, c, sk, (u32)moved, direction);
	handle_call(s, c, sk, direction, (u32)moved, 0, s->readable, positions, pid_tgid, NULL, true, NULL);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(tp_btf__sys_exit, struct pt_regs *regs, long ret)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();

	if (!maybe_selected((u32)(pid_tgid >> 32)))
		return 0;
	return on_exit(regs, ret, pid_tgid);
}
