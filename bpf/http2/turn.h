/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a connection turns out to speak HTTP/2: by the client's preface or the server's first SETTINGS, behind an upgrade, or in the
 * middle, by frames. Asked where http1/framing.h is at a loss.
 */
#ifndef CLEW_BPF_HTTP2_TURN_H
#define CLEW_BPF_HTTP2_TURN_H

#include "walk.h"

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

#endif
