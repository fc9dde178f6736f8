/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where HTTP/1 heads, chunk sizes and trailers lie in a stream, and where bodies do: enough to show user space every byte of the
 * former and none of the latter, and to know a verified message start. RFC 9112.
 *
 * One `struct http1_walk` goes over the bytes of one socket call, in windows of CLEW_WINDOW bytes; the state between calls is one
 * `struct http1_direction` per direction (walk.h). A line that is cut by the end of a window or call is carried over by its first
 * HTTP1_LINE bytes. User space parses again, strictly, and has the last word on what a message is.
 *
 * Plain C without kernel helpers, so that the same code is tested in user space (framing_test.cc).
 */
#ifndef CLEW_BPF_HTTP1_FRAMING_H
#define CLEW_BPF_HTTP1_FRAMING_H

#include "contexts.h"
#include "message.h"

#define HTTP1_VERSION HTTP1_WORD(' ', 'H', 'T', 'T', 'P', '/', '1', '.')

/* Keeps the part [line_start, to) of a line that goes on in the next window or call. */
static __always_inline void http1_carry(struct http1_view *v, u32 to)
{
	struct http1_walk *w = v->w;
	struct http1_direction *d = v->d;
	const u8 *from = v->data + HTTP1_INDEX(w->line_start - w->window);
	u32 n = to - w->line_start;
	u32 at = d->line_length;

	if (at < HTTP1_LINE) /* what is copied beyond `n` is overwritten by the next part, or never looked at */
		__builtin_memcpy(d->line + (at & (HTTP1_LINE - 1)), from, HTTP1_LINE);
	d->line_length = at + n;
	w->line_start = to;
}

/*
 * Bytes at a message start that are no start line, or a line without end: the rest of the call is passed over. A connection that begins so,
 * or goes on so behind a header of the PROXY protocol, speaks another protocol, whatever its messages carry.
 */
static __always_inline void http1_pass_over(struct http1_view *v)
{
	struct http1_walk *w = v->w;

	v->d->line_length = 0;
	v->d->state = HTTP1_START;
	if ((w->at_start | v->connection->proxied) && !v->connection->known) {
		v->d->state = HTTP1_OPAQUE;
		v->other->state = HTTP1_OPAQUE;
	}
	w->foreign = 1;
	w->offset = w->total;
}

/*
 * The PROXY protocol's binary header looks like two empty lines and one that is none. Its first bytes are shown, its addresses are not.
 * Few branches, for the verifier.
 */
static __always_inline bool http1_pass_proxy_block(struct http1_view *v)
{
	struct http1_walk *w = v->w;
	u32 available = w->window_end & (0 - (u32)(w->at_start & (w->window == 0)));
	u32 block = http1_proxy_block(v->connection, (const struct http1_text *)v->data, available);

	if (!block)
		return false;
	w->capture = 0;
	w->capture_end = HTTP1_PROXY_BLOCK;
	w->offset = HTTP1_PROXY_BLOCK;
	w->line_start = HTTP1_PROXY_BLOCK;
	v->d->left = block & 0xffff;
	v->d->state = (u8)(HTTP1_BODY * (v->d->left != 0)); /* else HTTP1_START */
	return true;
}

static __always_inline void http1_whole_line(struct http1_view *v, u32 line_end)
{
	struct http1_walk *w = v->w;
	struct http1_direction *d = v->d;
	const u8 *p;
	u64 version;
	u32 n, outcome, all, cut = 0;

	w->offset = line_end + 1;
	if (d->line_length) {
		u32 from = w->line_start, at;

		http1_carry(v, line_end);
		w->line_start = from;
		p = d->line;
		n = d->line_length;
		all = n;
		cut = n > HTTP1_LINE ? HTTP1_LINE_CUT : 0;
		if (n > HTTP1_LINE) {
			version = HTTP1_VERSION; /* not at hand: what was carried looked like a request */
		} else {
			at = (n - 1) & (HTTP1_LINE - 1);
			if (n && p[at] == '\r')
				n--;
			at = (n - 9) & (HTTP1_LINE - 1);
			version = http1_u64(p + at);
		}
	} else {
		const u8 *end = v->data + HTTP1_INDEX(line_end - w->window);

		p = v->data + HTTP1_INDEX(w->line_start - w->window);
		n = line_end - w->line_start;
		all = n;
		if (n && end[-1] == '\r') {
			n--;
			end--;
		}
		version = http1_u64(end - 9);
	}
	d->line_length = 0;
	outcome = http1_line(v->connection, d, v->other, (const struct http1_long_text *)p,
			     (n & 0xffffff) | cut | (version == HTTP1_VERSION ? HTTP1_LINE_VERSION : 0) |
				     (w->direction ? HTTP1_LINE_EGRESS : 0));
	if (outcome & HTTP1_NOT_HTTP) {
		if (!http1_pass_proxy_block(v))
			http1_pass_over(v);
		return;
	}
	if (HTTP1_FIELDS && (outcome & HTTP1_FORM)) { /* not called by http1_line(), for the stack */
		d->seen |= HTTP1_SEEN_CONTEXT;
		if (!(d->flags & HTTP1_RESPONSE) && !(d->seen & HTTP1_SEEN_TRACEPARENT))
			http1_context_field(v->connection, (const struct http1_long_text *)p, (n & 0xffffff) | cut);
	}
	if (outcome & HTTP1_PREFACE) {
		w->preface = 1;
		d->state = HTTP1_OPAQUE;
	}
	if (outcome & HTTP1_ENDED)
		w->ended = 1;
	if (HTTP1_FIELDS && (d->seen & HTTP1_SEEN_TRACEPARENT) && v->connection->traceparent[HTTP1_TRACEPARENT]) {
		v->connection->traceparent_at = w->origin + line_end - all + v->connection->traceparent[HTTP1_TRACEPARENT];
		v->connection->traceparent[HTTP1_TRACEPARENT] = 0;
	}
	if (outcome & HTTP1_BEGUN)
		d->begins = w->origin + line_end - all;
	if (HTTP1_FIELDS && (outcome & HTTP1_HEAD_END) && http1_head_ended(v)) {
		w->line_start = w->offset;
		return;
	}
	http1_capture(v, w->line_start, w->offset);
	w->line_start = w->offset;
}

/* One step: at most a line, 64 bytes of one, or a piece of body. 1: the call is done. */
static __always_inline long http1_step(struct http1_view *v)
{
	struct http1_walk *w = v->w;
	struct http1_direction *d = v->d;
	u32 available, n;

	if (w->offset >= w->total)
		return 1;
	if (d->state == HTTP1_BODY || d->state == HTTP1_CHUNK_DATA) {
		u32 rest = w->total - w->offset;
		u32 take = d->left < rest ? (u32)d->left : rest;

		w->body = w->offset;
		w->body_state = d->state;
		w->body_left = d->left;
		w->offset += take;
		d->left -= take;
		w->line_start = w->offset;
		if (d->left == 0) {
			if (d->state == HTTP1_BODY)
				w->ended |= http1_end_message(d);
			else
				d->state = HTTP1_CHUNK_SIZE;
		}
		return 0;
	}
	if (d->state >= HTTP1_UNTIL_CLOSE) {
		w->offset = w->total;
		return 1;
	}
	if (w->offset >= w->window_end) {
		if (w->capture != HTTP1_NO_CAPTURE)
			http1_emit(v, w->offset);
		if (http1_load(v, w->offset) < 0) {
			d->state = HTTP1_START;
			d->line_length = 0;
			w->offset = w->total;
			return 1;
		}
		w->line_start = w->offset;
	}
	if (d->state == HTTP1_HEAD && w->offset == w->line_start && d->line_length == 0) {
		n = http1_pass_fields((const struct http1_block *)(v->data + HTTP1_INDEX(w->offset - w->window)),
				      w->window_end - w->offset);
		if (HTTP1_FIELDS)
			http1_count_fields(d, n >> HTTP1_PASSED_LINES);
		n &= HTTP1_PASSED;
		if (n) {
			http1_capture(v, w->offset, w->offset + n);
			w->offset += n;
			w->line_start = w->offset;
			d->head_length += n;
			if (d->head_length > HTTP1_HEAD_MAX) {
				d->seen |= HTTP1_SEEN_ODD;
				d->state = HTTP1_START;
				return 0;
			}
			if (w->offset >= w->window_end)
				return 0;
		}
	}
	available = w->window_end - w->offset;
	n = http1_find_lf((const struct http1_text *)(v->data + HTTP1_INDEX(w->offset - w->window)));
	if (n < available && n < HTTP1_LINE) {
		http1_whole_line(v, w->offset + n);
		return 0;
	}
	w->offset += available < HTTP1_LINE ? available : HTTP1_LINE;
	if (w->offset < w->window_end)
		return 0;
	/* the line goes on in the next window: there it is whole, if it fits into one */
	if (HTTP1_FIELDS && d->line_length == 0 && w->offset < w->total && w->line_start > w->window) {
		w->offset = w->line_start;
		w->window_end = w->line_start;
		return 0;
	}
	/* or in the next call */
	{
		u32 from = w->line_start;
		bool begins = d->line_length == 0;

		http1_carry(v, w->offset);
		if (d->state == HTTP1_START) {
			u32 length = d->line_length;

			if ((v->connection->distrusted >> w->direction & 1) ||
			    ((begins || length < HTTP1_LINE) && !http1_plausible((const struct http1_text *)d->line, length))) {
				http1_pass_over(v);
				return 0;
			}
		}
		if (d->line_length > HTTP1_HEAD_MAX) {
			http1_pass_over(v);
			return 0;
		}
		http1_capture(v, from, w->offset);
	}
	return 0;
}

/* After the last step: hands over what is left, and tells of a message end that no captured byte tells. 1: more steps were needed. */
static __always_inline int http1_finish(struct http1_view *v)
{
	struct http1_walk *w = v->w;
	int cut = w->offset < w->total;

	if (cut) {
		v->d->state = HTTP1_START;
		v->d->line_length = 0;
	}
	if (w->capture == HTTP1_NO_CAPTURE && (w->ended || cut)) {
		w->capture = w->total;
		w->capture_end = w->total;
	}
	if (w->capture != HTTP1_NO_CAPTURE)
		http1_emit(v, w->total);
	return cut;
}

/*
 * Bytes that passed unseen (sendfile, a hole): 0 if they lie within a body whose length is known, else the framing is lost. At a message
 * start they may have been a head whose body follows: nothing is believed there before the other direction has moved.
 */
static __always_inline int http1_skip(struct http1_view *v, u64 bytes)
{
	struct http1_walk *w = v->w;
	struct http1_direction *d = v->d;

	if (d->state >= HTTP1_UNTIL_CLOSE)
		return 0;
	if ((d->state == HTTP1_BODY || d->state == HTTP1_CHUNK_DATA) && bytes <= d->left) {
		d->left -= bytes;
		if (d->left == 0) {
			if (d->state == HTTP1_BODY)
				w->ended |= http1_end_message(d);
			else
				d->state = HTTP1_CHUNK_SIZE;
		}
		return 0;
	}
	v->connection->distrusted |= 1 << (w->direction & 1);
	if (d->state == HTTP1_START && d->line_length == 0)
		return 0;
	d->state = HTTP1_START;
	d->line_length = 0;
	return -1;
}

#endif
