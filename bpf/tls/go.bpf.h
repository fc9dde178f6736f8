/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go: crypto/tls.(*Conn).Write at its beginning, and Read where it copies plaintext to its caller, which is a call with (to, from, size) in
 * registers (agent/tls/go_probes.h). So no return is probed, which Go could not bear. The session begins with the net.Conn that it works
 * on, from which plain reads lead to the socket; what is found says itself that it is one. Misses: connections wrapped more than once; Go
 * before 1.18; Read where the copy is not inlined.
 */
#ifndef CLEW_BPF_TLS_GO_H
#define CLEW_BPF_TLS_GO_H

/* The socket of a *tls.Conn, with what its first bytes have shown; else as of a connection that was open already. */
static __noinline int go_tls_socket(u64 session, struct tls_socket *socket)
{
	struct socket_of_call found = {};
	struct tls_socket *known;
	struct connection *c;
	struct sock *sk;
	u16 family;

	if (!socket || !go_socket_of(session, &found))
		return 0;
	sk = (struct sock *)found.sk;
	family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if ((family != AF_INET && family != AF_INET6) || !is_stream_read(sk))
		return 0;
	c = by_address ? bpf_map_lookup_elem(&connections_by_address, &found.sk) : NULL;
	known = bpf_map_lookup_elem(&tls_go_sockets, &found.sk);
	if (c) {
		tls_describe(socket, c, sk);
	} else if (known) {
		*socket = *known;
	} else {
		socket->sk = found.sk;
		socket->id = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
		socket->under_way = 1 << CLEW_INGRESS | 1 << CLEW_EGRESS;
	}
	socket->is_inside = 1;
	return socket->id != 0;
}

/* False: nothing is to be shown. */
static __always_inline bool go_moves(struct scratch *s, struct pt_regs *regs, struct tls_call *call)
{
	call->buffer = regs->bx;
	call->moved = (s64)regs->cx;
	/* The receiver: of Write in its register; of Read where its caller has left room for it, above the saved frame pointer and the
	 * return address. */
	if (call->flags & CLEW_TLS_EGRESS)
		call->session = regs->ax;
	else if (bpf_probe_read_user(&call->session, sizeof(call->session), (void *)(regs->bp + 16)))
		return false;
	if (!go_tls_socket(call->session, &s->sends))
		call->inside = NULL;
	return true;
}

#endif
