/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a walk over the bytes of a socket call keeps, within the call and from one to the next, and what it asks of whoever includes it:
 *   static int http1_load(struct http1_view *v, u32 offset)      fill v->data with bytes of the call from `offset`; 0 or -1
 *   static void http1_emit(struct http1_view *v, u64 advanced_to) hand over bytes [w->capture, w->capture_end) of the call
 *   static bool http1_head_ended(struct http1_view *v)            the head under way ends with this line; true: it is handed over already
 *   HTTP1_FIELDS                                                  also look for the fields of enum http1_seen
 *   HTTP1_STATES                                                  … and for tracestate
 *   HTTP1_GLOBAL                                                  what makes a function one that is verified by itself
 * Functions are marked HTTP1_GLOBAL so that the verifier checks each once by itself instead of once per path that leads to it, and so
 * that their stack is their own (512 bytes are all there is before 6.13).
 */
#ifndef CLEW_BPF_HTTP1_WALK_H
#define CLEW_BPF_HTTP1_WALK_H

#define HTTP1_LINE 64
#define HTTP1_HEAD_MAX 65536
#define HTTP1_STEPS_MAX 65536 /* a call of 128 KiB in chunks of one byte; some 20 ns each */

enum http1_state {
	HTTP1_START = 0,       /* a message may begin here, or these bytes are not HTTP */
	HTTP1_HEAD = 1,	       /* after a start line */
	HTTP1_BODY = 2,	       /* `left` bytes of body */
	HTTP1_CHUNK_SIZE = 3,  /* a line with the size of a chunk */
	HTTP1_CHUNK_DATA = 4,  /* `left` bytes of a chunk and its CRLF */
	HTTP1_TRAILER = 5,     /* after the last chunk */
	HTTP1_UNTIL_CLOSE = 6, /* a body that ends with the connection */
	HTTP1_OPAQUE = 7,      /* upgraded: never HTTP/1 again */
};

enum http1_flag {
	HTTP1_RESPONSE = 1,
	HTTP1_CHUNKED = 2,
	HTTP1_LENGTH = 4, /* Content-Length seen; its value is in `left` */
	HTTP1_IS_HEAD = 8,
	HTTP1_IS_CONNECT = 16,
};

/* Fields of a head that whoever adds to it must know of. */
enum http1_seen {
	HTTP1_SEEN_TRACEPARENT = 1, /* once, whole: in traceparent[] */
	HTTP1_SEEN_CONTEXT = 2,	    /* a trace context of another form, or one that is not understood here */
	HTTP1_SEEN_UPGRADE = 4,
	HTTP1_SEEN_ODD = 8,		 /* what two parsers may read in two ways: folded lines, lengths that are not one */
	HTTP1_SEEN_STATE = 16,		 /* a tracestate */
	HTTP1_SEEN_ODD_TRACEPARENT = 32, /* a second one, or one that is not understood here: whichever form comes first, it may be valid */
};
#define HTTP1_TRACEPARENT 55 /* bytes of a value of version 00 */

/* One direction of a connection, between calls. */
struct http1_direction {
	u64 left;
	u32 line_length; /* bytes of the unfinished line so far */
	u32 head_length; /* bytes of the unfinished head so far */
	u16 status;	 /* of the response under way */
	u8 state;	 /* enum http1_state */
	u8 flags;	 /* enum http1_flag */
	u32 begins;	 /* where the message under way does: walk.origin + offset */
	u8 seen;	 /* enum http1_seen, of the head under way */
	u8 fields;	 /* lines of it, up to 255: counted where HTTP1_FIELDS */
	u8 padding[6];
	u8 line[2 * HTTP1_LINE]; /* the first HTTP1_LINE bytes of the unfinished line, and room to append as many blindly */
};

/* Both directions. The methods of requests whose response is still to come, as bits by request number. */
struct http1_connection {
	u32 requests;
	u32 responses;
	u64 head_bits;
	u64 connect_bits;
	u8 request_direction; /* 0 unknown, else 1 + direction */
	u8 distrusted;	      /* bit d: joined while direction d may have been in the middle of a body: what looks like a head there
			       * may be none, until bytes have moved in the other direction */
	u8 known;	      /* a message head was seen */
	u8 joined;	      /* not seen from its start: requests may be missing from the count */
	u8 odd;		      /* HTTP1_SEEN_ODD was seen */
	u8 switched;	      /* 1: a response 101 was seen, and nothing behind it yet */
	u8 form;	      /* enum http1_form of the latest request's context, if it is of another form; … */
	u8 form_has;	      /* … and enum http1_form_has */
	u8 traceparent[56];   /* text, of the latest request; or a struct http1_form_ids */
	u32 traceparent_at;   /* its place: walk.origin + offset */
	u8 proxied;	      /* the client began with a header of the PROXY protocol, which was passed over */
	u8 padding2[3];
};

/* A line's first bytes; where it is shorter, what follows it. */
struct http1_text {
	u8 bytes[HTTP1_LINE];
};

/* More of it. */
struct http1_long_text {
	u8 bytes[2 * HTTP1_LINE];
};

/* As many bytes, wherever a line begins among them. */
struct http1_block {
	u8 bytes[3 * HTTP1_LINE];
};

#define HTTP1_NO_CAPTURE 0xffffffffu

/*
 * Where a walk stands. It lies in a map, not on the stack: the verifier takes what it reads from there for any number, where it would
 * follow each value of a stack slot through every step.
 */
struct http1_walk {
	u32 total;	 /* bytes of the call */
	u32 offset;	 /* next byte of the call to look at */
	u32 line_start;	 /* where this call's part of the current line begins */
	u32 window;	 /* offset of data[0] */
	u32 window_end;	 /* offset behind the last loaded byte */
	u32 capture;	 /* bytes to hand over: first, or HTTP1_NO_CAPTURE */
	u32 capture_end; /* and behind the last */
	u8 direction;
	u8 ended;	/* a message ended in this call, and user space has not been told */
	u8 foreign;	/* bytes at a message start were not HTTP */
	u8 at_start;	/* the call holds the connection's first bytes in its direction */
	u8 begins;	/* a frame of HTTP/2 does at `capture` */
	u8 preface;	/* the first line of HTTP/2's preface was seen: it goes on at line_start */
	u8 carried;	/* a line was unfinished before this call */
	u8 flush;	/* HTTP/2: what is captured is to be handed over before the next byte: enum http2_flush */
	u32 heads;	/* heads that ended in this call, but interim responses; HTTP/2: header blocks since the latest event */
	u32 origin;	/* what `begins` counts from: the low bits of the position of the call's first byte */
	u32 body;	/* where the latest piece of body began, or HTTP1_NO_CAPTURE; … */
	u64 body_left;	/* … how much was left there, … */
	u32 body_state; /* … and in which state */
	u32 padding;
};

/* A walk and what it works on. */
struct http1_view {
	struct http1_walk *w;
	struct http1_connection *connection;
	struct http1_direction *d;
	struct http1_direction *other;
	u8 *data;	   /* CLEW_WINDOW + 2 * HTTP1_LINE readable bytes, and 16 before */
	void *environment; /* of the hooks */
	bool is_plain;	   /* the environment's: known when compiled */
};

static int http1_load(struct http1_view *v, u32 offset);
static void http1_emit(struct http1_view *v, u64 advanced_to);
static bool http1_head_ended(struct http1_view *v);

#define HTTP1_INDEX(x) ((x) & (CLEW_WINDOW - 1))

static __always_inline u64 http1_u64(const u8 *p)
{
	return *(const u64 *)p;
}

#define HTTP1_FOLD 0x2020202020202020ull
#define HTTP1_WORD(a, b, c, d, e, f, g, h)                                                                                                 \
	((u64)(u8)(a) | (u64)(u8)(b) << 8 | (u64)(u8)(c) << 16 | (u64)(u8)(d) << 24 | (u64)(u8)(e) << 32 | (u64)(u8)(f) << 40 |            \
	 (u64)(u8)(g) << 48 | (u64)(u8)(h) << 56)

static __always_inline void http1_capture(struct http1_view *v, u32 from, u32 to)
{
	struct http1_walk *w = v->w;

	if (w->capture != HTTP1_NO_CAPTURE && w->capture_end == from) {
		w->capture_end = to;
		return;
	}
	if (w->capture != HTTP1_NO_CAPTURE)
		http1_emit(v, from);
	w->capture = from;
	w->capture_end = to;
}

#endif
