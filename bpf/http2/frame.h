/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A frame's header, whether an endpoint would take it, and whether bytes that may be anything begin with frames. RFC 9113 §4.
 */
#ifndef CLEW_BPF_HTTP2_FRAME_H
#define CLEW_BPF_HTTP2_FRAME_H

#include "../http1/walk.h"

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

#endif
