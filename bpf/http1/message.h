/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a whole line means for the message that it is part of: it begins one, says how long the body is, names a trace context, ends the
 * head, is the size of a chunk. RFC 9112, section 6.3.
 */
#ifndef CLEW_BPF_HTTP1_MESSAGE_H
#define CLEW_BPF_HTTP1_MESSAGE_H

#include "text.h"

/* What a whole line meant: bits. */
enum http1_outcome {
	HTTP1_NOT_HTTP = 1, /* at a message start, but no start line */
	HTTP1_ENDED = 2,    /* a message ended with it */
	HTTP1_BEGUN = 4,    /* a message began with it */
	HTTP1_HEAD_END = 8, /* the head of a request, or of a response that is not an interim one, ended with it */
	HTTP1_PREFACE = 16, /* it is the first line of HTTP/2's preface */
	HTTP1_FORM = 32,    /* it is a field of a context of another form than traceparent */
};

/* In `what`, above the line's length: */
#define HTTP1_LINE_CUT 0x01000000u     /* of the line only the first HTTP1_LINE bytes are there */
#define HTTP1_LINE_VERSION 0x02000000u /* " HTTP/1." stands before its last byte */
#define HTTP1_LINE_EGRESS 0x04000000u

#define HTTP1_PROXY_LINE 105 /* bytes at most, without CRLF */

/* A line that begins no message. Before the first one it may begin HTTP/2, or be the PROXY protocol's, which names the client's client. */
static __always_inline u32 http1_other_line(struct http1_connection *c, const u8 *p, u32 n, u64 first)
{
	if (c->known)
		return HTTP1_NOT_HTTP;
	if (n == 14 && first == HTTP1_WORD('P', 'R', 'I', ' ', '*', ' ', 'H', 'T') &&
	    http1_u64(p + 6) == HTTP1_WORD('H', 'T', 'T', 'P', '/', '2', '.', '0'))
		return HTTP1_PREFACE;
	if (c->joined || c->proxied || n > HTTP1_PROXY_LINE ||
	    (first != HTTP1_WORD('P', 'R', 'O', 'X', 'Y', ' ', 'T', 'C') && first != HTTP1_WORD('P', 'R', 'O', 'X', 'Y', ' ', 'U', 'N')))
		return HTTP1_NOT_HTTP;
	c->proxied = 1;
	return 0;
}

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
			return http1_other_line(c, p, n, first);
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
	d->fields = 0;
	d->left = 0;
	d->head_length = 0;
	d->state = HTTP1_HEAD;
	return HTTP1_BEGUN;
}

static __always_inline void http1_count_fields(struct http1_direction *d, u32 lines)
{
	u32 fields = d->fields + lines;

	d->fields = fields < 255 ? (u8)fields : 255;
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
			d->seen |= HTTP1_SEEN_CONTEXT | HTTP1_SEEN_ODD_TRACEPARENT;
			return 0;
		}
		d->seen |= HTTP1_SEEN_TRACEPARENT;
		__builtin_memcpy(c->traceparent, value, HTTP1_TRACEPARENT);
		c->traceparent[HTTP1_TRACEPARENT] = (u8)(value - p);
	}
	if (HTTP1_STATES && first == (HTTP1_WORD('t', 'r', 'a', 'c', 'e', 's', 't', 'a') | HTTP1_FOLD))
		d->seen |= HTTP1_SEEN_STATE;
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

#define HTTP1_PROXY_BLOCK 16 /* bytes of a PROXY protocol's binary header before the addresses */
#define HTTP1_IS_PROXY_BLOCK 0x10000u

/* Do the first `available` bytes of a connection begin with such a header? Then that bit, and the length of its addresses; else 0. */
HTTP1_GLOBAL u32 http1_proxy_block(struct http1_connection *c, const struct http1_text *t, u32 available)
{
	if (!c || !t || c->known || c->joined || c->proxied || available < HTTP1_PROXY_BLOCK ||
	    http1_u64(t->bytes) != HTTP1_WORD('\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q') ||
	    (http1_u64(t->bytes + 8) & 0xf0ffffffffull) != HTTP1_WORD('U', 'I', 'T', '\n', 0x20, 0, 0, 0))
		return 0;
	c->proxied = 1;
	return HTTP1_IS_PROXY_BLOCK | (u32)t->bytes[14] << 8 | t->bytes[15];
}

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
		if (HTTP1_FIELDS) {
			http1_count_fields(d, 1);
			noted = http1_note_field(c, d, t->bytes, what);
		}
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

#endif
