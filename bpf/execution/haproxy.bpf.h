/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * HAProxy: for which client's request one is sent to a server. Not by who runs, but by what the sending connection serves: from its
 * descriptor to struct connection, to its multiplexer, to the stream, to that one's session, to the client's connection, to its socket. So
 * it does not matter on which thread, in which turn, how late or how often a request is sent, nor for whom the connection was begun.
 * Every step is proved by what points back: a connection is the owner of its descriptor, the multiplexer and the stream name who has them.
 * Misses: clients over HTTP/2 and QUIC, and servers over HTTP/2 (their requests are not followed yet).
 *
 * words of a request's bytes to a server: 0 the client's connection, 0: nobody's (a health check, one of a script's own);
 * 1 enum haproxy_mux. Of all else, and where something does not fit: 0, 0.
 */
#ifndef CLEW_BPF_HAPROXY_H
#define CLEW_BPF_HAPROXY_H

enum haproxy_layout {
	HAPROXY_FDTAB = 0,   /* address of the variable fdtab, which points to a struct fdtab for each descriptor */
	HAPROXY_H1S = 1,     /* offset of h1s in struct h1c */
	HAPROXY_SESSION = 2, /* of sess in struct h1s */
};

/* What the connection to the server is to HAProxy. */
enum haproxy_mux {
	HAPROXY_HTTP1 = 1, /* requests: one stream each, and that again if it is tried again */
	HAPROXY_TCP = 2,   /* bytes: all of one client's, in their order */
};

/* The same from 2.2 to 3.5 (include/haproxy/fd-t.h, connection-t.h, session-t.h, obj_type-t.h; src/mux_h1.c, mux_pt.c) */
#define HAPROXY_FDTAB_SIZE 64
#define HAPROXY_FDTAB_OWNER 40
#define HAPROXY_SESSION_ORIGIN 16
#define HAPROXY_OBJ_TYPE_CONN 6
/* handle.fd in struct connection; moved in 3.3, and within 3.2. The descriptor is known, and shows which of them it is. */
#define HAPROXY_HANDLE 104
#define HAPROXY_HANDLE_LATER 120
#define HAPROXY_FD_MAX (1u << 24)
#define HAPROXY_NOBODY ((u32) - 1)

static __always_inline bool haproxy_get(void *into, u32 bytes, u64 address)
{
	return bpf_probe_read_user(into, bytes, (void *)address) == 0;
}

/* Into w->owner: whose `fd` is. */
static __always_inline bool haproxy_owner(struct haproxy_work *w, u32 fd)
{
	return fd < HAPROXY_FD_MAX &&
	       haproxy_get(&w->owner, sizeof(w->owner), w->table + (u64)fd * HAPROXY_FDTAB_SIZE + HAPROXY_FDTAB_OWNER);
}

/* Is that the descriptor of w->connection? Into w->handle: where it stands. */
static __always_inline bool haproxy_has_descriptor(struct haproxy_work *w, u32 fd)
{
	w->handle = w->connection.handle == fd ? HAPROXY_HANDLE : HAPROXY_HANDLE_LATER;
	return w->connection.handle == fd || w->connection.handle_later == fd;
}

/* Into w->session: for which the connection works now, 0: for none. False: not understood. */
static __always_inline bool haproxy_session(struct haproxy_work *w, const struct clew_runtime_layout *layout, u64 connection)
{
	if (!haproxy_get(w->context, sizeof(w->context), w->connection.ctx))
		return false;
	if (w->context[1] == connection) { /* struct mux_pt_ctx; its connection belongs to the session for life */
		w->mux = HAPROXY_TCP;
		w->session = w->connection.owner;
		return true;
	}
	w->mux = HAPROXY_HTTP1;
	return w->context[0] == connection && haproxy_get(&w->h1s, sizeof(w->h1s), w->connection.ctx + layout->values[HAPROXY_H1S]) &&
	       haproxy_get(&w->h1c, sizeof(w->h1c), w->h1s) && w->h1c == w->connection.ctx &&
	       haproxy_get(&w->session, sizeof(w->session), w->h1s + layout->values[HAPROXY_SESSION]);
}

/* The client's descriptor, if the session began with a connection, and that one is still open. */
static __always_inline u32 haproxy_origin(struct haproxy_work *w)
{
	if (!haproxy_get(&w->origin, sizeof(w->origin), w->session + HAPROXY_SESSION_ORIGIN) ||
	    !haproxy_get(&w->kind, sizeof(w->kind), w->origin) || w->kind != HAPROXY_OBJ_TYPE_CONN ||
	    !haproxy_get(&w->fd, sizeof(w->fd), w->origin + w->handle) || !haproxy_owner(w, w->fd) || w->owner != w->origin)
		return HAPROXY_NOBODY;
	return w->fd;
}

/*
 * For whom is sent on the descriptor `fd`: afterwards w->mux is the kind of its connection, w->fd the client's, or HAPROXY_NOBODY. By
 * itself, for the stack.
 */
static __noinline int read_haproxy(struct haproxy_work *w, u32 fd, u32 tgid)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	u64 connection;

	if (!w || !layout || !haproxy_get(&w->table, sizeof(w->table), layout->values[HAPROXY_FDTAB]) || !haproxy_owner(w, fd))
		return false;
	connection = w->owner;
	if (!haproxy_get(&w->connection, sizeof(w->connection), connection) || w->connection.obj_type != HAPROXY_OBJ_TYPE_CONN ||
	    !haproxy_has_descriptor(w, fd) || !haproxy_session(w, layout, connection))
		return false;
	w->fd = haproxy_origin(w);
	return true;
}

/* The client's connection, by its descriptor. 0: we do not know it. */
static __always_inline u64 haproxy_client(struct haproxy_work *w)
{
	struct connection *c;
	struct sock *sk;
	u64 address;

	if (w->fd == HAPROXY_NOBODY || !socket_of(w->fd, &w->socket))
		return 0;
	sk = (struct sock *)w->socket.sk;
	if (!by_address)
		return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	address = w->socket.sk;
	c = bpf_map_lookup_elem(&connections_by_address, &address);
	return c && c->inode == w->socket.inode ? c->id : 0;
}

/* Only what is sent to a server is asked about; the buffer that was read shows that the call is what its registers say. */
static __always_inline void haproxy_sends(struct scratch *s, struct connection *c)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (s->walk.direction != CLEW_EGRESS || c->http.request_direction != 1 + CLEW_EGRESS || !s->readable)
		return;
	if (!read_haproxy(&s->haproxy, (u32)regs->di, s->tgid))
		return;
	s->execution.words[0] = haproxy_client(&s->haproxy);
	s->execution.words[1] = s->haproxy.mux;
}

#endif
