/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Uprobes in single Go processes (attached by user space, agent/tls/go_probes.h): crypto/tls.(*Conn).Write at its beginning, and Read where it
 * copies plaintext to its caller, which is a call with (to, from, size) in registers. So no return is probed, which Go could not bear. The
 * session begins with the net.Conn that it works on, from which plain reads lead to the socket; what is found says itself that it is one.
 * Misses: connections wrapped more than once; Go before 1.18; Read where the copy is not inlined.
 */

/* The socket of a *tls.Conn, with what its first bytes have shown; else as of a connection that was open already. */
static __noinline int go_tls_socket(u64 session, struct tls_socket *socket)
{
	struct socket_of_call found = {};
	struct tls_socket *known;
	struct sock *sk;
	u16 family;

	if (!socket || !go_socket_of(session, &found))
		return 0;
	sk = (struct sock *)found.sk;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || !is_stream_read(sk))
		return 0;
	known = bpf_map_lookup_elem(&tls_go_sockets, &found.sk);
	if (known) {
		*socket = *known;
	} else {
		socket->sk = found.sk;
		socket->id = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
		socket->under_way = 1 << CLEW_INGRESS | 1 << CLEW_EGRESS;
	}
	socket->is_inside = 1;
	return socket->id != 0;
}

static __always_inline int go_tls_moved(u64 session, u64 buffer, u64 size, u32 flags)
{
	u64 pid_tgid = bpf_get_current_pid_tgid();
	struct tls_socket socket = {};
	struct tls_call call = {.session = session, .buffer = buffer, .moved = (s64)size, .flags = flags, .inside = &socket};
	struct scratch *s = tls_take_scratch();

	if (!s)
		return 0;
	s->counters.figures[CLEW_FIGURE_PROBES]++;
	if (!go_tls_socket(session, &socket))
		call.inside = NULL;
	tls_walk(s, &call, pid_tgid);
	if (flags & CLEW_TLS_EGRESS)
		tls_taken(session, pid_tgid, (s64)size);
	tls_give_back(s);
	return 0;
}

SEC("uprobe")
int uprobe__go_tls_write(struct pt_regs *regs)
{
	return go_tls_moved(regs->ax, regs->bx, regs->cx, CLEW_TLS_EGRESS);
}

/* The receiver of Read lies where its caller has left room for it: above the saved frame pointer and the return address. */
SEC("uprobe")
int uprobe__go_tls_read(struct pt_regs *regs)
{
	u64 session = 0;

	if (bpf_probe_read_user(&session, sizeof(session), (void *)(regs->bp + 16)))
		return 0;
	return go_tls_moved(session, regs->bx, regs->cx, 0);
}
