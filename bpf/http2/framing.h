/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where HTTP/2 frames lie in a stream: enough to show user space every byte but the payload of DATA frames and of types that are not
 * known, and to know where a frame begins. RFC 9113 §4.
 *
 * It goes on with the struct http1_walk of a call, and hands over by the same hooks: http1_load, http1_emit (http1/framing.h). Nothing of a
 * header block is read here, and nothing is kept for a stream: whoever multiplexes thousands costs no more than one. Small payloads of
 * DATA among other frames are handed over as zeros, so that a call with many answers is one event and not one for each.
 *
 * Plain C without kernel helpers: framing_test.cc runs it in user space. Whoever includes it defines, beside the hooks of http1/framing.h,
 *   static u32 http2_frame_begins(struct http2_view *h, u32 at)   a frame's whole header lies at `at`, in the window; behind how many bytes
 * of its payload others stand on the wire, 0: nowhere static void http2_lengthen(struct http2_view *h, u32 at)      … and its header as it
 * is there static bool http2_add(struct http2_view *h, bool those)       puts what is captured aside, and behind it those others; false: no
 * room static bool http2_has_added(struct http2_view *h)             something lies there … static void http2_emit(struct http2_view *h) …
 * and is handed over; if nothing does, what is captured is
 */
#ifndef CLEW_BPF_HTTP2_FRAMING_H
#define CLEW_BPF_HTTP2_FRAMING_H

#define HTTP2_HEADER 9
#define HTTP2_PREFACE 24
#define HTTP2_PREFACE_LINE 16	  /* its first line, that http1/framing.h finds */
#define HTTP2_CLEARED HTTP1_LINE  /* largest payload that is handed over as zeros */
#define HTTP2_CONTROL_MAX 1048576 /* largest frame but DATA */
#define HTTP2_CHAIN 3		  /* frames in a row leave no doubt, and so does one that ends where its call does */

enum http2_type {
	HTTP2_DATA = 0,
	HTTP2_HEADERS = 1,
	HTTP2_PRIORITY = 2,
	HTTP2_RST_STREAM = 3,
	HTTP2_SETTINGS = 4,
	HTTP2_PUSH_PROMISE = 5,
	HTTP2_PING = 6,
	HTTP2_GOAWAY = 7,
	HTTP2_WINDOW_UPDATE = 8,
	HTTP2_CONTINUATION = 9,
};

#define HTTP2_ACK 0x1
#define HTTP2_END_STREAM 0x1
#define HTTP2_PADDED 0x8

enum http2_state {
	HTTP2_NONE = 0,	 /* not this protocol, as far as anybody knows */
	HTTP2_FIRST = 1, /* the first frame is still to come: SETTINGS, or it is not this protocol */
	HTTP2_FRAME = 2, /* a frame begins behind `shown` and `hidden` */
	HTTP2_LOST = 3,	 /* to be found again at the beginning of a call */
};

/* Who may be the client, where no byte of the beginning was seen. */
enum http2_end {
	HTTP2_UNKNOWN_END = 0,
	HTTP2_ACCEPTED = 1,
	HTTP2_CONNECTED = 2,
};

/* One direction of a connection, between calls. */
struct http2_direction {
	u32 shown;	  /* bytes of the frame under way that user space is shown … */
	u8 state;	  /* enum http2_state; in one word with `shown`, see http2_begin_other() */
	u8 ends;	  /* it is the last of its stream */
	u8 header_length; /* of an unfinished frame header */
	u8 padding;
	u32 hidden;	   /* … and those behind them that it is not */
	u8 header[2 * 16]; /* and room to append blindly */
	u32 added_behind;  /* so many more bytes of what is shown, and others stand there; 0: none do */
	u8 due;		   /* enum http2_due */
	u8 plain_head;	   /* among what is captured is a header block without such bytes */
	u8 padding2[2];
} __attribute__((aligned(8)));

#define HTTP2_ADDED 0xffffffffu /* the rest of the frame belongs to them */

enum http2_due {
	HTTP2_DUE_ADDED = 1, /* those bytes come next */
	HTTP2_DUE_REST = 2,  /* what has followed them in their frame is to lie with them */
};

/* walk.flush */
enum http2_flush {
	HTTP2_FLUSH_ADDED = 1,
	HTTP2_FLUSH_ALL = 2,
};

struct http2_view {
	struct http1_view v;
	struct http2_direction *d;
	struct http2_direction *other;
};

static u32 http2_frame_begins(struct http2_view *h, u32 at);
static void http2_lengthen(struct http2_view *h, u32 at);
static bool http2_add(struct http2_view *h, bool those);
static bool http2_has_added(struct http2_view *h);
static void http2_emit(struct http2_view *h);

struct http2_frame {
	u32 length;
	u32 stream;
	u8 type;
	u8 flags;
};

/* As many bytes as a window has, and a header behind them. */
struct http2_window {
	u8 bytes[CLEW_WINDOW + 2 * HTTP1_LINE];
};

static __always_inline struct http2_frame http2_frame_at(const u8 *p)
{
	return (struct http2_frame){
		.length = (u32)p[0] << 16 | (u32)p[1] << 8 | p[2],
		.type = p[3],
		.flags = p[4],
		.stream = (u32)p[5] << 24 | (u32)p[6] << 16 | (u32)p[7] << 8 | p[8],
	};
}

/* Would an endpoint take it? The bit beside the stream's number is to be ignored. */
static __always_inline bool http2_is_frame(const struct http2_frame *f)
{
	u32 stream = f->stream & 0x7fffffff;

	switch (f->type) {
	case HTTP2_DATA:
		return stream;
	case HTTP2_HEADERS:
	case HTTP2_PUSH_PROMISE:
	case HTTP2_CONTINUATION:
		return stream && f->length <= HTTP2_CONTROL_MAX;
	case HTTP2_PRIORITY:
		return stream && f->length == 5;
	case HTTP2_RST_STREAM:
		return stream && f->length == 4;
	case HTTP2_SETTINGS:
		return !stream && (f->flags & HTTP2_ACK ? !f->length : f->length % 6 == 0 && f->length <= HTTP2_CONTROL_MAX);
	case HTTP2_PING:
		return !stream && f->length == 8;
	case HTTP2_GOAWAY:
		return !stream && f->length >= 8 && f->length <= HTTP2_CONTROL_MAX;
	case HTTP2_WINDOW_UPDATE:
		return f->length == 4;
	}
	return f->length <= HTTP2_CONTROL_MAX;
}

/* Flags that are defined for a type: 8 bits each. */
#define HTTP2_FLAGS_LOW 0x00010c0100002d09ull /* DATA … GOAWAY */

/* Would anybody send it, in bytes that may be anything? */
static __always_inline bool http2_is_plausible(const struct http2_frame *f)
{
	u8 flags = f->type == HTTP2_CONTINUATION ? 4 : f->type > 7 ? 0 : (u8)(HTTP2_FLAGS_LOW >> 8 * f->type);

	return f->type <= HTTP2_CONTINUATION && !(f->flags & ~flags) && !(f->stream >> 31) && f->length <= 16384 && http2_is_frame(f);
}

/*
 * 1 if a call of `total` bytes, of which the first `available` are there, begins with a frame. `known`: the other direction is HTTP/2; then
 * a header alone is enough: Go's net/http reads each by itself, and never a frame that ends where its call does.
 */
HTTP1_GLOBAL int http2_begins_frame(const struct http2_window *b, u32 available, u32 total, u32 known)
{
	u32 at = 0;

	if (!b)
		return 0;
	for (u32 i = 0; i < HTTP2_CHAIN; i++) {
		struct http2_frame f;

		if (i && at == total)
			return 1;
		if (at > CLEW_WINDOW - HTTP2_HEADER || at + HTTP2_HEADER > available)
			return 0;
		f = http2_frame_at(b->bytes + at);
		if (!http2_is_plausible(&f))
			return 0;
		if (known && total == HTTP2_HEADER)
			return 1;
		at += HTTP2_HEADER + f.length;
	}
	return 1;
}

/* 1 if these `n` bytes begin with SETTINGS, as a server begins; 2 if with the client's preface. */
HTTP1_GLOBAL int http2_beginning(const struct http1_text *t, u32 n)
{
	struct http2_frame f;

	if (!t)
		return 0;
	if (n >= HTTP2_PREFACE && http1_u64(t->bytes) == HTTP1_WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') &&
	    http1_u64(t->bytes + 8) == HTTP1_WORD('T', 'P', '/', '2', '.', '0', '\r', '\n') &&
	    http1_u64(t->bytes + 16) == HTTP1_WORD('\r', '\n', 'S', 'M', '\r', '\n', '\r', '\n'))
		return 2;
	f = http2_frame_at(t->bytes);
	return n >= HTTP2_HEADER && f.type == HTTP2_SETTINGS && !f.flags && http2_is_plausible(&f);
}

/* The first `n` of them become zeros. */
HTTP1_GLOBAL int http2_clear(struct http1_text *t, u32 n)
{
	if (!t)
		return 0;
#pragma unroll
	for (u32 i = 0; i < HTTP1_LINE; i += 8) {
		u32 clear = n < i ? 0 : n - i;

		*(u64 *)(t->bytes + i) &= clear >= 8 ? 0 : ~0ull << 8 * (clear & 7);
	}
	return 0;
}

/*
 * The other direction begins, unless it has done so already: another thread may go over its bytes just now, and what it has found itself
 * stays. `client`: the preface is to come there, less what HTTP/1 has taken for the beginning of a line.
 */
static __always_inline void http2_begin_other(struct http2_view *h, bool client, bool from_start)
{
	u32 carried = h->v.other->line_length;
	u64 begun = (u64)(from_start ? HTTP2_FIRST : HTTP2_LOST) << 32;

	if (from_start && client && carried < HTTP2_PREFACE)
		begun |= HTTP2_PREFACE - carried;
	__sync_val_compare_and_swap((u64 *)h->other, 0, begun);
}

/* The connection speaks HTTP/2 from here on. `requests`: 1 + direction of the client's bytes, or 0; `d` at a frame, or before the preface.
 */
static __always_inline void http2_begin(struct http2_view *h, u8 requests, bool from_start)
{
	struct http1_walk *w = h->v.w;
	bool client = requests == 1 + w->direction;

	http2_begin_other(h, !client, from_start); /* before all else: it is what http2_may_turn() looks for */
	h->v.d->state = HTTP1_OPAQUE;
	h->v.other->state = HTTP1_OPAQUE;
	h->v.d->line_length = 0;
	h->v.other->line_length = 0;
	h->v.connection->request_direction = requests;
	h->v.connection->known = 1;
	h->d->state = from_start ? HTTP2_FIRST : HTTP2_FRAME;
	if (from_start)
		h->d->shown = client ? HTTP2_PREFACE : 0;
	w->foreign = 0;
	w->ended = 0;
}

static __always_inline void http2_lose(struct http2_view *h)
{
	struct http1_walk *w = h->v.w;

	h->d->state = HTTP2_LOST;
	h->d->shown = 0;
	h->d->hidden = 0;
	h->d->header_length = 0;
	h->d->added_behind = 0;
	h->d->due = 0;
	w->foreign = 1;
	w->offset = w->total;
}

/* What follows a whole header. */
static __always_inline void http2_take_header(struct http2_view *h)
{
	struct http2_direction *d = h->d;
	struct http2_frame f = http2_frame_at(d->header);

	d->header_length = 0;
	if (!http2_is_frame(&f) || (d->state == HTTP2_FIRST && f.type != HTTP2_SETTINGS)) {
		http2_lose(h);
		return;
	}
	d->state = HTTP2_FRAME;
	h->v.w->heads += (((u32)f.type ^ HTTP2_HEADERS) - 1) >> 31; /* 1 of those; no branch, for the verifier */
	d->ends = f.type == HTTP2_DATA && (f.flags & HTTP2_END_STREAM);
	if (f.type == HTTP2_DATA)
		d->shown = f.flags & HTTP2_PADDED && f.length ? 1 : 0; /* how much of it is padding */
	else
		d->shown = f.type <= HTTP2_CONTINUATION ? f.length : 0;
	d->hidden = f.length - d->shown;
}

/* Hands over bytes [offset, offset + n) as well. `begins`: a frame does there. False: what was captured before is to be handed over first.
 */
static __always_inline bool http2_show(struct http2_view *h, u32 n, bool begins)
{
	struct http1_walk *w = h->v.w;
	u32 from = w->offset;

	if (w->capture != HTTP1_NO_CAPTURE && w->capture_end != from) {
		w->flush = HTTP2_FLUSH_ALL;
		return false;
	}
	if (w->capture == HTTP1_NO_CAPTURE) {
		w->capture = from;
		w->begins = begins;
	}
	w->capture_end = from + n;
	w->offset = from + n;
	return true;
}

/* A frame begins whose header is `header`; it is shown next. False: what was captured before is to be handed over first. */
static __always_inline bool http2_begin_frame(struct http2_view *h, bool whole)
{
	struct http1_walk *w = h->v.w;
	struct http2_direction *d = h->d;
	u8 type = d->header[3];

	d->added_behind = whole ? http2_frame_begins(h, w->offset) : 0;
	if (w->capture == HTTP1_NO_CAPTURE)
		d->plain_head = 0;
	if (type != HTTP2_HEADERS && type != HTTP2_CONTINUATION)
		return true;
	if (!d->added_behind) {
		d->plain_head = 1;
		if (http2_has_added(h))
			w->flush = HTTP2_FLUSH_ADDED;
		return true;
	}
	if (!d->plain_head)
		return true;
	w->flush = HTTP2_FLUSH_ALL;
	return false;
}

/* `n` bytes of a frame were shown that is longer on the wire. */
static __always_inline void http2_pass_added(struct http2_direction *d, u32 n)
{
	if (d->added_behind != HTTP2_ADDED) {
		d->added_behind -= n;
		if (d->added_behind)
			return;
		d->due = HTTP2_DUE_ADDED;
		d->added_behind = d->shown ? HTTP2_ADDED : 0;
	} else if (!d->shown) { /* padding */
		d->due = HTTP2_DUE_REST;
		d->added_behind = 0;
	}
}

/* What is to be done before the next byte is looked at. True: something was. */
static __always_inline bool http2_settle(struct http2_view *h)
{
	struct http1_walk *w = h->v.w;
	struct http2_direction *d = h->d;

	if (!w->flush && d->due) {
		if (http2_add(h, d->due == HTTP2_DUE_ADDED))
			d->due = 0;
		else
			w->flush = http2_has_added(h) ? HTTP2_FLUSH_ADDED : HTTP2_FLUSH_ALL;
		return true;
	}
	if (!w->flush && (w->offset < w->total || !http2_has_added(h)))
		return false;
	if (http2_has_added(h) || (w->flush == HTTP2_FLUSH_ALL && w->capture != HTTP1_NO_CAPTURE)) {
		http2_emit(h);
		return true;
	}
	w->flush = 0;
	return d->due != 0;
}

/* One step: a header or a part of one, a window's worth of what is shown, a payload that is not. 1: the call is done. */
static __always_inline long http2_step(struct http2_view *h)
{
	struct http1_walk *w = h->v.w;
	struct http2_direction *d = h->d;
	u32 rest, n;

	if (http2_settle(h))
		return 0;
	rest = w->total - w->offset;
	if (w->offset >= w->total)
		return 1;
	if (!d->shown && d->hidden) {
		u32 from = w->offset;

		n = d->hidden < rest ? d->hidden : rest;
		d->hidden -= n;
		w->offset += n;
		if (!d->hidden && d->ends)
			w->ended = 1;
		if (w->capture != HTTP1_NO_CAPTURE && w->capture_end == from && n <= HTTP2_CLEARED && w->offset <= w->window_end) {
			http2_clear((struct http1_text *)(h->v.data + HTTP1_INDEX(from - w->window)), n);
			w->capture_end = w->offset;
		}
		return 0;
	}
	/* a header that the window cuts is whole in the next one */
	if (w->offset >= w->window_end || (!d->shown && !d->header_length && w->offset + HTTP2_HEADER > w->window_end &&
					   w->window_end < w->total && w->offset > w->window)) {
		if (w->capture != HTTP1_NO_CAPTURE) {
			w->flush = HTTP2_FLUSH_ALL;
			return 0;
		}
		if (http1_load(&h->v, w->offset) < 0) {
			http2_lose(h);
			return 0;
		}
	}
	rest = w->window_end - w->offset;
	if (d->shown) {
		n = d->shown < rest ? d->shown : rest;
		if (d->added_behind && n > d->added_behind)
			n = d->added_behind;
		if (!http2_show(h, n, false))
			return 0;
		d->shown -= n;
		if (d->added_behind)
			http2_pass_added(d, n);
		return 0;
	}
	n = HTTP2_HEADER - (d->header_length & 15);
	if (n > rest)
		n = rest;
	__builtin_memcpy(d->header + (d->header_length & 15), h->v.data + HTTP1_INDEX(w->offset - w->window), 16);
	if (d->header_length + n >= HTTP2_HEADER && !http2_begin_frame(h, n == HTTP2_HEADER))
		return 0;
	if (!http2_show(h, n, d->header_length == 0))
		return 0;
	d->header_length += n;
	if (d->header_length < HTTP2_HEADER)
		return 0;
	http2_take_header(h);
	if (d->added_behind)
		http2_lengthen(h, w->offset - HTTP2_HEADER);
	return 0;
}

/*
 * May it, by what http1/framing.h has made of the call? Then the call is not finished yet, but for what lies before a frame. `begun`: by
 * another thread, which goes over the other direction's bytes at the same time; or it has just found that those are not HTTP/1.
 */
static __always_inline bool http2_may_turn(struct http1_view *v, bool begun)
{
	struct http1_walk *w = v->w;

	if (w->preface || begun)
		return true;
	if (v->connection->switched != 1)
		return w->window == 0 && ((w->at_start && v->d->state == HTTP1_OPAQUE) ||
					  (w->foreign && (w->at_start || !v->connection->known) && !w->carried));
	if (w->line_start >= w->total)
		return false;
	if (w->capture != HTTP1_NO_CAPTURE)
		http1_emit(v, w->line_start);
	return true;
}

/*
 * Does the connection speak HTTP/2 from some byte of this call on, which http1/framing.h has gone over? By the client's preface or the
 * server's first SETTINGS; behind an upgrade by the same; in the middle of a connection by frames. True: http2_step() goes on at w->offset.
 * Nothing is handed over here.
 */
static __always_inline bool http2_turns(struct http2_view *h, u8 end)
{
	struct http1_connection *c = h->v.connection;
	struct http1_walk *w = h->v.w;
	u8 d = w->direction & 1;
	int beginning;

	if (w->preface) {
		http2_begin(h, 1 + d, true);
		h->d->shown = HTTP2_PREFACE - HTTP2_PREFACE_LINE;
		w->offset = w->line_start;
		return true;
	}
	if (h->d->state != HTTP2_NONE) { /* begun by the other direction meanwhile */
		if (h->d->shown && w->origin < HTTP2_PREFACE)
			h->d->shown = HTTP2_PREFACE - w->origin;
		w->capture = HTTP1_NO_CAPTURE;
		w->foreign = 0;
		w->ended = 0;
		w->offset = 0;
		if (w->window)
			w->window_end = w->window = 0;
		return true;
	}
	if (c->switched == 1) {
		c->switched = 2;
		if (http1_load(&h->v, w->line_start) < 0)
			return false;
	}
	beginning = http2_beginning((const struct http1_text *)h->v.data, w->window_end - w->window);
	if (beginning && (w->at_start || c->switched))
		http2_begin(h, beginning == 2 ? 1 + d : 2 - d, true);
	else if (!c->switched && !w->at_start && http2_begins_frame((const struct http2_window *)h->v.data, w->window_end, w->total, 0))
		http2_begin(h, end == HTTP2_UNKNOWN_END ? 0 : end == HTTP2_ACCEPTED ? 1 + CLEW_INGRESS : 1 + CLEW_EGRESS, false);
	else
		return false;
	w->capture = HTTP1_NO_CAPTURE;
	w->offset = w->window;
	return true;
}

/* A direction that was lost is found again, if this call begins with a frame. */
static __always_inline void http2_find(struct http2_view *h)
{
	struct http1_walk *w = h->v.w;

	if (h->d->state != HTTP2_LOST)
		return;
	if (w->offset == 0 && w->window_end == 0 && http1_load(&h->v, 0) < 0)
		return;
	if (w->window == 0 &&
	    http2_begins_frame((const struct http2_window *)h->v.data, w->window_end, w->total, h->other->state == HTTP2_FRAME))
		h->d->state = HTTP2_FRAME;
	else
		http2_lose(h);
}

/* Bytes that passed unseen (sendfile, a hole): 0 if they lie within a payload that is not shown, else the framing is lost. */
static __always_inline int http2_skip(struct http2_view *h, u64 bytes)
{
	struct http2_direction *d = h->d;

	if (d->state == HTTP2_LOST)
		return 0;
	if (!d->shown && bytes <= d->hidden) {
		d->hidden -= (u32)bytes;
		if (!d->hidden && d->ends)
			h->v.w->ended = 1;
		return 0;
	}
	d->state = HTTP2_LOST;
	d->shown = 0;
	d->hidden = 0;
	d->header_length = 0;
	d->added_behind = 0;
	d->due = 0;
	return -1;
}

/* After the last step: hands over what is left, and tells of an end that no captured byte tells. 1: more steps were needed. */
static __always_inline int http2_finish(struct http2_view *h)
{
	struct http1_walk *w = h->v.w;
	int cut = w->offset < w->total;

	if (cut)
		h->d->state = HTTP2_LOST;
	if (w->capture == HTTP1_NO_CAPTURE && (w->ended || cut)) {
		w->capture = w->total;
		w->capture_end = w->total;
		w->begins = 0;
	}
	if (w->capture != HTTP1_NO_CAPTURE)
		http1_emit(&h->v, w->total);
	return cut;
}

#endif
