/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tp_btf/inet_sock_set_state and tcp_destroy_sock: TCP connections that begin and end, and processes that begin to listen on a wanted port.
 * Why these hooks: they name the socket and fire a few times in a connection's life only. Since 4.16. A connection can be over for
 * TCP while the application has bytes to read, or is in a read of the last: its end is told when the application reads the end or lets go
 * of the socket.
 * Misses: Unix sockets (their end is seen by the EOF that the peer reads, or by the next look at the open ones).
 */

static __always_inline void on_listen(u16 port)
{
	u32 tgid = (u32)(bpf_get_current_pid_tgid() >> 32);
	struct clew_process fresh = {.selected_by = CLEW_SELECTED_RULE, .rule = CLEW_RULE_LEAVE}, *p;
	struct clew_event_process *e;
	struct scratch *s;

	if (!(wanted_ports[port >> 6] >> (port & 63) & 1))
		return;
	s = scratch_of(SCRATCH_STATE);
	if (!s)
		return;
	p = bpf_map_lookup_elem(&processes, &tgid);
	if (p)
		p->selected_by |= CLEW_SELECTED_RULE;
	else if (bpf_map_update_elem(&processes, &tgid, &fresh, BPF_ANY))
		lose(s, CLEW_LOSS_PROCESS_MAP, 1);
	mark_filter(tgid);
	e = &s->event.process;
	__builtin_memset(e, 0, sizeof(*e));
	e->type = CLEW_EVENT_PROCESS;
	e->change = CLEW_PROCESS_LISTEN;
	e->port = port;
	e->tgid = tgid;
	e->selected = 1;
	e->time_ns = bpf_ktime_get_ns();
	bpf_get_current_comm(e->comm, sizeof(e->comm));
	if (bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_FORCE_WAKEUP))
		lose(s, CLEW_LOSS_PROCESS_EVENT, 1);
}

/* In the thread that calls connect(). The sys_exit backend has no name for the connection yet. */
static __always_inline void on_connect(struct sock *sk)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	u32 tgid = (u32)(pid_tgid >> 32);
	struct clew_event_connect *e;
	struct clew_process *p;
	struct scratch *s;

	p = by_address || !maybe_selected(tgid) ? NULL : bpf_map_lookup_elem(&processes, &tgid);
	if (!p)
		return;
	s = scratch_of(SCRATCH_STATE);
	if (!s)
		return;
	if (p->runtime == CLEW_RUNTIME_NODE)
		note_node_connect(s, tgid);
	if (injecting && p->rule != CLEW_RULE_LEAVE && !asks_for_names(&sk->__sk_common)) {
		int done = begin_injection(s, p, sk, pid_tgid);

		asm volatile("" : : "r"(done));
	}
	e = &s->event.connect;
	__builtin_memset(e, 0, sizeof(*e));
	e->type = CLEW_EVENT_CONNECT;
	e->tgid = tgid;
	e->tid = (u32)pid_tgid;
	e->time_ns = bpf_ktime_get_ns();
	e->connection = bpf_get_socket_cookie(sk);
	e->turn = p->runtime == CLEW_RUNTIME_LOOP ? loop_turn_of(tgid) : 0;
	submit(s, e, sizeof(*e), CLEW_LOSS_RING_FULL);
}

static __always_inline void on_state(struct scratch *s, struct connection *c, struct sock *sk, int old_state, int new_state)
{
	switch (new_state) {
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		/* close() has shut both directions down before, shutdown(SHUT_WR) only one */
		if ((sk->sk_shutdown & 3) == 3 && old_state == TCP_ESTABLISHED)
			emit_end(s, c, CLEW_END_CLOSED, CLEW_EGRESS);
		else if (new_state == TCP_LAST_ACK)
			emit_end(s, c, CLEW_END_CLOSED, CLEW_EGRESS);
		else
			emit_end(s, c, CLEW_END_DIRECTION, CLEW_EGRESS);
		break;
	case TCP_CLOSE:
		/* straight from a state in which data could flow: a reset, sent or received, or a time-out */
		c->reset = old_state == TCP_ESTABLISHED || old_state == TCP_CLOSE_WAIT || sk->sk_err;
		break;
	}
}

/* The session whose encrypted bytes the socket carries. When the process has closed that one, it reads nothing more. */
static __noinline int tls_on_state(struct sock *sk, int old_state, int new_state)
{
	struct scratch *s = scratch_of(SCRATCH_STATE);
	struct tls_session *session;
	struct tls_key key;

	if (!s)
		return 0;
	session = tls_session_on(sk, &key);
	if (session)
		on_state(s, &session->c, sk, old_state, new_state);
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(tp_btf__inet_sock_set_state, struct sock *sk, int old_state, int new_state)
{
	struct connection *c;
	struct scratch *s;

	if (new_state == TCP_LISTEN) {
		on_listen(sk->__sk_common.skc_num);
		if (maybe_selected((u32)(bpf_get_current_pid_tgid() >> 32)))
			watch_listener(sk);
		return 0;
	}
	if (new_state == TCP_SYN_SENT) {
		on_connect(sk);
		return 0;
	}
	if (tls_probed)
		tls_on_state(sk, old_state, new_state);
	if (by_address) {
		u64 address = (u64)sk;

		c = bpf_map_lookup_elem(&connections_by_address, &address);
		s = scratch_of(SCRATCH_STATE);
		if (c && s)
			on_state(s, c, sk, old_state, new_state);
		return 0;
	}
	if (!sk->sk_bpf_storage)
		return 0;
	c = bpf_sk_storage_get(&connections, sk, 0, 0);
	if (!c || !c->announced)
		return 0;
	s = scratch_of(SCRATCH_STATE);
	if (s)
		on_state(s, c, sk, old_state, new_state);
	return 0;
}

/* It was over before the probes of its process were there. */
static __noinline int tls_was_late(void)
{
	struct scratch *s = scratch_of(SCRATCH_DESTROY);

	if (s)
		lose(s, CLEW_LOSS_TLS_LATE, 1);
	return 0;
}

static __noinline int tls_destroyed(struct sock *sk)
{
	struct scratch *s = scratch_of(SCRATCH_DESTROY);
	struct tls_session *session;
	u64 address = (u64)sk;
	struct tls_key key;

	session = tls_session_on(sk, &key);
	if (session && s)
		emit_end(s, &session->c, session->c.reset ? CLEW_END_RESET : CLEW_END_CLOSED, CLEW_EGRESS);
	if (session && injecting)
		request_over((struct served *)session->served, session->c.id);
	if (session && session->sk == address)
		bpf_map_delete_elem(&tls_sessions, &key);
	bpf_map_delete_elem(&tls_sockets, &address);
	bpf_map_delete_elem(&tls_go_sockets, &address);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(tp_btf__tcp_destroy_sock, struct sock *sk)
{
	u64 address = (u64)sk;
	struct connection *c;
	struct scratch *s;

	if (go_probed)
		bpf_map_delete_elem(&go_callers, &address);
	if (tls_probed)
		tls_destroyed(sk);
	if (by_address)
		c = bpf_map_lookup_elem(&connections_by_address, &address);
	else
		c = sk->sk_bpf_storage ? bpf_sk_storage_get(&connections, sk, 0, 0) : NULL;
	if (c && c->handshake && c->tls_coming && !c->tls_since_ns)
		tls_was_late();
	if (!c)
		return 0;
	if (injecting) {
		struct served *v = bpf_sk_storage_get(&served, sk, 0, 0);

		if (v)
			request_over(v, c->id);
		local_client_ends(c);
	}
	s = scratch_of(SCRATCH_DESTROY);
	if (s)
		emit_end(s, c, c->reset ? CLEW_END_RESET : CLEW_END_CLOSED, CLEW_EGRESS);
	if (by_address)
		bpf_map_delete_elem(&connections_by_address, &address);
	return 0;
}
