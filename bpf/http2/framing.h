/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where HTTP/2 frames lie in a stream: enough to show user space every byte but the payload of DATA frames and of types that are not
 * known, and to know where a frame begins. RFC 9113 §4.
 *
 * It goes on with the struct http1_walk of a call, and hands over by the same hooks. Nothing of a header block is read here, and nothing is
 * kept for a stream: whoever multiplexes thousands costs no more than one. Small payloads of DATA among other frames are handed over as
 * zeros, so that a call with many answers is one event and not one for each.
 *
 * Plain C without kernel helpers: framing_test.cc runs it in user space.
 */
#ifndef CLEW_BPF_HTTP2_FRAMING_H
#define CLEW_BPF_HTTP2_FRAMING_H

#include "turn.h"

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

/* Where its frames begin is not known any more. */
static __always_inline void http2_forget(struct http2_direction *d)
{
	d->state = HTTP2_LOST;
	d->shown = 0;
	d->hidden = 0;
	d->header_length = 0;
	d->added_behind = 0;
	d->due = 0;
}

static __always_inline void http2_lose(struct http2_view *h)
{
	struct http1_walk *w = h->v.w;

	http2_forget(h->d);
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
	http2_forget(d);
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
