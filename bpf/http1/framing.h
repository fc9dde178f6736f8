/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where HTTP/1 heads, chunk sizes and trailers lie in a stream, and where bodies do: enough to show user space every byte of the
 * former and none of the latter, and to know a verified message start. RFC 9112.
 *
 * One `struct http1_walk` goes over the bytes of one socket call, in windows of CLEW_WINDOW bytes; the state between calls is one
 * `struct http1_direction` per direction. Lines are found eight bytes at a time. A line that is cut by the end of a window or call
 * is carried over by its first HTTP1_LINE bytes. User space parses again, strictly, and has the last word on what a message is.
 *
 * Plain C without kernel helpers, so that the same code is tested in user space (framing_test.cc). Whoever includes it defines
 *   static int http1_load(struct http1_walk *w, u32 offset)      fill v->data with bytes of the call from `offset`; 0 or -1
 *   static void http1_emit(struct http1_view *v, u64 advanced_to) hand over bytes [w->capture, w->capture_end) of the call
 *   static bool http1_head_ended(struct http1_view *v)            the head under way ends with this line; true: it is handed over already
 *   HTTP1_FIELDS                                                  also look for the fields of enum http1_seen
 *   HTTP1_GLOBAL                                                  what makes a function one that is verified by itself
 */
#ifndef CLEW_BPF_HTTP1_FRAMING_H
#define CLEW_BPF_HTTP1_FRAMING_H

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
	HTTP1_SEEN_ODD = 8, /* what two parsers may read in two ways: folded lines, lengths that are not one */
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
	u8 padding[7];
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
	u32 padding2;
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

/*
 * The functions marked HTTP1_GLOBAL are global, so that the verifier checks each once by itself instead of once per path that leads
 * to it, and so that their stack is their own (512 bytes are all there is before 6.13).
 */

/* The top bit of each byte that is LF; above the first one, of others, too. */
static __always_inline u64 http1_lf_mask(u64 word)
{
	u64 x = word ^ 0x0a0a0a0a0a0a0a0aull;

	return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull;
}

/* Index of the first marked byte: bytes up to it have their lowest bit below the mark, count them. */
static __always_inline u32 http1_first_byte(u64 mask)
{
	u64 below = ((mask & -mask) - 1) & 0x0101010101010101ull;

	return (u32)((below * 0x0101010101010101ull) >> 56) - 1;
}

/* Index of the first LF, or HTTP1_LINE. */
HTTP1_GLOBAL u32 http1_find_lf(const struct http1_text *t)
{
	if (!t)
		return HTTP1_LINE;
#pragma unroll
	for (u32 i = 0; i < HTTP1_LINE; i += 8) {
		u64 m = http1_lf_mask(http1_u64(t->bytes + i));

		if (m)
			return i + http1_first_byte(m);
	}
	return HTTP1_LINE;
}

/* Fields of enum http1_seen, or that frame the body, begin so: content-, transfer-, traceparent, b3, x-, uber-, upgrade. */
static __always_inline bool http1_is_of_interest(u8 c)
{
	return c == 't' || c == 'b' || c == 'x' || c == 'u' || c == 'c' || c == ' ' || c == ('\t' | 0x20);
}

/* A header line that frames the body, or the end of the head? 16 bytes are readable at `p`. */
static __always_inline bool http1_frames(const u8 *p)
{
	u64 first = http1_u64(p) | HTTP1_FOLD;

	if (p[0] == '\r' || p[0] == '\n' || first == (HTTP1_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') | HTTP1_FOLD))
		return true;
	if (HTTP1_FIELDS && http1_is_of_interest((u8)first))
		return true;
	return first == (HTTP1_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-') | HTTP1_FOLD) &&
	       (http1_u64(p + 7) | HTTP1_FOLD) == (HTTP1_WORD('-', 'l', 'e', 'n', 'g', 't', 'h', ':') | HTTP1_FOLD);
}

/* Of `available` bytes of a head, from the beginning of a line on: how many belong to whole lines that frame nothing. At most HTTP1_LINE.
 */
HTTP1_GLOBAL u32 http1_pass_fields(const struct http1_block *b, u32 available)
{
	u32 start = 0;

	if (!b || available < 16 || http1_frames(b->bytes))
		return 0;
	for (u32 i = 0; i < HTTP1_LINE; i += 8) {
		u64 m = http1_lf_mask(http1_u64(b->bytes + i));
		u32 end;

		if (!m)
			continue;
		end = i + http1_first_byte(m) + 1;
		if (end > available)
			break;
		start = end;
		if (end + 16 > available || http1_frames(b->bytes + (end & 127)) || (m & (m - 1)))
			break; /* a short rest is looked at line by line, as are lines of a few bytes */
	}
	return start;
}

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

/* What a byte may be in a start line that has not ended yet: 1 a method's byte, 2 of "HTTP/1.1" behind its first four, 4 the space. */
static const u8 http1_class[256] = {
	[' '] = 4, ['-'] = 1, ['_'] = 1, ['.'] = 2, ['/'] = 2, ['0'] = 2, ['1'] = 2, ['2'] = 2, ['3'] = 2, ['4'] = 2, ['5'] = 2, ['6'] = 2,
	['7'] = 2, ['8'] = 2, ['9'] = 2, ['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1, ['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1,
	['J'] = 1, ['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1, ['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1, ['U'] = 1,
	['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1, ['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1, ['e'] = 1, ['f'] = 1, ['g'] = 1,
	['h'] = 1, ['i'] = 1, ['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1, ['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
	['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1, ['y'] = 1, ['z'] = 1,
};

/* 1 if these first `n` bytes of an unfinished line may be the beginning of a start line. Without branches, for the verifier. */
HTTP1_GLOBAL int http1_plausible(const struct http1_text *t, u32 n)
{
	u32 space = 0, bad = 0;

	if (!t)
		return 0;
	for (u32 i = 0; i < 24; i++) {
		u32 class = http1_class[t->bytes[i]];
		u32 live = ((i - n) >> 31) & ~space & 1;
		u32 allowed = class | class >> 2 | (i >= 4 ? class >> 1 : 0);

		bad |= live & ~allowed;
		if (i == 0)
			bad |= live & (class >> 2);
		space |= live & (class >> 2);
	}
	/* or of an empty line, which may stand before a message */
	return (n == 1 && t->bytes[0] == '\r') || (!(bad & 1) && ((space & 1) | (n < 24)));
}

#define HTTP1_VERSION HTTP1_WORD(' ', 'H', 'T', 'T', 'P', '/', '1', '.')

/* What a whole line meant: bits. */
enum http1_outcome {
	HTTP1_NOT_HTTP = 1, /* at a message start, but no start line */
	HTTP1_ENDED = 2,    /* a message ended with it */
	HTTP1_BEGUN = 4,    /* a message began with it */
	HTTP1_HEAD_END = 8, /* the head of a request, or of a response that is not an interim one, ended with it */
	HTTP1_PREFACE = 16, /* it is the first line of HTTP/2's preface */
	HTTP1_FORM = 32,    /* it is a field of a context of another form than traceparent */
};

/* A whole line of `n` bytes without its end, at a message start. `is_request`: before its last byte stands " HTTP/1.". */
static __always_inline u32 http1_start_line(struct http1_connection *c, struct http1_direction *d, const u8 *p, u32 n, u8 direction,
					    bool is_request)
{
	u64 first = http1_u64(p);
	u8 flags = 0;

	if (c->distrusted >> direction & 1)
		return HTTP1_NOT_HTTP;
	if ((first & 0x00ffffffffffffffull) == HTTP1_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0)) {
		u8 a = p[9] - '0', b = p[10] - '0', e = p[11] - '0';

		if (n < 12 || p[8] != ' ' || a > 9 || b > 9 || e > 9)
			return HTTP1_NOT_HTTP;
		if (c->request_direction == 1 + direction)
			return HTTP1_NOT_HTTP;
		c->request_direction = 2 - direction;
		d->status = a * 100 + b * 10 + e;
		flags = HTTP1_RESPONSE;
		if ((s32)(c->requests - c->responses) > 0) {
			u64 bit = 1ull << (c->responses & 63);

			if (c->head_bits & bit)
				flags |= HTTP1_IS_HEAD;
			if (c->connect_bits & bit)
				flags |= HTTP1_IS_CONNECT;
		}
	} else {
		if (n < 12 || !is_request || !(http1_class[p[0]] & 1))
			return n == 14 && !c->known && first == HTTP1_WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') &&
					       http1_u64(p + 6) == HTTP1_WORD('H', 'T', 'T', 'P', '/', '2', '.', '0')
				       ? HTTP1_PREFACE
				       : HTTP1_NOT_HTTP;
		if (c->request_direction == 2 - direction)
			return HTTP1_NOT_HTTP;
		c->request_direction = 1 + direction;
		if ((first & 0xffffffffffull) == HTTP1_WORD('H', 'E', 'A', 'D', ' ', 0, 0, 0))
			flags = HTTP1_IS_HEAD;
		else if (first == HTTP1_WORD('C', 'O', 'N', 'N', 'E', 'C', 'T', ' '))
			flags = HTTP1_IS_CONNECT;
		d->status = 0;
		c->form = 0;
		c->form_has = 0;
	}
	c->known = 1;
	d->flags = flags;
	d->seen = 0;
	d->left = 0;
	d->head_length = 0;
	d->state = HTTP1_HEAD;
	return HTTP1_BEGUN;
}

#define HTTP1_NO_NUMBER (~0ull)

#define HTTP1_MORE (1ull << 63)

/* The decimal number in bytes [15, n) of "Content-Length: 123", | HTTP1_MORE if something follows it; or HTTP1_NO_NUMBER. */
HTTP1_GLOBAL u64 http1_length(const struct http1_text *t, u32 n)
{
	u64 value = 0;
	u32 digits = 0;
	u64 more = 0;

	if (!t)
		return HTTP1_NO_NUMBER;
	for (u32 i = 15; i < 48; i++) {
		u8 c = t->bytes[i];

		if (i >= n)
			break;
		if (c >= '0' && c <= '9') {
			value = value * 10 + (c - '0');
			digits++;
		} else if (digits || (c != ' ' && c != '\t')) {
			more = HTTP1_MORE;
			break;
		}
	}
	return digits && digits < 19 ? value | more : HTTP1_NO_NUMBER;
}

/* 1 if "chunked" stands in bytes [17, n) of "Transfer-Encoding: gzip, chunked". */
HTTP1_GLOBAL int http1_has_chunked(const struct http1_text *t, u32 n)
{
	if (!t)
		return 0;
	for (u32 i = 17; i < HTTP1_LINE - 7; i++) {
		u64 x = (http1_u64(t->bytes + i) | HTTP1_FOLD) & 0x00ffffffffffffffull;

		if (i + 7 > n)
			break;
		if (x == HTTP1_WORD('c', 'h', 'u', 'n', 'k', 'e', 'd', 0))
			return 1;
	}
	return 0;
}

/* The hexadecimal number at the start of `n` bytes, or HTTP1_NO_NUMBER. */
HTTP1_GLOBAL u64 http1_hexadecimal(const struct http1_text *t, u32 n)
{
	u64 value = 0;
	u32 digits = 0;

	if (!t)
		return HTTP1_NO_NUMBER;
	for (u32 i = 0; i < 17; i++) {
		u8 c = t->bytes[i], folded = c | 0x20;

		if (i >= n)
			break;
		if (c >= '0' && c <= '9')
			value = value << 4 | (u64)(c - '0');
		else if (folded >= 'a' && folded <= 'f')
			value = value << 4 | (u64)(folded - 'a' + 10);
		else
			break;
		digits++;
	}
	return digits && digits < 16 ? value : HTTP1_NO_NUMBER;
}

/* A header line: only the two fields that frame the body matter. 64 bytes are readable at `p`. */
static __always_inline void http1_field(struct http1_direction *d, const u8 *p, u32 n)
{
	u64 first = http1_u64(p) | HTTP1_FOLD;

	if (first == (HTTP1_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-') | HTTP1_FOLD)) {
		u64 value;

		if (n < 16 || (http1_u64(p + 7) | HTTP1_FOLD) != (HTTP1_WORD('-', 'l', 'e', 'n', 'g', 't', 'h', ':') | HTTP1_FOLD))
			return;
		value = http1_length((const struct http1_text *)p, n);
		if (d->flags & HTTP1_LENGTH || value >= HTTP1_MORE)
			d->seen |= HTTP1_SEEN_ODD;
		if (value != HTTP1_NO_NUMBER) {
			d->left = value & ~HTTP1_MORE;
			d->flags |= HTTP1_LENGTH;
		}
	} else if (first == (HTTP1_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') | HTTP1_FOLD)) {
		if ((http1_u64(p + 8) | HTTP1_FOLD) == (HTTP1_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n') | HTTP1_FOLD) &&
		    (p[16] | 0x20) == 'g' && p[17] == ':' && http1_has_chunked((const struct http1_text *)p, n))
			d->flags |= HTTP1_CHUNKED;
	}
}

#define HTTP1_LINE_CUT 0x01000000u /* of the line only the first HTTP1_LINE bytes are there */

#include "contexts.h"

/* A field that matters for trace contexts, or that two parsers may read in two ways. 128 bytes are readable at `p`. Returns HTTP1_FORM for
 * one of a context of another form, else 0. */
static __always_inline u32 http1_note_field(struct http1_connection *c, struct http1_direction *d, const u8 *p, u32 what)
{
	u64 first = http1_u64(p) | HTTP1_FOLD, second = http1_u64(p + 8) | HTTP1_FOLD;
	u32 n = what & 0xffffff;

	switch (p[0] | 0x20) {
	case ' ':
	case '\t' | 0x20:
		d->seen |= HTTP1_SEEN_ODD; /* a folded line */
		return 0;
	case 'c': /* content-length, and then no colon, or beside chunks */
		if (first == (HTTP1_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-') | HTTP1_FOLD) &&
		    (second & 0xffffffffffffull) == (HTTP1_WORD('l', 'e', 'n', 'g', 't', 'h', 0, 0) | (HTTP1_FOLD & 0xffffffffffffull)) &&
		    (p[14] != ':' || (d->flags & HTTP1_CHUNKED)))
			d->seen |= HTTP1_SEEN_ODD;
		return 0;
	case 'u':
		if (first == (HTTP1_WORD('u', 'p', 'g', 'r', 'a', 'd', 'e', ':') | HTTP1_FOLD))
			d->seen |= HTTP1_SEEN_UPGRADE;
		return first == (HTTP1_WORD('u', 'b', 'e', 'r', '-', 't', 'r', 'a') | HTTP1_FOLD) ? HTTP1_FORM : 0;
	case 'b': /* b3 */
		return p[1] == '3' ? HTTP1_FORM : 0;
	case 'x':
		return (first & 0xffffffffffull) == (HTTP1_WORD('x', '-', 'b', '3', '-', 0, 0, 0) | (HTTP1_FOLD & 0xffffffffffull)) ||
				       first == (HTTP1_WORD('x', '-', 'd', 'a', 't', 'a', 'd', 'o') | HTTP1_FOLD) ||
				       first == (HTTP1_WORD('x', '-', 'a', 'm', 'z', 'n', '-', 't') | HTTP1_FOLD)
			       ? HTTP1_FORM
			       : 0;
	}
	if (first == (HTTP1_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') | HTTP1_FOLD)) {
		/* any coding but "Transfer-Encoding: chunked", once, and without a length */
		if (second != (HTTP1_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n') | HTTP1_FOLD) || p[17] != ':' || n > 26 ||
		    !(d->flags & HTTP1_CHUNKED) || (d->flags & HTTP1_LENGTH))
			d->seen |= HTTP1_SEEN_ODD;
		return 0;
	}
	if (first == (HTTP1_WORD('t', 'r', 'a', 'c', 'e', 'p', 'a', 'r') | HTTP1_FOLD) &&
	    (second & 0xffffffff) == (HTTP1_WORD('e', 'n', 't', ':', 0, 0, 0, 0) | (HTTP1_FOLD & 0xffffffff))) {
		const u8 *value = p[12] == ' ' ? p + 13 : p + 12;

		if ((d->seen & HTTP1_SEEN_TRACEPARENT) || (what & HTTP1_LINE_CUT) || n != (u32)(value - p) + HTTP1_TRACEPARENT) {
			d->seen |= HTTP1_SEEN_CONTEXT;
			return 0;
		}
		d->seen |= HTTP1_SEEN_TRACEPARENT;
		__builtin_memcpy(c->traceparent, value, HTTP1_TRACEPARENT);
		c->traceparent[HTTP1_TRACEPARENT] = (u8)(value - p);
	}
	return 0;
}

static __always_inline u32 http1_end_message(struct http1_direction *d)
{
	d->state = HTTP1_START;
	return HTTP1_ENDED;
}

static __always_inline u32 http1_set_body(struct http1_direction *d, bool until_close)
{
	if (d->flags & HTTP1_CHUNKED)
		d->state = HTTP1_CHUNK_SIZE;
	else if ((d->flags & HTTP1_LENGTH) && d->left)
		d->state = HTTP1_BODY;
	else if (until_close && !(d->flags & HTTP1_LENGTH))
		d->state = HTTP1_UNTIL_CLOSE;
	else
		return http1_end_message(d);
	return 0;
}

/* The empty line after a head. */
static __always_inline u32 http1_head_end(struct http1_connection *c, struct http1_direction *d, struct http1_direction *other)
{
	if (!(d->flags & HTTP1_RESPONSE)) {
		u64 bit = 1ull << (c->requests & 63);

		c->head_bits = d->flags & HTTP1_IS_HEAD ? c->head_bits | bit : c->head_bits & ~bit;
		c->connect_bits = d->flags & HTTP1_IS_CONNECT ? c->connect_bits | bit : c->connect_bits & ~bit;
		/* joined between a HEAD request and its response, a body is waited for that never comes */
		if (c->joined && (s32)(c->requests - c->responses) <= 0 && other->state < HTTP1_UNTIL_CLOSE) {
			other->state = HTTP1_START;
			other->line_length = 0;
		}
		c->requests++;
		/* a client that asks again: what was taken for a body without end was none */
		if (other->state == HTTP1_UNTIL_CLOSE)
			other->state = HTTP1_START;
		return d->flags & HTTP1_IS_CONNECT ? http1_end_message(d) : http1_set_body(d, false);
	}
	if (d->status < 200 && d->status != 101)
		return http1_end_message(d);
	if ((s32)(c->requests - c->responses) > 0) /* else its request passed unseen */
		c->responses++;
	if (d->status == 101)
		c->switched = 1;
	if (d->status == 101 || ((d->flags & HTTP1_IS_CONNECT) && d->status < 300)) {
		d->state = HTTP1_OPAQUE;
		other->state = HTTP1_OPAQUE;
		return HTTP1_ENDED;
	}
	if (d->status == 204 || d->status == 304 || (d->flags & HTTP1_IS_HEAD))
		return http1_end_message(d);
	return http1_set_body(d, true);
}

static __always_inline void http1_chunk_size(struct http1_direction *d, const u8 *p, u32 n)
{
	u64 value = http1_hexadecimal((const struct http1_text *)p, n);

	if (value == HTTP1_NO_NUMBER) {
		d->seen |= HTTP1_SEEN_ODD;
		d->state = HTTP1_START; /* not chunked after all: look for the next message */
	} else if (value) {
		d->left = value + 2;
		d->state = HTTP1_CHUNK_DATA;
	} else {
		d->head_length = 0;
		d->state = HTTP1_TRAILER;
	}
}

/* In `what`, above the line's length: */
#define HTTP1_LINE_VERSION 0x02000000u /* " HTTP/1." stands before its last byte */
#define HTTP1_LINE_EGRESS 0x04000000u

/* Takes one whole line. Returns enum http1_outcome. */
HTTP1_GLOBAL u32 http1_line(struct http1_connection *c, struct http1_direction *d, struct http1_direction *other,
			    const struct http1_long_text *t, u32 what)
{
	u32 n = what & 0xffffff, noted = 0;

	if (!c || !d || !other || !t)
		return HTTP1_NOT_HTTP;
	c->odd |= d->seen & HTTP1_SEEN_ODD; /* before a next message forgets it */
	switch (d->state) {
	case HTTP1_START:
		if (n == 0)
			return 0;
		return http1_start_line(c, d, t->bytes, n, what & HTTP1_LINE_EGRESS ? 1 : 0, what & HTTP1_LINE_VERSION);
	case HTTP1_HEAD:
		if (n == 0) {
			u32 interim = (d->flags & HTTP1_RESPONSE) && d->status < 200 && d->status != 101;

			return http1_head_end(c, d, other) | (interim ? 0 : HTTP1_HEAD_END);
		}
		http1_field(d, t->bytes, n);
		if (HTTP1_FIELDS)
			noted = http1_note_field(c, d, t->bytes, what);
		break;
	case HTTP1_CHUNK_SIZE:
		http1_chunk_size(d, t->bytes, n);
		return 0;
	default: /* a trailer */
		if (n == 0)
			return http1_end_message(d);
	}
	d->head_length += n + 2;
	if (d->head_length > HTTP1_HEAD_MAX) {
		d->seen |= HTTP1_SEEN_ODD;
		d->state = HTTP1_START;
	}
	return noted;
}

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
 * Bytes at a message start that are no start line, or a line without end: the rest of the call is passed over. A connection that begins so
 * speaks another protocol, whatever its messages carry.
 */
static __always_inline void http1_pass_over(struct http1_view *v)
{
	struct http1_walk *w = v->w;

	v->d->line_length = 0;
	v->d->state = HTTP1_START;
	if (w->at_start && !v->connection->known) {
		v->d->state = HTTP1_OPAQUE;
		v->other->state = HTTP1_OPAQUE;
	}
	w->foreign = 1;
	w->offset = w->total;
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
