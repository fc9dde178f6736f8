/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The main backend: tp_btf/sock_send_length and sock_recv_length, which fire once per socket call with its result.
 * Why these: no other system call of any process pays for them, and they know the socket (FEASIBILITY 1). Since 6.3.
 * Misses: splice from a socket to a pipe (no event; seen as a hole in the positions), zero-copy receive (likewise).
 */

static __always_inline struct connection *find_connection(struct scratch *s, struct sock *sk, u32 tgid, bool *is_new)
{
	struct connection *c = bpf_sk_storage_get(&connections, sk, 0, 0);
	struct clew_process *p;

	if (c && c->tgid == tgid && c->epoch == selection_epoch) {
		*is_new = c->id == 0;
		return c;
	}
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (!p || !is_stream(sk))
		return NULL;
	if (!c) {
		c = bpf_sk_storage_get(&connections, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (!c) /* another thread was first */
			c = bpf_sk_storage_get(&connections, sk, 0, 0);
		if (!c) {
			lose(s, CLEW_LOSS_STORAGE, 1);
			return NULL;
		}
	}
	tls_follow(s, c, p, tgid);
	c->tgid = tgid;
	c->runtime = (u8)p->runtime;
	c->tls_kinds = (u8)p->tls;
	c->epoch = selection_epoch;
	*is_new = c->id == 0;
	return c;
}

/* Positions stand behind this call already: the program of that name has seen it. */
static __always_inline bool is_handled(struct connection *c, const struct tcp_positions *tcp, u8 direction)
{
	u8 d = direction & 1;

	return (s32)(tcp->end[d] - c->base[d] - (u32)c->position[d]) <= 0;
}

/*
 * Encrypted bytes of a connection whose plaintext is seen: nothing of them is shown, and no position of theirs is asked for. A connection
 * that user space knows (it has begun in plain text) goes the long way.
 */
static __always_inline bool is_known_cipher(const struct connection *c)
{
	return c->tls_since_ns && c->id && !c->announced && c->direction[0].state == HTTP1_OPAQUE &&
	       c->direction[1].state == HTTP1_OPAQUE && c->has_base;
}

/*
 * 2: the library sends what its caller has given it; 3: the program sends what rustls has made of it. By itself, and not the one that looks
 * at it, for the stack. `moved` 0 or less: nothing was, which matters to rustls alone.
 */
static __noinline int on_cipher(struct scratch *s, struct connection *c, struct sock *sk, int moved, u32 direction)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct tls_key session;
	struct pt_regs *regs;
	int what = 1;

	if (!s || !c)
		return 0;
	if (moved <= 0)
		return rustls_note(s, c, sk, moved, direction);
	if (tls_note(c, sk, s->blocking)) {
		what = direction == CLEW_EGRESS ? 2 : 1;
	} else if (c->tls_kinds & CLEW_TLS_IN_RUSTLS) {
		what = rustls_note(s, c, sk, moved, direction);
	} else if (direction == CLEW_INGRESS) {
		if (c->tls_forked == 1) { /* by a call of the library that began before the child had probes */
			c->tls_forked = 2;
			lose(s, CLEW_LOSS_TLS_LATE, 1);
		}
		regs = (struct pt_regs *)bpf_task_pt_regs(task);
		if (!tls_session_on(sk, &session) && !(task->thread_info.status & TS_COMPAT) && is_call_on(task, regs, sk) &&
		    find_buffer(s, c, CLEW_INGRESS, regs->orig_ax, regs->si, regs->dx) == 0)
			tls_received(s, c, sk, (u32)moved);
		if (c->runtime == CLEW_RUNTIME_NODE)
			begin_node_turn(s, c->id, (u32)(bpf_get_current_pid_tgid() >> 32), false);
	}
	if (c->runtime == CLEW_RUNTIME_CPYTHON)
		tls_note_python(c->tgid, direction);
	c->last_time_ns[direction & 1] = bpf_ktime_get_ns(); /* behind what asks for the one before */
	return what;
}

/* `again`: another program may have seen this call, or not. */
static __always_inline int on_length(struct scratch *s, struct sock *sk, int moved, int flags, u8 direction, bool again)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 tgid = (u32)(pid_tgid >> 32);
	struct tcp_positions tcp, *positions = NULL;
	struct task_struct *task;
	struct pt_regs *regs;
	struct injection *i = NULL;
	struct connection *c;
	bool is_new, readable;
	u32 added = 0, known;
	int what;

	if (moved <= 0) {
		c = bpf_sk_storage_get(&connections, sk, 0, 0);
		if (!c)
			return 0;
		c->mmsg_next[direction] = 0;
		if (moved == 0 && direction == CLEW_INGRESS && (sk->sk_shutdown & 1)) {
			emit_end(s, c, CLEW_END_DIRECTION, CLEW_INGRESS);
			tls_received_all(s, sk);
		}
		if (!(c->tls_kinds & CLEW_TLS_IN_RUSTLS) || direction == CLEW_INGRESS || c->tgid != tgid || !is_known_cipher(c))
			return 0;
	} else {
		c = find_connection(s, sk, tgid, &is_new);
		if (!c)
			return direction == CLEW_INGRESS ? loop_datagram(tgid) : 0;
		if (c->tls_kinds & CLEW_TLS_IN_RUSTLS && c->http.joined)
			rustls_meets(s, c, sk, direction);
	}
	if (is_known_cipher(c)) {
		s->blocking = flags & MSG_DONTWAIT ? 0 : CLEW_BLOCKING;
		what = on_cipher(s, c, sk, moved, direction);
		if (what > 1)
			tls_sends(s, what == 3);
		return 0;
	}
	if (sk->__sk_common.skc_family != AF_UNIX) {
		struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

		if (tp) {
#define DIRECT(field) tp->field
			READ_TCP_POSITIONS(&tcp, DIRECT, sk->__sk_common.skc_flags >> SOCK_DONE & 1);
			if (is_new || !c->has_base)
				READ_TCP_BASES(&tcp, DIRECT, direction, (u32)moved);
			positions = &tcp;
		}
	}
	if (again && positions && !is_new && c->begun[direction] && is_handled(c, positions, direction))
		return 0;
	if (injecting && direction == CLEW_EGRESS && positions) {
		i = bpf_sk_storage_get(&injections, sk, 0, 0);
		known = is_new ? tcp.base[CLEW_EGRESS] : c->base[CLEW_EGRESS] + (u32)c->position[CLEW_EGRESS];
		if (i)
			added = added_bytes(i, known, tcp.end[CLEW_EGRESS]);
		if (i && i->streams)
			added += added_to_streams(bpf_sk_storage_get(&streams, sk, 0, 0), known, tcp.end[CLEW_EGRESS]);
	}
	if (is_new || !c->begun[direction])
		begin_connection(s, c, bpf_get_socket_cookie(sk), positions, direction, (u32)moved + added);
	s->blocking = flags & MSG_DONTWAIT ? 0 : CLEW_BLOCKING;
	if (is_new && c->tls_kinds & CLEW_TLS_GO && positions)
		tls_note_go(s, c, sk);
	if (c->tls_since_ns && positions)
		tls_note(c, sk, s->blocking); /* from now on it is known cipher: what is written now is seen when the library returns */
	if (c->tls_since_ns && positions && c->runtime == CLEW_RUNTIME_CPYTHON)
		tls_note_python(tgid, direction);
	task = bpf_get_current_task_btf();
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	if (task->thread_info.status & TS_COMPAT) {
		lose(s, CLEW_LOSS_COMPAT, 1);
		readable = false;
	} else {
		readable = is_call_on(task, regs, sk) && !(direction == CLEW_INGRESS && (flags & MSG_TRUNC)) &&
			   find_buffer(s, c, direction, regs->orig_ax, regs->si, regs->dx) == 0;
	}
	if (c->tls_since_ns && positions && direction == CLEW_INGRESS && readable) {
		tls_received(s, c, sk, (u32)moved);
		if (c->tls_kinds & CLEW_TLS_IN_RUSTLS)
			rustls_receives(s, c, sk, (u32)moved);
	}
	handle_call(s, c, sk, direction, (u32)moved, added, readable, positions, pid_tgid, i, false, NULL);
	return 0;
}

static __always_inline int on_call(struct sock *sk, int moved, int flags, u8 direction)
{
	struct scratch *s;

	if (!maybe_selected((u32)(bpf_get_current_pid_tgid() >> 32)))
		return 0;
	if (flags & (MSG_OOB | (direction == CLEW_INGRESS ? MSG_PEEK | MSG_ERRQUEUE : 0)))
		return 0;
	if (preemptible)
		s = take_scratch(SCRATCH_TRIES, SCRATCH_TRIES_USERS);
	else
		s = scratch_of(direction == CLEW_EGRESS ? SCRATCH_SEND : SCRATCH_RECEIVE);
	if (!s)
		return 0;
	on_length(s, sk, moved, flags, direction, preemptible && !is_first_try(direction));
	if (preemptible)
		give_back(s);
	return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(tp_btf__sock_send_length, struct sock *sk, int ret, int flags)
{
	OWN_STACK(ctx, send_program);
	return on_call(sk, ret, flags, CLEW_EGRESS);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(tp_btf__sock_recv_length, struct sock *sk, int ret, int flags)
{
	OWN_STACK(ctx, recv_program);
	return on_call(sk, ret, flags, CLEW_INGRESS);
}

#define TRY(n, is_last, call, direction)                                                                                                   \
	SEC("?tp_btf/sock_" #call "_length")                                                                                               \
	int BPF_PROG(tp_btf__sock_##call##_try_##n, struct sock *sk, int ret, int flags)                                                   \
	{                                                                                                                                  \
		if (is_due(sk, n, is_last, direction))                                                                                     \
			bpf_tail_call_static(ctx, &call##_program, 0);                                                                     \
		return 0;                                                                                                                  \
	}

TRY(1, false, send, CLEW_EGRESS)
TRY(2, false, send, CLEW_EGRESS)
TRY(3, false, send, CLEW_EGRESS)
TRY(4, true, send, CLEW_EGRESS)
TRY(1, false, recv, CLEW_INGRESS)
TRY(2, false, recv, CLEW_INGRESS)
TRY(3, false, recv, CLEW_INGRESS)
TRY(4, true, recv, CLEW_INGRESS)
