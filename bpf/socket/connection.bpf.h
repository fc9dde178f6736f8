/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A socket's connection: its state in socket storage, its announcement to user space, its positions and its end. */
#ifndef CLEW_BPF_CONNECTION_H
#define CLEW_BPF_CONNECTION_H

/* TCP, MPTCP and Unix streams; everything else is none of our business. MPTCP's socket has no positions of TCP, and its subflows, which do,
 * are no sockets of calls: it is followed as a Unix socket is. */
static __always_inline bool is_stream(struct sock *sk)
{
	u16 family = sk->__sk_common.skc_family;

	if (family == AF_INET || family == AF_INET6)
		return (sk->sk_protocol & ~IPPROTO_MULTIPATH) == IPPROTO_TCP;
	return family == AF_UNIX && sk->sk_type == SOCK_STREAM;
}

static __always_inline void unix_name(struct unix_address *address, u8 *path, u16 *length)
{
	u32 n;

	if (!address)
		return;
	n = (u32)BPF_CORE_READ(address, len);
	if (n <= 2 || n > 2 + CLEW_PATH_SIZE)
		return;
	n -= 2;
	if (n > CLEW_PATH_SIZE)
		return;
	if (bpf_probe_read_kernel(path, n, &address->name[0].sun_path) == 0)
		*length = (u16)n;
}

/* Fills family, ports and addresses. Any kind of pointer to a sock will do. */
static __always_inline void describe_socket(struct sock *sk, struct clew_event_connection *e)
{
	u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	__builtin_memset(e, 0, sizeof(*e));
	if (family == AF_INET) {
		e->family = CLEW_FAMILY_IPV4;
		/* into the event: the stack is small */
		bpf_core_read(e->local_address, 4, &sk->__sk_common.skc_rcv_saddr);
		bpf_core_read(e->peer_address, 4, &sk->__sk_common.skc_daddr);
	} else if (family == AF_INET6) {
		e->family = CLEW_FAMILY_IPV6;
		BPF_CORE_READ_INTO(&e->local_address, sk, __sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8);
		BPF_CORE_READ_INTO(&e->peer_address, sk, __sk_common.skc_v6_daddr.in6_u.u6_addr8);
	} else {
		struct unix_sock *u = (struct unix_sock *)sk;
		struct unix_sock *peer = (struct unix_sock *)BPF_CORE_READ(u, peer);

		e->family = CLEW_FAMILY_UNIX;
		unix_name(BPF_CORE_READ(u, addr), e->local_path, &e->local_path_length);
		if (peer)
			unix_name(BPF_CORE_READ(peer, addr), e->peer_path, &e->peer_path_length);
		return;
	}
	bpf_core_read(&e->local_port, 2, &sk->__sk_common.skc_num);
	bpf_core_read(&e->peer_port, 2, &sk->__sk_common.skc_dport);
	e->peer_port = bpf_ntohs(e->peer_port);
}

/* DESIGN 4, FEASIBILITY 8.1: both ends of every byte, at any age of the connection. */
/* `fin`: the peer's has arrived. It counts as a byte, and a read of the last bytes passes over it. */
#define READ_TCP_POSITIONS(p, get, fin)                                                                                                    \
	do {                                                                                                                               \
		(p)->end[CLEW_INGRESS] = get(copied_seq);                                                                                  \
		if ((fin) && (p)->end[CLEW_INGRESS] == get(rcv_nxt))                                                                       \
			(p)->end[CLEW_INGRESS]--;                                                                                          \
		(p)->end[CLEW_EGRESS] = get(write_seq);                                                                                    \
	} while (0)

#define TCP_LOOKS 16 /* with a pause behind each: the kernel moves the two right after each other */

/*
 * Of each direction's first byte, when a connection begins with a call that has moved `moved` bytes in `direction`. What arrives on another
 * CPU, or interrupts this one, moves the two numbers of a pair one after the other, the count of bytes first (tcp_rcv_nxt_update,
 * tcp_snd_una_update). So a look in between gives too low a base, and the highest of several counts. They end with one in which nothing was
 * moved before this call, which is the first as a rule. The side that called connect() sees its own SYN in bytes_acked.
 */
#define READ_TCP_BASES(p, get, direction, moved)                                                                                           \
	do {                                                                                                                               \
		for (u32 look = 0; look < TCP_LOOKS; look++) {                                                                             \
			u32 in = get(rcv_nxt), out = get(snd_una), received, sent;                                                         \
			asm volatile("" ::: "memory");                                                                                     \
			in -= (u32)get(bytes_received);                                                                                    \
			out -= (u32)get(bytes_acked);                                                                                      \
			if (!look || (s32)(in - (p)->base[CLEW_INGRESS]) > 0)                                                              \
				(p)->base[CLEW_INGRESS] = in;                                                                              \
			if (!look || (s32)(out - (p)->base[CLEW_EGRESS]) > 0)                                                              \
				(p)->base[CLEW_EGRESS] = out;                                                                              \
			received = (p)->end[CLEW_INGRESS] - (p)->base[CLEW_INGRESS];                                                       \
			sent = (p)->end[CLEW_EGRESS] - (p)->base[CLEW_EGRESS];                                                             \
			if ((direction) == CLEW_EGRESS)                                                                                    \
				sent -= (moved);                                                                                           \
			else                                                                                                               \
				received -= (moved);                                                                                       \
			if (!received && sent <= 1)                                                                                        \
				break;                                                                                                     \
			bpf_ktime_get_ns(); /* time for the other number to be moved, too */                                               \
		}                                                                                                                          \
		(p)->accepted = get(inet_conn.icsk_inet.sk.sk_max_ack_backlog);                                                            \
	} while (0)

/*
 * At the first call of each direction. Two threads may come at once, one for each: both write the same of what they share, and a
 * direction's position is set by its own call alone. Bytes of the other one may have been read by a call that is not shown yet, so they say
 * nothing of whether a new connection is seen from its start.
 */
static __always_inline void begin_connection(struct scratch *s, struct connection *c, u64 id, const struct tcp_positions *tcp, u8 direction,
					     u32 moved)
{
	u8 d = direction & 1;
	u32 received = 0, sent = 0;
	bool nothing_before = false;

	if (tcp && !c->has_base) {
		sent = tcp->end[CLEW_EGRESS] - tcp->base[CLEW_EGRESS] - (d == CLEW_EGRESS ? moved : 0);
		/* the side that called connect() sees its own SYN in bytes_acked; a FIN already received shows as one, too */
		c->base[0] = tcp->base[0];
		c->base[1] = tcp->base[1] + (sent == 1 || (sent > 1 && !tcp->accepted));
		c->accepted = tcp->accepted != 0;
		asm volatile("" ::: "memory");
		c->has_base = 1;
	}
	if (tcp) {
		received = tcp->end[CLEW_INGRESS] - c->base[CLEW_INGRESS] - (d == CLEW_INGRESS ? moved : 0);
		sent = tcp->end[CLEW_EGRESS] - c->base[CLEW_EGRESS] - (d == CLEW_EGRESS ? moved : 0);
		nothing_before = (received | sent) == 0;
	}
	if (c->id == 0) {
		c->began_ns = bpf_ktime_get_ns();
		c->from_start = !c->existing || nothing_before;
		c->http.joined = !c->from_start;
		if (c->from_start) /* its first bytes had arrived when it was found open, but nobody had read them */
			c->http.distrusted = 0;
		__sync_val_compare_and_swap(&c->position[d ^ 1], 0, (u64)(d == CLEW_INGRESS ? sent : received));
		s->counters.figures[CLEW_FIGURE_CONNECTIONS]++;
		c->id = id;
	}
	c->begun[d] = 1;
	if (!tcp)
		return;
	c->position[d] = d == CLEW_INGRESS ? received : sent;
	if (c->position[d]) {
		c->from_start = 0;
		c->http.joined = 1;
	}
}

/* Moves the direction to where the kernel says it was before this call; a difference is a hole that no hook showed. */
static __always_inline u64 position_before(struct connection *c, const struct tcp_positions *tcp, u8 direction, u32 moved)
{
	u8 d = direction & 1;

	if (tcp && c->has_base) {
		u32 before = tcp->end[d] - moved - c->base[d];

		return c->position[d] + (s64)(s32)(before - (u32)c->position[d]);
	}
	return c->position[d];
}

/*
 * Unix sockets have no sequence numbers. Both ends know both sockets, by an address that nobody learns, and who has connected or listened:
 * an address is soon used again, for a socket of a process that is not followed, too, while an end that nobody has read from waits here.
 */
static __always_inline u32 unix_base(struct scratch *s, struct sock *sk)
{
	volatile u64 *address = &s->address; /* through memory: the verifier lets nobody reckon with a pointer, and the stack is short */
	u64 name;

	*address = (u64)sk;
	name = *address ^ unix_secret;
	bpf_core_read((void *)address, sizeof(*address), &sk->sk_peer_pid);
	bpf_core_read((void *)address, sizeof(u32), &((struct pid *)*address)->numbers[0].nr);
	return (u32)(((name ^ *address << 40) * 0x9e3779b97f4a7c15ull) >> 32) | 1;
}

static __noinline int announce(struct scratch *s, struct connection *c, struct sock *sk, u64 now)
{
	struct clew_event_connection *e = &s->event.connection;
	u8 requests = c->http.request_direction;

	describe_socket(sk, e);
	e->type = CLEW_EVENT_CONNECTION;
	e->role = requests == 0 ? CLEW_ROLE_UNKNOWN : requests == 1 + CLEW_INGRESS ? CLEW_ROLE_SERVER : CLEW_ROLE_CLIENT;
	e->flags = c->from_start ? CLEW_CONNECTION_FROM_START : 0;
	if (c->tls)
		e->flags |= CLEW_CONNECTION_TLS | c->tls_version << CLEW_CONNECTION_VERSION_SHIFT;
	e->tgid = c->tgid;
	e->time_ns = now;
	e->connection = c->id;
	if (e->family == CLEW_FAMILY_UNIX) {
		struct sock *peer = c->from_start ? BPF_CORE_READ((struct unix_sock *)sk, peer) : NULL;

		e->base[CLEW_INGRESS] = peer ? unix_base(s, peer) : 0;
		e->base[CLEW_EGRESS] = peer ? unix_base(s, sk) : 0;
	} else {
		e->flags |= c->accepted ? CLEW_CONNECTION_ACCEPTED : 0;
		e->base[0] = c->base[0];
		e->base[1] = c->base[1];
	}
	if (submit(s, e, sizeof(*e), CLEW_LOSS_RING_FULL))
		c->announced = 1;
	return c->announced;
}

static __always_inline void emit_end(struct scratch *s, struct connection *c, u8 kind, u8 direction)
{
	struct clew_event_end *e = &s->event.end;
	u8 bit = kind == CLEW_END_DIRECTION ? 1 << (direction & 1) : 0x80;

	if (!c->announced || (c->ended & (bit | 0x80)))
		return;
	c->ended |= bit;
	e->type = CLEW_EVENT_END;
	e->kind = kind;
	e->direction = direction;
	e->padding[0] = 0;
	e->tgid = c->tgid;
	e->time_ns = bpf_ktime_get_ns();
	e->connection = c->id;
	e->position[0] = c->position[0];
	e->position[1] = c->position[1];
	e->last_time_ns[0] = c->last_time_ns[0];
	e->last_time_ns[1] = c->last_time_ns[1];
	submit(s, e, sizeof(*e), CLEW_LOSS_RING_FULL);
}

#endif
