/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a walk over frames keeps from one call to the next, and the hooks that whoever includes it defines, beside those of http1/walk.h:
 *   static u32 http2_frame_begins(struct http2_view *h, u32 at)   a frame's whole header lies at `at`, in the window; behind how many
 *                                                                 bytes of its payload others stand on the wire, 0: nowhere
 *   static void http2_lengthen(struct http2_view *h, u32 at)      … and its header as it is there
 *   static bool http2_add(struct http2_view *h, bool those)       puts what is captured aside, and behind it those others; false: no room
 *   static bool http2_has_added(struct http2_view *h)             something lies there …
 *   static void http2_emit(struct http2_view *h)                  … and is handed over; if nothing does, what is captured is
 */
#ifndef CLEW_BPF_HTTP2_WALK_H
#define CLEW_BPF_HTTP2_WALK_H

#include "frame.h"

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

#endif
