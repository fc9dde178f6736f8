/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A message of HTTP/2 on its way out: goes over its frames, and writes it anew from the first request that is given a trace context to the
 * last. All that is added goes in by one piece of room, so that it is there as a whole or not at all.
 */
#ifndef CLEW_BPF_INJECT_STREAMS_H
#define CLEW_BPF_INJECT_STREAMS_H

/* Of bpf_loop; its beginning is what http1_load() expects. */
struct stream_call {
	struct message_call message;
	struct streams *streams;
	struct stream_work *work;
};

static __always_inline void http2_request_ends(struct http2_sent *v)
{
	struct stream_call *call = v->v.environment;
	int done;

	if (v->v.is_plain) {
		received_request_ends(v);
		return;
	}
	done = stream_request_ends(&call->message.call, call->streams, call->work);

	asm volatile("" : : "r"(done)); /* as in http1_emit */
}

static long stream_step(u32 index, struct stream_call *call)
{
	struct scratch *s = call->message.call.s;
	struct http2_sent v = {
		.v = {.w = &s->walk, .data = s->bytes + SCRATCH_HEADROOM, .environment = call},
		.r = &call->streams->requests,
	};

	return http2_requests_step(&v);
}

/*
 * One piece of the message as it is to be: up to the next request's place, where it gets what is added, or to the beginning of that one's
 * frame, which gets longer by it. The message's data begin with the round's first byte.
 */
static long fill_step(u32 index, struct stream_call *call)
{
	struct stream_work *work = call->work;
	u32 k = work->next & (STREAM_INSERTIONS - 1), from = work->from, to = work->to, n = work->place[k] - from,
	    at = work->frame_at[k] - from;
	u32 behind = from - work->begin, length;
	void *data = call->message.message->data;
	u8 *header;
	int done;

	if (work->next >= work->n || to >= STREAM_ROUND || behind >= STREAM_ROUND)
		return 1;
	if (n > STREAM_CHUNK)
		n = STREAM_CHUNK;
	if (at < n && at + 3 > n) /* the frame's length is cut */
		n = at;
	if (bpf_probe_read_kernel(work->bytes + (to & (STREAM_ROUND - 1)), n, data + behind))
		return 1;
	if (at < n) {
		header = work->bytes + ((to + at) & (2 * STREAM_ROUND - 1));
		length = ((u32)header[0] << 16 | (u32)header[1] << 8 | header[2]) + STREAM_FIELD;
		header[0] = (u8)(length >> 16);
		header[1] = (u8)(length >> 8);
		header[2] = (u8)length;
	}
	to += n;
	work->from = from + n;
	work->to = to;
	if (work->from != work->place[k])
		return 0;
	done = write_stream_text((struct stream_text *)(work->bytes + (to & (2 * STREAM_ROUND - 1))), work->connection,
				 work->sequence + work->frame_at[k] + k * STREAM_FIELD, call->streams, call->streams->made + k);
	asm volatile("" : : "r"(done)); /* as in http1_emit */
	work->to = to + STREAM_FIELD;
	work->next++;
	return 0;
}

#define WRITE_STEP 64

/* Writes a piece of the round into the message, whose data begin where the first one is to stand. */
static long write_step(u32 index, struct stream_call *call)
{
	u32 at = index * WRITE_STEP, all = call->work->to;
	u8 *bytes = call->work->bytes;
	void *to = call->message.message->data;

	if (all < WRITE_STEP || all > 2 * STREAM_ROUND || at >= all)
		return 1;
	if (at > all - WRITE_STEP)
		at = all - WRITE_STEP;
	to += at;
	if (to + WRITE_STEP > call->message.message->data_end)
		return 1;
	bytes += at & (2 * STREAM_ROUND - 1);
	for (u32 i = 0; i < WRITE_STEP; i += 8)
		*(u64 *)(to + i) = *(u64 *)(bytes + i);
	return 0;
}

/* Behind the room that was made lies the message as it was; what is written never reaches what is still to be read. */
static long round_step(u32 index, struct stream_call *call)
{
	struct sk_msg_md *m = call->message.message;
	struct stream_work *work = call->work;
	u32 from = work->from, at = from + work->next * STREAM_FIELD, last = work->place[(work->n - 1) & (STREAM_INSERTIONS - 1)];
	u32 to = from + STREAM_ROUND + STREAM_CHUNK;

	if (work->next >= work->n)
		return 1;
	/* it is one piece already: only the window on it is moved */
	if (bpf_msg_pull_data(m, from + work->added, (to < last ? to : last) + work->added, 0))
		return 1;
	work->begin = from;
	work->to = 0;
	bpf_loop(STREAM_ROUND, fill_step, call, 0);
	if (bpf_msg_pull_data(m, at, at + work->to, 0))
		return 1;
	bpf_loop(2 * STREAM_ROUND / WRITE_STEP, write_step, call, 0);
	return 0;
}

/* Returns how many bytes were added: all or none. */
static __always_inline u32 insert_into_streams(struct stream_call *call, u32 size)
{
	struct stream_work *work = call->work;
	u32 n = work->n, added = n * STREAM_FIELD, first = work->frame_at[0], last;
	struct sk_msg_md *m = call->message.message;

	last = work->place[(n - 1) & (STREAM_INSERTIONS - 1)];
	/* into one piece, as in insert() */
	if (n > STREAM_INSERTIONS || bpf_msg_pull_data(m, 0, last, 0))
		return 0;
	/* in front of the first frame: never at the very end of the message, where there may be no room made */
	if (bpf_msg_push_data(m, first, added, 0))
		return 0;
	if (bpf_msg_pull_data(m, 0, size + added <= MERGE_MAX ? size + added : last + added, 0)) {
		bpf_msg_pop_data(m, first, added, 0);
		return 0;
	}
	work->added = added;
	work->next = 0;
	work->from = first;
	bpf_loop(STREAM_PLACE_MAX / STREAM_CHUNK, round_step, call, 0);
	return added;
}

/* For capture. */
static __always_inline void note_streams(struct scratch *s, struct streams *t, struct stream_work *work)
{
	for (u32 k = 0; k < STREAM_INSERTIONS; k++) {
		struct stream_insertion *n = stream_insertion_at(t, t->made);

		if (k >= work->n)
			break;
		n->frame = work->sequence + work->frame_at[k] + k * STREAM_FIELD;
		n->place = work->sequence + work->place[k] + k * STREAM_FIELD;
		t->made++;
	}
	s->counters.figures[CLEW_FIGURE_INJECTED] += work->n;
}

/* A message that TCP has taken in part: fine, if what was left out is of a body. */
static __always_inline bool resume_streams(struct injection *i, struct http2_requests *r, u32 sequence)
{
	u32 taken = sequence - i->body;

	if (sequence == i->expected)
		return true;
	if (!i->has_body || (s32)taken < 0 || taken > i->body_left)
		return false;
	r->left = (u32)i->body_left - taken;
	r->is_data = 1;
	r->carried = 0;
	return true;
}

/* Will TCP take all of it at once? As sk_stream_memory_free() decides. */
static __always_inline bool has_room(struct tcp_sock *tp, u32 size)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	u32 room = (u32)(sk->sk_sndbuf - sk->sk_wmem_queued), waits = tp->write_seq - tp->snd_nxt, limit = tp->notsent_lowat;

	if ((s32)room < 0 || room < size + SEND_BUFFER_SLACK)
		return false;
	if (!waits)
		return true;
	if (!limit)
		limit = BPF_CORE_READ(sk, __sk_common.skc_net.net, ipv4.sysctl_tcp_notsent_lowat);
	return limit > waits && limit - waits > size;
}

/* As on_message(), of a connection that speaks HTTP/2 from walk.offset on. Returns 0: it is to be left. */
static __noinline int on_streams(struct sk_msg_md *m, struct scratch *s, struct injection *i, struct tcp_sock *tp)
{
	struct stream_call call = {.message = {.call = {.s = s, .sk = (struct sock *)tp, .i = i}, .message = m}};
	u32 sequence = tp->write_seq, size = m->size, cpu = bpf_get_smp_processor_id(), more, added = 0;
	struct http1_walk *w = &s->walk;
	struct stream_work *work = bpf_map_lookup_elem(&stream_works, &cpu);
	struct streams *t = bpf_sk_storage_get(&streams, m->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	struct http2_sent v = {.v = {.w = w}};

	if (!t || !work) {
		leave_alone(s, CLEW_ALONE_SOCKET);
		return 0;
	}
	if (!i->streams) {
		i->streams = 1;
		http2_requests_begin(&t->requests);
	} else if (!resume_streams(i, &t->requests, sequence)) {
		leave_alone(s, CLEW_ALONE_PARTIAL);
		return 0;
	}
	i->has_body = 0;
	call.streams = t;
	call.work = work;
	work->n = 0;
	work->connection = i->id;
	work->sequence = sequence;
	bpf_loop(HTTP1_STEPS_MAX, stream_step, &call, 0);
	v.r = &t->requests;
	if (http2_requests_finish(&v) || t->requests.state == HTTP2_REQUESTS_FAILED) {
		leave_alone(s, s->leave ? s->leave - 1 : CLEW_ALONE_FRAMING);
		return 0;
	}
	more = work->n * STREAM_FIELD;
	if (more) {
		if (!has_room(tp, size + more)) {
			s->counters.left_alone[CLEW_ALONE_SEND_BUFFER] += work->n;
		} else {
			added = insert_into_streams(&call, size);
			if (!added)
				s->counters.left_alone[CLEW_ALONE_MEMORY] += work->n;
			else
				note_streams(s, t, work);
		}
	}
	i->expected = sequence + size + added;
	if (w->body != HTTP1_NO_CAPTURE && w->body + w->body_left >= size) {
		i->has_body = 1;
		i->body = sequence + w->body + added;
		i->body_left = w->body_left;
	}
	return 1;
}

#endif
