/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One socket call of a selected process: moves the connection's positions, walks its bytes, hands over what user space needs. */
#ifndef CLEW_BPF_CALL_H
#define CLEW_BPF_CALL_H

struct call {
	struct http1_walk walk; /* first: the walk's hooks find the rest behind it */
	struct scratch *s;
	struct connection *c;
	struct sock *sk;
	u64 now;
	u64 position;
	u32 tgid;
	u32 tid;
};

static __always_inline int http1_load(struct http1_walk *w, u32 offset)
{
	struct call *call = (struct call *)w;
	struct scratch *s = call->s;
	int n = read_buffer(s, offset, w->total);

	if (n < 0) {
		lose(s, CLEW_LOSS_READ_USER, 1);
		return -1;
	}
	w->window = offset;
	w->window_end = offset + (u32)n;
	return 0;
}

static __noinline void emit_data(struct call *call, u64 advanced_to)
{
	struct http1_walk *w = &call->walk;
	struct scratch *s = call->s;
	u32 at = HTTP1_INDEX(w->capture - w->window);
	u32 length = w->capture_end - w->capture;
	struct clew_event_data *e = (void *)(s->bytes + SCRATCH_HEADROOM - sizeof(*e) + at);

	w->capture = HTTP1_NO_CAPTURE;
	w->ended = 0;
	if (!call->c->announced)
		announce(s, call->c, call->sk, call->now);
	if (length > CLEW_WINDOW)
		return;
	e->type = CLEW_EVENT_DATA;
	e->direction = w->direction;
	e->length = (u16)length;
	e->tgid = call->tgid;
	e->time_ns = call->now;
	e->connection = call->c->id;
	e->position = call->position + (w->capture_end - length);
	e->advanced_to = call->position + advanced_to;
	e->tid = call->tid;
	e->padding = 0;
	if (!submit(s, e, sizeof(*e) + length, CLEW_LOSS_RING_FULL))
		lose(s, CLEW_LOSS_RING_FULL_BYTES, length);
}

static __always_inline void http1_emit(struct http1_walk *w, u64 advanced_to)
{
	emit_data((struct call *)w, advanced_to);
}

static long call_step(u32 index, struct call *call)
{
	return http1_step(index, &call->walk);
}

/* `moved` bytes in `direction`; `readable`: s->buffer names them. */
static __always_inline void handle_call(struct call *call, struct scratch *s, struct connection *c, struct sock *sk, u8 direction,
					u32 moved, bool readable, const struct tcp_positions *tcp, u64 pid_tgid)
{
	u8 d = direction & 1;
	struct http1_walk *w = &call->walk;
	u64 before = position_before(c, tcp, d, moved);
	s64 hole = (s64)(before - c->position[d]);

	s->counters.figures[CLEW_FIGURE_CALLS]++;
	call->s = s;
	call->c = c;
	call->sk = sk;
	call->now = bpf_ktime_get_ns();
	call->position = before;
	call->tgid = (u32)(pid_tgid >> 32);
	call->tid = (u32)pid_tgid;
	w->connection = &c->http;
	w->d = &c->direction[d];
	w->other = &c->direction[d ^ 1];
	w->data = s->bytes + SCRATCH_HEADROOM;
	w->total = moved;
	w->offset = 0;
	w->line_start = 0;
	w->window = 0;
	w->window_end = 0;
	w->capture = HTTP1_NO_CAPTURE;
	w->capture_end = 0;
	w->direction = d;
	w->ended = 0;
	w->foreign = 0;
	w->failed = 0;
	c->position[d] = before + moved;
	c->last_time_ns[d] = call->now;
	if (hole > 0 && http1_skip(w, (u64)hole))
		lose(s, CLEW_LOSS_HOLE, (u64)hole);
	if (!readable) {
		if (http1_skip(w, moved))
			lose(s, CLEW_LOSS_UNREADABLE, 1);
		w->offset = moved;
	} else {
		bpf_loop(HTTP1_STEPS_MAX, call_step, call, 0);
	}
	/* a connection that is followed is told of every byte that it is not shown, or a known body would seem unfinished */
	if (w->foreign && c->announced)
		w->ended = 1;
	if (http1_finish(w))
		lose(s, CLEW_LOSS_STEPS, 1);
	if (w->foreign)
		s->counters.figures[CLEW_FIGURE_FOREIGN]++;
}

#endif
