/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sk_msg on the sockets of clients: puts a traceparent before the empty line that ends a request's head, or clew's own parent id into one
 * that a proxy passes on. Why this hook: it runs before the bytes leave, may change them, and writes to no process; since 4.20.
 * Sockets come into the map when a selected process connects (sockops) or from among the open ones (iter/tcp); they leave with their
 * connection, when user space takes them out, and with the agent.
 * Two measures keep the stream whole under back-pressure (FEASIBILITY 2.1): what was added is merged with what stands before it, so that it
 * is not left over by itself, and nothing is added where the send buffer is short or something waits to be sent.
 * Misses: kernel TLS and other sockets that the kernel lets into no such map.
 */

/* cookie → socket of a client on which requests may be given a trace context. Written by sockops and iter/tcp; deleted by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, u64);
} injected_sockets SEC(".maps");

#define SEND_BUFFER_SLACK 4096 /* the least that must stay free */
#define WAITS_MAX 32	       /* messages of a connection that was open already and shows no HTTP */
#define MERGE_MAX 8192	       /* messages up to this stay one piece; of longer ones only their first part does */

static __always_inline bool is_zero_copy(struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> bpf_core_enum_value(enum sock_flags, SOCK_ZEROCOPY) & 1;
}

/* Nothing more is done on that connection. */
static __always_inline void leave(struct scratch *s, struct injection *i)
{
	struct clew_event_release *e = &s->event.release;

	i->state = INJECTION_LEAVES;
	__builtin_memset(e, 0, sizeof(*e));
	e->type = CLEW_EVENT_RELEASE;
	e->connection = i->id;
	if (bpf_ringbuf_output(&events, e, sizeof(*e), BPF_RB_FORCE_WAKEUP))
		lose(s, CLEW_LOSS_RING_FULL, 1);
}

/* Whoever writes has been given the socket, or has inherited it: is it a process whose sockets must not be touched? */
static __always_inline bool belongs_to_asker(struct injection *i, u32 tgid)
{
	struct clew_process *p = leave_new_programs ? bpf_map_lookup_elem(&processes, &tgid) : NULL;

	return leave_new_programs && (!p || p->rule == CLEW_RULE_LEAVE || (p->once && !i->once));
}

/* Where TCP's counters stand otherwise than expected, the latest call was taken in part: fine, if what was left out is of a body. */
static __always_inline bool resume(struct injection *i, u32 sequence)
{
	struct http1_direction *d = &i->direction[1];
	u32 taken = sequence - i->body;

	if (sequence == i->expected)
		return true;
	if (!i->has_body || (s32)taken < 0 || taken > i->body_left)
		return false;
	d->line_length = 0;
	d->left = i->body_left - taken;
	d->state = d->left ? i->body_state : i->body_state == HTTP1_BODY ? HTTP1_START : HTTP1_CHUNK_SIZE;
	return true;
}

/* A connection that was open before clew: a whole exchange has been followed on it, and nothing is under way. */
static __always_inline bool is_between_messages(struct connection *c, u32 sequence)
{
	return c && c->id && c->http.known && c->http.requests && c->http.requests == c->http.responses && !c->http.distrusted &&
	       c->http.request_direction == 1 + CLEW_EGRESS && c->direction[0].state == HTTP1_START &&
	       c->direction[1].state == HTTP1_START && !c->direction[0].line_length && !c->direction[1].line_length &&
	       c->base[CLEW_EGRESS] + (u32)c->position[CLEW_EGRESS] == sequence;
}

/* The request that asked for another protocol was followed by capture, too, is answered, and HTTP/1 goes on. */
static __always_inline bool was_not_upgraded(struct connection *c, struct http1_direction *d)
{
	return c && c->http.requests == c->http.responses && !c->http.distrusted && c->direction[CLEW_INGRESS].state == HTTP1_START &&
	       c->base[CLEW_EGRESS] + c->direction[CLEW_EGRESS].begins == d->begins;
}

/* Writes what was decided into the message. Returns how many bytes were added. */
static __always_inline u32 insert(struct sk_msg_md *m, struct scratch *s, struct injection *i, u32 sequence)
{
	u32 done = 0, added = 0, end = 0;
	void *data;

	/* Into one piece, first: kernels before 6.6.143, 6.12.93, 6.18.35 and 7.0.12 damage what follows a place that is not in the first.
	 */
	for (u32 k = 0; k < INSERTIONS_AT_ONCE; k++)
		if (k < s->insertions)
			end = s->insert_at[k] + 2;
	if (bpf_msg_pull_data(m, 0, end, 0)) {
		s->counters.left_alone[CLEW_ALONE_MEMORY] += s->insertions;
		return 0;
	}
	for (int k = INSERTIONS_AT_ONCE - 1; k >= 0; k--) { /* from the end, so that places stay right */
		u32 at = s->insert_at[k];

		if (k >= (int)s->insertions)
			continue;
		if (bpf_msg_push_data(m, at, INJECTED_BYTES, 0)) {
			leave_alone(s, CLEW_ALONE_MEMORY);
			continue;
		}
		if (bpf_msg_pull_data(m, at, at + INJECTED_BYTES, 0)) {
			bpf_msg_pop_data(m, at, INJECTED_BYTES, 0);
			leave_alone(s, CLEW_ALONE_MEMORY);
			continue;
		}
		data = m->data;
		if (data + INJECTED_BYTES > m->data_end) {
			bpf_msg_pop_data(m, at, INJECTED_BYTES, 0);
			leave_alone(s, CLEW_ALONE_MEMORY);
			continue;
		}
		__builtin_memcpy(data, s->insert_text[k], INJECTED_BYTES);
		done |= 1 << k;
	}
	for (u32 k = 0; k < INSERTIONS_AT_ONCE; k++) {
		struct insertion *n = &i->insertions[i->made & (INSERTIONS - 1)];

		if (!(done >> k & 1))
			continue;
		n->sequence = sequence + s->insert_at[k] + added;
		n->updated = 0;
		__builtin_memcpy(n->text, s->insert_text[k], sizeof(n->text));
		i->made++;
		added += INJECTED_BYTES;
		end = s->insert_at[k] + added + 2;
		s->counters.figures[CLEW_FIGURE_INJECTED]++;
	}
	if (added)
		bpf_msg_pull_data(m, 0, s->walk.total + added <= MERGE_MAX ? s->walk.total + added : end, 0);
	return added;
}

static __always_inline void update(struct sk_msg_md *m, struct scratch *s, struct injection *i, u32 sequence)
{
	struct insertion *n = &i->insertions[i->made & (INSERTIONS - 1)];
	void *data;

	if (bpf_msg_pull_data(m, s->update_at, s->update_at + SPAN_ID_TEXT, 0)) {
		leave_alone(s, CLEW_ALONE_MEMORY);
		return;
	}
	data = m->data;
	if (data + SPAN_ID_TEXT > m->data_end) {
		leave_alone(s, CLEW_ALONE_MEMORY);
		return;
	}
	__builtin_memcpy(data, s->update_text, SPAN_ID_TEXT);
	n->sequence = sequence + s->update_end;
	n->updated = 1;
	__builtin_memcpy(n->text, s->update_text, SPAN_ID_TEXT);
	i->made++;
	s->counters.figures[CLEW_FIGURE_UPDATED]++;
}

#include "inject_streams.bpf.h"

static long message_step(u32 index, struct message_call *message)
{
	struct call *call = &message->call;
	struct http1_view v = {
		.w = &call->s->walk,
		.connection = &call->i->http,
		.d = &call->i->direction[1],
		.other = &call->i->direction[0],
		.data = call->s->bytes + SCRATCH_HEADROOM,
		.environment = call,
	};

	return http1_step(&v);
}

/* False: the connection is to be left. */
static __always_inline bool on_message(struct sk_msg_md *m, struct scratch *s, struct injection *i, struct tcp_sock *tp,
				       struct connection *c)
{
	struct message_call call = {.call = {.s = s, .sk = (struct sock *)tp, .i = i}, .message = m};
	struct http1_direction *d = &i->direction[1];
	u32 sequence = tp->write_seq, size = m->size, added = 0, room;
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct http1_walk *w = &s->walk;
	u64 pid_tgid = bpf_get_current_pid_tgid();

	if (is_zero_copy(tp)) {
		/* in one piece: each would be told of by itself when it is done */
		bpf_msg_pull_data(m, 0, size, 0);
		leave_alone(s, CLEW_ALONE_ZERO_COPY);
		return false;
	}
	if (i->state == INJECTION_WAITS) {
		if (!is_between_messages(c, sequence)) {
			if (c && c->http2) { /* what its header blocks refer to is not known */
				leave_alone(s, CLEW_ALONE_MID_STREAM);
				return false;
			}
			if (c && c->http.request_direction == 1 + CLEW_EGRESS)
				leave_alone(s, CLEW_ALONE_MID_STREAM);
			return ++i->waited < WAITS_MAX || (c && c->http.known); /* else it speaks something else */
		}
		i->state = INJECTION_ON;
		i->expected = sequence;
	}
	s->tgid = (u32)(pid_tgid >> 32);
	s->tid = (u32)pid_tgid;
	s->now_ns = bpf_ktime_get_ns();
	s->leave = 0;
	if (belongs_to_asker(i, s->tgid)) {
		leave_alone(s, CLEW_ALONE_LET_GO);
		return false;
	}
	if (i->streams) {
		begin_walk(w, size, CLEW_EGRESS, sequence, false);
		return on_streams(m, s, i, tp) != 0;
	}
	if (!resume(i, sequence)) {
		leave_alone(s, CLEW_ALONE_PARTIAL);
		return false;
	}
	i->has_body = 0;
	if (i->upgrading && d->state == HTTP1_START) {
		if (!was_not_upgraded(c, d)) {
			leave_alone(s, CLEW_ALONE_UPGRADE);
			return false;
		}
		i->upgrading = 0;
	}
	s->position = c && c->has_base ? c->position[CLEW_EGRESS] + (s32)(sequence - c->base[CLEW_EGRESS] - (u32)c->position[CLEW_EGRESS])
				       : sequence - i->base;
	s->insertions = 0;
	s->update_at = HTTP1_NO_CAPTURE;
	begin_walk(w, size, CLEW_EGRESS, sequence, !i->http.known);
	bpf_loop(HTTP1_STEPS_MAX, message_step, &call, 0);
	if (w->foreign && !i->http.known && carries_tls(s)) {
		i->state = INJECTION_TLS;
		return true;
	}
	if (w->preface && injecting_header && !i->once) {
		w->offset = w->line_start;
		return on_streams(m, s, i, tp) != 0;
	}
	if (w->preface || (w->foreign && !i->http.known))
		return false; /* another protocol */
	if (w->foreign || w->offset < w->total || i->http.odd || (d->seen & HTTP1_SEEN_ODD) || d->state >= HTTP1_UNTIL_CLOSE)
		s->leave = s->leave ? s->leave : 1 + CLEW_ALONE_FRAMING;
	if (s->leave) {
		leave_alone(s, s->leave - 1);
		return false;
	}
	room = (u32)(sk->sk_sndbuf - sk->sk_wmem_queued);
	if (s->insertions &&
	    (tp->snd_nxt != sequence || (s32)room < 0 || room < size + INSERTIONS_AT_ONCE * INJECTED_BYTES + SEND_BUFFER_SLACK)) {
		s->counters.left_alone[CLEW_ALONE_SEND_BUFFER] += s->insertions;
		s->insertions = 0;
	}
	if (s->insertions)
		added = insert(m, s, i, sequence);
	else if (s->update_at != HTTP1_NO_CAPTURE)
		update(m, s, i, sequence);
	i->expected = sequence + size + added;
	if (w->body != HTTP1_NO_CAPTURE && (d->state == w->body_state || (!d->line_length && w->body + w->body_left == size))) {
		i->has_body = 1;
		i->body = sequence + w->body + added;
		i->body_left = w->body_left;
		i->body_state = w->body_state;
	}
	return true;
}

SEC("?sk_msg")
int sk_msg__inject(struct sk_msg_md *m)
{
	struct scratch *s = scratch_of(SCRATCH_MESSAGE);
	struct bpf_sock *sk = m->sk;
	struct connection *c;
	struct injection *i;
	struct tcp_sock *tp;

	if (!sk || !s)
		return SK_PASS;
	i = bpf_sk_storage_get(&injections, sk, 0, 0);
	tp = bpf_skc_to_tcp_sock(sk);
	if (!i || !tp)
		return SK_PASS;
	if (i->state == INJECTION_LEAVES) {
		if (is_zero_copy(tp))
			bpf_msg_pull_data(m, 0, m->size, 0);
		return SK_PASS;
	}
	i->passed = 1;
	c = bpf_sk_storage_get(&connections, sk, 0, 0);
	if (__sync_lock_test_and_set(&s->busy, 1)) {
		leave_alone(s, CLEW_ALONE_BUSY); /* TCP's counters will tell that this message passed unseen */
		return SK_PASS;
	}
	if (i->state == INJECTION_TLS)
		encrypted_message(s, i, tp, c);
	else if (!on_message(m, s, i, tp, c))
		leave(s, i);
	s->busy = 0;
	return SK_PASS;
}

#define LET_GO_FLAGS (BPF_SOCK_OPS_RTT_CB_FLAG | BPF_SOCK_OPS_RETRANS_CB_FLAG)

/*
 * What was sent is acknowledged, and nothing of an answer has been read yet: TCP looks at the acknowledgement of a segment before it wakes
 * whoever waits for its data. Of one that was sent again there may be no such look, so it ends there, too.
 */
static __always_inline void let_go(struct bpf_sock_ops *ops, struct injection *i)
{
	u64 key = i->id;

	bpf_sock_ops_cb_flags_set(ops, ops->cb_flags & ~i->flags_set);
	i->state = INJECTION_LEAVES;
	bpf_map_delete_elem(&injected_sockets, &key);
}

/* Into the map; false: it must not be, or cannot. */
static __always_inline bool take_in(struct bpf_sock_ops *ops, struct injection *i, struct tcp_sock *tp)
{
	u64 key = i->id;

	/* something went with the SYN: it is not known where the next message begins */
	if (is_zero_copy(tp) || tp->write_seq != tp->snd_una || tp->bytes_acked > 1)
		return false;
	if (i->once) {
		/* a server that speaks first would be waited for in vain: only such as have answered over HTTP before */
		if (!has_answered(&tp->inet_conn.icsk_inet.sk))
			return false;
		i->flags_set = LET_GO_FLAGS & ~ops->cb_flags;
		if (bpf_sock_ops_cb_flags_set(ops, ops->cb_flags | LET_GO_FLAGS))
			return false;
	}
	return bpf_sock_hash_update(ops, &injected_sockets, &key, BPF_NOEXIST) == 0;
}

SEC("?sockops")
int sockops__connected(struct bpf_sock_ops *ops)
{
	struct clew_process *p;
	struct injection *i;
	struct tcp_sock *tp;
	struct bpf_sock *sk;
	struct scratch *s;
	u32 op = ops->op;

	if (carrying && (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB || op >= BPF_SOCK_OPS_PARSE_HDR_OPT_CB)) {
		sk = ops->sk;
		if (sk)
			on_segment(ops, sk);
		return 1;
	}
	if (op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_RTT_CB && op != BPF_SOCK_OPS_RETRANS_CB)
		return 1;
	sk = ops->sk;
	if (!sk)
		return 1;
	i = bpf_sk_storage_get(&injections, sk, 0, 0);
	if (!i)
		return 1;
	if (op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		if (i->once && i->passed && i->flags_set)
			let_go(ops, i);
		return 1;
	}
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp || i->state != INJECTION_NONE)
		return 1;
	p = bpf_map_lookup_elem(&processes, &i->tgid);
	if (p && p->once) /* seen since it has begun to connect */
		i->once = 1;
	i->base = i->expected = tp->write_seq;
	local_client_connects(tp->write_seq, tp->rcv_nxt);
	i->state = take_in(ops, i, tp) ? INJECTION_ON : INJECTION_LEAVES;
	if (carrying && i->state == INJECTION_ON && bpf_sk_storage_get(&carried_out, sk, 0, BPF_SK_STORAGE_GET_F_CREATE))
		bpf_sock_ops_cb_flags_set(ops, ops->cb_flags | CARRIES_OUT);
	s = scratch_of(SCRATCH_MESSAGE);
	if (s && i->state == INJECTION_LEAVES && !i->once)
		leave_alone(s, is_zero_copy(tp) ? CLEW_ALONE_ZERO_COPY : CLEW_ALONE_SOCKET);
	return 1;
}

/* Its process has loaded something that asks how much a socket holds. */
static __always_inline void release_asker(struct tcp_sock *tp)
{
	struct injection *i = bpf_sk_storage_get(&injections, tp, 0, 0);
	struct clew_process *p;
	u64 key;

	if (!i || i->once || i->state == INJECTION_NONE)
		return;
	p = bpf_map_lookup_elem(&processes, &i->tgid);
	if (!p || !p->once)
		return;
	i->once = 1;
	i->state = INJECTION_LEAVES;
	key = i->id;
	bpf_map_delete_elem(&injected_sockets, &key);
}

/*
 * The sockets that a process holds, whoever has connected them: one that asks how much a socket holds, or is not followed, has inherited
 * them over an exec. Only where the kernel answers wrongly.
 */
SEC("?iter/task_file")
int iter__release_held(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct injection *i;
	struct socket *socket;
	struct sock *sk;
	u64 key;

	if (!ctx->task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	sk = socket ? socket->sk : NULL;
	i = sk ? bpf_sk_storage_get(&injections, sk, 0, 0) : NULL;
	if (!i || i->once)
		return 0;
	i->once = 1;
	i->state = INJECTION_LEAVES;
	key = i->id;
	bpf_map_delete_elem(&injected_sockets, &key);
	return 0;
}

/* Sockets of clients that were open before clew; iter__open_sockets has marked those of selected processes. */
SEC("?iter/tcp")
int iter__inject_open(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	struct clew_process *p;
	struct connection *c;
	struct injection *i;
	struct tcp_sock *tp;
	u64 key;

	if (!common || common->skc_state != TCP_ESTABLISHED || asks_for_names(common))
		return 0;
	tp = bpf_skc_to_tcp_sock(common);
	if (!tp)
		return 0;
	if (releasing_askers) {
		release_asker(tp);
		return 0;
	}
	c = bpf_sk_storage_get(&connections, tp, 0, 0);
	if (!c)
		return 0;
	if (carrying)
		carry_on_open(tp);
	if (tp->inet_conn.icsk_inet.sk.sk_max_ack_backlog) /* it was accepted */
		return 0;
	p = bpf_map_lookup_elem(&processes, &c->tgid);
	if (!p || p->once || p->rule == CLEW_RULE_LEAVE)
		return 0;
	i = bpf_sk_storage_get(&injections, tp, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!i || i->state != INJECTION_NONE)
		return 0;
	i->id = key = bpf_get_socket_cookie(tp);
	i->tgid = c->tgid;
	i->state = INJECTION_WAITS;
	if (carrying)
		bpf_sk_storage_get(&carried_out, tp, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (bpf_map_update_elem(&injected_sockets, &key, common, BPF_NOEXIST))
		i->state = INJECTION_LEAVES;
	return 0;
}
