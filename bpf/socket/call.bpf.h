/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One socket call of a selected process: moves the connection's positions, walks its bytes, hands over what user space needs. */
#ifndef CLEW_BPF_CALL_H
#define CLEW_BPF_CALL_H

struct call {
	struct scratch *s;
	struct connection *c;
	struct sock *sk;
};

static __always_inline struct http1_view view_of(struct call *call)
{
	struct scratch *s = call->s;
	struct connection *c = call->c;
	u8 d = s->walk.direction & 1;

	return (struct http1_view){
		.w = &s->walk,
		.connection = &c->http,
		.d = d ? &c->direction[1] : &c->direction[0],
		.other = d ? &c->direction[0] : &c->direction[1],
		.data = s->bytes + SCRATCH_HEADROOM,
		.environment = call,
	};
}

static __always_inline int http1_load(struct http1_view *v, u32 offset)
{
	struct call *call = v->environment;
	struct scratch *s = call->s;
	int n = read_buffer(s, offset, s->walk.total);

	if (n < 0) {
		lose(s, CLEW_LOSS_READ_USER, 1);
		return -1;
	}
	s->walk.window = offset;
	s->walk.window_end = offset + (u32)n;
	return 0;
}

static __noinline int emit_data(struct call *call, u64 advanced_to)
{
	struct scratch *s = call->s;
	struct http1_walk *w = &s->walk;
	u32 at = HTTP1_INDEX(w->capture - w->window);
	u32 length = w->capture_end - w->capture;
	bool executes = call->c->runtime != 0 && read_execution(s, call->c);
	u8 *start = s->bytes + SCRATCH_HEADROOM + at - sizeof(struct clew_event_data);
	u32 size = sizeof(struct clew_event_data) + length;
	struct clew_event_data *e;

	if (executes && call->c->runtime == CLEW_RUNTIME_GO)
		go_caller(&s->execution, call->c, call->sk, w->direction);
	w->capture = HTTP1_NO_CAPTURE;
	w->ended = 0;
	if (!call->c->announced) {
		int announced = announce(s, call->c, call->sk, s->now_ns);

		asm volatile("" : : "r"(announced)); /* as in http1_emit */
	}
	if (length > CLEW_WINDOW)
		return -1;
	if (executes) {
		__builtin_memcpy(start + sizeof(*e) - sizeof(s->execution), &s->execution, sizeof(s->execution));
		start -= sizeof(s->execution);
		size += sizeof(s->execution);
	}
	e = (void *)start;
	e->type = CLEW_EVENT_DATA;
	e->direction = w->direction | (u8)s->blocking | (executes ? CLEW_EXECUTION : 0);
	e->length = (u16)length;
	e->tgid = s->tgid;
	e->time_ns = s->now_ns;
	e->connection = call->c->id;
	e->position = s->position + (w->capture_end - length);
	e->advanced_to = s->position + advanced_to;
	e->tid = s->tid;
	e->other_position = s->other_position;
	asm volatile("" : "+r"(size)); /* so that the bound is there where the verifier looks for it */
	if (size > sizeof(*e) + sizeof(s->execution) + CLEW_WINDOW)
		return -1;
	if (!submit(s, e, size, CLEW_LOSS_RING_FULL)) {
		lose(s, CLEW_LOSS_RING_FULL_BYTES, length);
		return -1;
	}
	return 0;
}

static __always_inline void http1_emit(struct http1_view *v, u64 advanced_to)
{
	int done = emit_data(v->environment, advanced_to);

	/* else the compiler returns nothing, and what happens to lie in R0 may be a pointer to the stack, which the verifier refuses */
	asm volatile("" : : "r"(done));
}

static long call_step(u32 index, struct call *call)
{
	struct http1_view v = view_of(call);

	return http1_step(&v);
}

/* Goes over the bytes of the call that s->walk stands at the beginning of. By itself, for the stack: 512 bytes are all there is
 * before 6.13. */
static __noinline int walk_call(struct scratch *s, struct connection *c, struct sock *sk)
{
	struct call call = {.s = s, .c = c, .sk = sk};
	struct http1_view v = view_of(&call);
	struct http1_walk *w = &s->walk;

	if (s->hole > 0 && http1_skip(&v, (u64)s->hole))
		lose(s, CLEW_LOSS_HOLE, (u64)s->hole);
	if (!s->readable) {
		if (http1_skip(&v, w->total))
			lose(s, CLEW_LOSS_UNREADABLE, 1);
		w->offset = w->total;
	} else {
		bpf_loop(HTTP1_STEPS_MAX, call_step, &call, 0);
	}
	/* a connection that is followed is told at once of bytes that it is not shown: a body that goes on, or a hole */
	if ((w->foreign || s->hole > 0 || !s->readable) && c->announced)
		w->ended = 1;
	if (http1_finish(&v))
		lose(s, CLEW_LOSS_STEPS, 1);
	if (w->foreign)
		s->counters.figures[CLEW_FIGURE_FOREIGN]++;
	return (int)w->offset;
}

/* `moved` bytes in `direction`; `readable`: s->buffer names them. */
static __always_inline void handle_call(struct scratch *s, struct connection *c, struct sock *sk, u8 direction, u32 moved, bool readable,
					const struct tcp_positions *tcp, u64 pid_tgid)
{
	u8 d = direction & 1;
	struct http1_walk *w = &s->walk;
	u64 before = position_before(c, tcp, d, moved);
	int done;

	s->counters.figures[CLEW_FIGURE_CALLS]++;
	s->now_ns = bpf_ktime_get_ns();
	s->position = before;
	s->other_position = tcp ? tcp->end[d ^ 1] - c->base[d ^ 1] : (u32)c->position[d ^ 1];
	s->tgid = (u32)(pid_tgid >> 32);
	s->tid = (u32)pid_tgid;
	s->hole = (s64)(before - c->position[d]);
	s->readable = readable;
	if (c->runtime == CLEW_RUNTIME_NODE && d == CLEW_INGRESS)
		begin_node_turn(s, c->id, s->tgid);
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
	w->at_start = c->from_start && before == 0;
	c->http.distrusted &= 1 << d;
	c->position[d] = before + moved;
	c->last_time_ns[d] = s->now_ns;
	done = walk_call(s, c, sk);
	asm volatile("" : : "r"(done)); /* as in http1_emit */
}

#endif
