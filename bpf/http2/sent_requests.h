/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The frames of a client, from its preface on: where the header block of each new request ends, and what it carries. RFC 9113 §4 to §6.
 *
 * It goes over the bytes of one message with the struct http1_walk of http1/walk.h; the state between messages is a struct
 * http2_requests. Stricter than http2/framing.h: what no client of that protocol would send ends it (`failed`), and nothing more is
 * believed. Plain C without kernel helpers: sent_requests_test.cc runs it in user space. Whoever includes it defines
 *   static void http2_request_ends(struct http2_sent *v)   the block of a new request ends at v->v.w->offset; its last frame began at
 *                                                          v->r->frame_at, of this message
 */
#ifndef CLEW_BPF_HTTP2_SENT_REQUESTS_H
#define CLEW_BPF_HTTP2_SENT_REQUESTS_H

#include "frame.h"
#include "header_block.h"

#define HTTP2_END_HEADERS 0x4
#define HTTP2_HAS_PRIORITY 0x20
#define HTTP2_PRIORITY_BYTES 5
#define HTTP2_FRAME_MAX 16384 /* what every peer takes */
#define HTTP2_NOT_HERE 0xffffffffu

enum http2_requests_state {
	HTTP2_REQUESTS_NONE = 0,
	HTTP2_REQUESTS_FIRST = 1,   /* SETTINGS is still to come: others speak otherwise behind such a preface */
	HTTP2_REQUESTS_FRAME = 2,   /* a frame begins behind `left` */
	HTTP2_REQUESTS_PADDING = 3, /* the length of a header block's padding comes next */
	HTTP2_REQUESTS_BLOCK = 4,   /* in a header block */
	HTTP2_REQUESTS_FAILED = 5,
};

struct http2_requests {
	u32 left;	 /* bytes to be passed over before the next frame */
	u32 block_left;	 /* bytes of the block that the frame under way still has, without its padding */
	u32 length;	 /* of that frame */
	u32 frame_at;	 /* its header's place in the message, or HTTP2_NOT_HERE */
	u32 stream;	 /* whose block is under way, or 0 */
	u32 last_stream; /* the highest so far */
	u32 begins;	 /* walk.origin + offset of the header of the frame that began the block */
	u8 state;	 /* enum http2_requests_state */
	u8 flags;	 /* of the frame under way */
	u8 is_new;	 /* the block under way begins a request */
	u8 is_data;	 /* `left` is of a DATA frame */
	u8 padded;	 /* bytes of padding of the frame under way */
	u8 carried;	 /* bytes of an unfinished header: the last ones of … */
	u8 padding[2];
	u8 carry[HPACK_CARRY];
	struct hpack hpack;
};

struct http2_sent {
	struct http1_view v;
	struct http2_requests *r;
};

static void http2_request_ends(struct http2_sent *v);

/* Behind the first line of the preface. */
static __always_inline void http2_requests_begin(struct http2_requests *r)
{
	r->state = HTTP2_REQUESTS_FIRST;
	r->left = HTTP2_PREFACE - HTTP2_PREFACE_LINE;
	r->frame_at = HTTP2_NOT_HERE;
}

static __always_inline long http2_requests_fail(struct http2_sent *v)
{
	v->r->state = HTTP2_REQUESTS_FAILED;
	return 1;
}

/* A block goes on in a frame of that length, or begins in it. */
static __always_inline bool http2_begin_block(struct http2_requests *r, const struct http2_frame *f, u32 stream)
{
	u32 priority = f->type == HTTP2_HEADERS && (f->flags & HTTP2_HAS_PRIORITY) ? HTTP2_PRIORITY_BYTES : 0;
	bool padded = f->type == HTTP2_HEADERS && (f->flags & HTTP2_PADDED);

	if (f->length < priority + padded)
		return false;
	if (f->type == HTTP2_HEADERS) {
		if (r->stream || !(stream & 1)) /* in another's block, or not a client's */
			return false;
		r->stream = stream;
		r->is_new = stream > r->last_stream;
		if (r->is_new)
			r->last_stream = stream;
		r->hpack.list_size = 0;
		r->hpack.fields = 0;
		r->hpack.flags = 0;
		r->hpack.part = HPACK_PART_FIELD;
		r->hpack.carried = 0;
		r->hpack.string_left = priority; /* passed over like one */
	} else if (r->stream != stream) {
		return false;
	}
	r->block_left = f->length;
	r->length = f->length;
	r->flags = f->flags;
	r->padded = 0;
	r->state = padded ? HTTP2_REQUESTS_PADDING : HTTP2_REQUESTS_BLOCK;
	return true;
}

/* A whole frame header. False: no client would send it. */
HTTP1_GLOBAL int http2_take_request_frame(struct http2_requests *r, const struct hpack_bytes *b)
{
	struct http2_frame f;
	u32 stream;

	if (!r || !b)
		return 0;
	f = http2_frame_at(b->bytes);
	stream = f.stream & 0x7fffffff;
	if (!http2_is_frame(&f) || f.type == HTTP2_PUSH_PROMISE)
		return 0;
	if (r->state == HTTP2_REQUESTS_FIRST && (f.type != HTTP2_SETTINGS || (f.flags & HTTP2_ACK)))
		return 0;
	if (r->stream && f.type != HTTP2_CONTINUATION) /* nothing may stand within a block */
		return 0;
	r->state = HTTP2_REQUESTS_FRAME;
	r->is_data = f.type == HTTP2_DATA;
	if (f.type == HTTP2_HEADERS || f.type == HTTP2_CONTINUATION)
		return http2_begin_block(r, &f, stream);
	r->left = f.length;
	return 1;
}

/* A frame's part of a block has ended, and perhaps the block. */
static __always_inline long http2_block_part_ends(struct http2_sent *v)
{
	struct http2_requests *r = v->r;

	r->state = HTTP2_REQUESTS_FRAME;
	r->left = r->padded;
	r->is_data = 0;
	if (!(r->flags & HTTP2_END_HEADERS))
		return 0;
	if (r->hpack.string_left || r->hpack.carried || r->hpack.part != HPACK_PART_FIELD)
		return http2_requests_fail(v);
	if (r->is_new)
		http2_request_ends(v);
	r->stream = 0;
	return 0;
}

/* Bytes from an offset on are in the window, as many as an element has; if the message has them. */
static __always_inline bool http2_has_window(struct http1_view *v)
{
	struct http1_walk *w = v->w;

	if (w->offset >= w->window && (w->offset + HPACK_CARRY <= w->window_end || w->window_end == w->total) && w->offset < w->window_end)
		return true;
	return http1_load(v, w->offset) >= 0;
}

static __always_inline long http2_pass_element(struct http2_sent *v, u32 used, u32 carried)
{
	struct http2_requests *r = v->r;

	r->hpack.carried = (u8)carried;
	r->block_left -= used;
	v->v.w->offset += used;
	return r->block_left ? 0 : http2_block_part_ends(v);
}

/* One step: a frame's header, an element of a block, or bytes that are passed over. 1: the message is done. */
static __always_inline long http2_requests_step(struct http2_sent *v)
{
	struct http2_requests *r = v->r;
	struct http1_walk *w = v->v.w;
	u32 rest = w->total - w->offset, available, carried, used, at;
	bool in_block;
	u8 *p;

	if (w->offset >= w->total || r->state == HTTP2_REQUESTS_FAILED)
		return 1;
	if (r->state <= HTTP2_REQUESTS_FRAME && r->left) {
		used = r->left < rest ? r->left : rest;
		if (r->is_data) {
			w->body = w->offset;
			w->body_left = r->left;
		}
		r->left -= used;
		w->offset += used;
		return 0;
	}
	if (r->state == HTTP2_REQUESTS_BLOCK) {
		if (!r->block_left)
			return http2_block_part_ends(v);
		if (r->hpack.string_left) {
			used = r->hpack.string_left < rest ? r->hpack.string_left : rest;
			if (used > r->block_left)
				used = r->block_left;
			r->hpack.string_left -= used;
			r->block_left -= used;
			w->offset += used;
			/* its end is told here: where a message ends with it, no step follows */
			return r->block_left ? 0 : http2_block_part_ends(v);
		}
	}
	if (!http2_has_window(&v->v))
		return http2_requests_fail(v);
	available = w->window_end - w->offset;
	p = v->v.data + HTTP1_INDEX(w->offset - w->window);
	if (r->state == HTTP2_REQUESTS_PADDING) {
		r->padded = p[0];
		if (r->block_left < 1u + r->padded)
			return http2_requests_fail(v);
		r->block_left -= 1 + r->padded;
		r->state = HTTP2_REQUESTS_BLOCK;
		w->offset++;
		return r->block_left ? 0 : http2_block_part_ends(v);
	}
	if (r->state == HTTP2_REQUESTS_BLOCK && available > r->block_left)
		available = r->block_left;
	in_block = r->state == HTTP2_REQUESTS_BLOCK;
	carried = (in_block ? r->hpack.carried : r->carried) & (HPACK_CARRY - 1);
	if (carried) {
		if (in_block)
			__builtin_memcpy(p - HPACK_CARRY, r->hpack.carry, HPACK_CARRY);
		else
			__builtin_memcpy(p - HPACK_CARRY, r->carry, HPACK_CARRY);
	}
	at = HTTP1_INDEX(w->offset - w->window) + HPACK_CARRY - carried;
	asm volatile("" : "+r"(at)); /* what is added to a pointer is not negative, for the verifier */
	if (at >= CLEW_WINDOW + HPACK_CARRY)
		return http2_requests_fail(v);
	p = v->v.data - HPACK_CARRY + at;
	if (in_block)
		used = hpack_element(&r->hpack, (const struct hpack_bytes *)p, available + carried);
	else
		used = available + carried < HTTP2_HEADER ? HPACK_CUT : HTTP2_HEADER;
	if (used == HPACK_INVALID || (used == HPACK_CUT && available + carried >= HPACK_CARRY))
		return http2_requests_fail(v);
	if (used == HPACK_CUT) {
		at = HTTP1_INDEX(w->offset - w->window) + (available & (HPACK_CARRY - 1));
		asm volatile("" : "+r"(at));
		if (at >= CLEW_WINDOW + HPACK_CARRY)
			return http2_requests_fail(v);
		p = v->v.data - HPACK_CARRY + at;
		if (in_block)
			__builtin_memcpy(r->hpack.carry, p, HPACK_CARRY);
		else
			__builtin_memcpy(r->carry, p, HPACK_CARRY);
		carried += available;
		used = available;
	} else {
		if (used < carried) { /* the beginning of a name was carried as well */
			r->hpack.string_left -= carried - used;
			used = carried;
		}
		used -= carried;
		carried = 0;
	}
	if (in_block)
		return http2_pass_element(v, used, carried);
	r->carried = (u8)carried;
	w->offset += used;
	if (carried)
		return 0;
	r->frame_at = used == HTTP2_HEADER ? w->offset - used : HTTP2_NOT_HERE;
	if (!r->stream)
		r->begins = w->origin + w->offset - HTTP2_HEADER;
	return http2_take_request_frame(r, (const struct hpack_bytes *)p) ? 0 : http2_requests_fail(v);
}

/* After the last step. 1: more steps were needed. */
static __always_inline int http2_requests_finish(struct http2_sent *v)
{
	v->r->frame_at = HTTP2_NOT_HERE;
	if (v->v.w->offset >= v->v.w->total || v->r->state == HTTP2_REQUESTS_FAILED)
		return 0;
	v->r->state = HTTP2_REQUESTS_FAILED;
	return 1;
}

#endif
