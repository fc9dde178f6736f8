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
	HAPROXY_HANDLE = 1,  /* offset of handle.fd in struct connection */
	HAPROXY_H1S = 2,     /* of h1s in struct h1c */
	HAPROXY_SESSION = 3, /* of sess in struct h1s */
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
#define HAPROXY_FD_MAX (1u << 24)

static __always_inline bool haproxy_get(void *into, u32 bytes, u64 address)
{
	return bpf_probe_read_user(into, bytes, (void *)address) == 0;
}

/* A struct connection that owns `fd` and is owned by it. */
static __always_inline bool haproxy_is_connection(struct haproxy_work *w, const struct clew_runtime_layout *layout, u64 connection, u32 fd)
{
	return haproxy_get(&w->fd, sizeof(w->fd), connection + layout->values[HAPROXY_HANDLE]) && w->fd == fd && fd < HAPROXY_FD_MAX &&
	       haproxy_get(&w->owner, sizeof(w->owner), w->table + (u64)fd * HAPROXY_FDTAB_SIZE + HAPROXY_FDTAB_OWNER) &&
	       w->owner == connection;
}

/* The session that the connection works for now; 0: none, or not understood. */
static __always_inline u64 haproxy_session(struct haproxy_work *w, const struct clew_runtime_layout *layout, u64 connection, u64 *mux)
{
	if (!haproxy_get(w->context, sizeof(w->context), w->connection.ctx))
		return 0;
	if (w->context[1] == connection) { /* struct mux_pt_ctx; its connection belongs to the session for life */
		*mux = HAPROXY_TCP;
		return w->connection.owner;
	}
	*mux = HAPROXY_HTTP1;
	if (w->context[0] != connection || !haproxy_get(&w->h1s, sizeof(w->h1s), w->connection.ctx + layout->values[HAPROXY_H1S]) || !w->h1s)
		return 0;
	if (!haproxy_get(&w->h1c, sizeof(w->h1c), w->h1s) || w->h1c != w->connection.ctx)
		return 0;
	return haproxy_get(&w->session, sizeof(w->session), w->h1s + layout->values[HAPROXY_SESSION]) ? w->session : 0;
}

/* The connection's number, by its descriptor. 0: we do not know it. */
static __always_inline u64 haproxy_client(u32 fd)
{
	struct socket_of_call socket = {};
	struct connection *c;
	struct sock *sk;

	if (!socket_of(fd, &socket))
		return 0;
	sk = (struct sock *)socket.sk;
	if (!by_address)
		return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	c = bpf_map_lookup_elem(&connections_by_address, &socket.sk);
	return c && c->inode == socket.inode ? c->id : 0;
}

/* `fd`: on which the call under way sends. By itself, for the stack. */
static __noinline int read_haproxy(struct clew_execution *e, struct haproxy_work *w, u32 fd, u32 tgid)
{
	struct clew_runtime_layout *layout = bpf_map_lookup_elem(&runtimes, &tgid);
	u64 connection = 0, session, mux = 0;
	u8 kind = 0;

	if (!e || !w || !layout || fd >= HAPROXY_FD_MAX || !haproxy_get(&w->table, sizeof(w->table), layout->values[HAPROXY_FDTAB]))
		return false;
	if (!haproxy_get(&connection, sizeof(connection), w->table + (u64)fd * HAPROXY_FDTAB_SIZE + HAPROXY_FDTAB_OWNER) || !connection)
		return false;
	if (!haproxy_get(&w->connection, sizeof(w->connection), connection) || w->connection.obj_type != HAPROXY_OBJ_TYPE_CONN ||
	    !haproxy_is_connection(w, layout, connection, fd))
		return false;
	session = haproxy_session(w, layout, connection, &mux);
	if (!session || !haproxy_get(&w->origin, sizeof(w->origin), session + HAPROXY_SESSION_ORIGIN))
		return false;
	if (w->origin) {
		if (!haproxy_get(&kind, sizeof(kind), w->origin))
			return false;
		if (kind == HAPROXY_OBJ_TYPE_CONN) {
			if (w->origin == connection || !haproxy_get(&fd, sizeof(fd), w->origin + layout->values[HAPROXY_HANDLE]) ||
			    !haproxy_is_connection(w, layout, w->origin, fd))
				return false;
			e->words[0] = haproxy_client(fd);
		}
	}
	e->words[1] = mux;
	return true;
}

/* Only what is sent to a server is asked about; the buffer that was read shows that the call is what its registers say. */
static __always_inline void haproxy_sends(struct scratch *s, struct connection *c)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);

	if (s->walk.direction == CLEW_EGRESS && c->http.request_direction == 1 + CLEW_EGRESS && s->readable)
		read_haproxy(&s->execution, &s->haproxy, (u32)regs->di, s->tgid);
}

#endif
