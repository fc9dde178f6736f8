/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which socket a TLS library's call is about, without a look into its structs. A socket call that happens inside of the library's call is
 * on the session's socket. Where the program itself moves the encrypted bytes (memory BIOs: Node.js, asyncio), a read of the library that
 * follows a receive on the same thread is of that socket (FEASIBILITY 4.1: 40,000 of 40,000). Once known it is kept with the session.
 */
#ifndef CLEW_BPF_TLS_THREAD_H
#define CLEW_BPF_TLS_THREAD_H

/* Bit of the direction in which bytes moved last before this call: where the middle of a message may be. */
static __always_inline u8 tls_under_way(const struct connection *c)
{
	if (!c->last_time_ns[0] && !c->last_time_ns[1])
		return c->http.distrusted;
	return c->last_time_ns[1] > c->last_time_ns[0] ? 1 << CLEW_EGRESS : 1 << CLEW_INGRESS;
}

static __always_inline void tls_describe(struct tls_socket *socket, const struct connection *c, struct sock *sk)
{
	socket->sk = (u64)sk;
	socket->id = c->id;
	socket->base[0] = c->base[0];
	socket->base[1] = c->base[1];
	socket->from_start = c->from_start && c->began_ns >= c->tls_since_ns;
	socket->under_way = tls_under_way(c);
}

/* Go's sessions name their sockets themselves. */
static __noinline int tls_note_go(struct connection *c, struct sock *sk)
{
	struct tls_socket socket = {};

	if (!c)
		return 0;
	tls_describe(&socket, c, sk);
	bpf_map_update_elem(&tls_go_sockets, &socket.sk, &socket, BPF_ANY);
	return 1;
}

/* A socket call of a process whose TLS libraries have probes, before its bytes are looked at. */
static __noinline int tls_note(struct connection *c, struct sock *sk, u32 direction, u32 blocking)
{
	struct tls_thread *t =
		bpf_task_storage_get(&tls_threads, bpf_get_current_task_btf(), NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	struct tls_socket *socket;

	if (!t || !c)
		return 0;
	if (t->session) {
		socket = &t->inside;
		/* what comes by the library's own calls is never HTTP on the wire, or the library has left it to the kernel (kTLS) */
		c->direction[0].state = HTTP1_OPAQUE;
		c->direction[1].state = HTTP1_OPAQUE;
		if (socket->sk)
			return 0;
	} else if (direction == CLEW_INGRESS && (!c->http.known || c->direction[0].state == HTTP1_OPAQUE)) {
		socket = &t->received;
	} else {
		return 0;
	}
	tls_describe(socket, c, sk);
	socket->blocking = (u8)blocking;
	socket->is_inside = t->session != 0;
	return 1;
}

#endif
