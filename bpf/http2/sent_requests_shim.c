/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What propagation/inject_streams.bpf.h is in the kernel. */
#include "sent_requests_shim.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/events.h"
#include "bpf/testing/kernel_types.h"

#define HTTP1_FIELDS false
#define HTTP1_STATES false
#include "bpf/http1/framing.h"
#include "bpf/http2/framing.h"
#include "bpf/http2/sent_requests.h"

#define BEFORE 96
#define BEHIND (2 * HTTP1_LINE)

struct sent {
	sent_sink sink;
	void *environment;
	struct http2_requests requests;
	struct http1_walk walk;
	const u8 *bytes;
	u32 before; /* bytes of the messages so far */
	u32 window;
	u8 slack;
	u8 data[BEFORE + CLEW_WINDOW + BEHIND];
};

static int http1_load(struct http1_view *v, u32 offset)
{
	struct sent *s = v->environment;
	u32 n = s->walk.total - offset;

	if (n > s->window)
		n = s->window;
	memset(s->data, s->slack, sizeof(s->data));
	memcpy(s->data + BEFORE, s->bytes + offset, n);
	s->walk.window = offset;
	s->walk.window_end = offset + n;
	return 0;
}

static void http1_emit(struct http1_view *v, u64 advanced_to)
{
	(void)v;
	(void)advanced_to;
}

static bool http1_head_ended(struct http1_view *v)
{
	(void)v;
	return false;
}

#include "bpf/testing/adds_nothing.h"

static void http2_request_ends(struct http2_sent *v)
{
	struct sent *s = v->v.environment;
	const struct sent_request request = {
		.stream = v->r->stream,
		.place = v->v.w->offset,
		.frame_at = v->r->frame_at,
		.length = v->r->length,
		.list_size = v->r->hpack.list_size,
		.fields = v->r->hpack.fields,
		.begins = v->r->begins,
		.has_context = v->r->hpack.flags & HPACK_CONTEXT,
		.has_contexts = v->r->hpack.flags & HPACK_CONTEXTS,
	};

	s->sink(s->environment, &request);
}

struct sent *sent_new(sent_sink sink, void *environment)
{
	struct sent *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->sink = sink;
	s->environment = environment;
	http2_requests_begin(&s->requests);
	return s;
}

void sent_free(struct sent *s)
{
	free(s);
}

bool sent_message(struct sent *s, const uint8_t *bytes, uint32_t n, uint32_t window, uint8_t slack)
{
	struct http2_sent v = {
		.v = {.w = &s->walk, .data = s->data + BEFORE, .environment = s},
		.r = &s->requests,
	};

	s->walk = (struct http1_walk){
		.total = n, .capture = HTTP1_NO_CAPTURE, .direction = CLEW_EGRESS, .origin = s->before, .body = HTTP1_NO_CAPTURE};
	s->before += n;
	s->bytes = bytes;
	s->window = window;
	s->slack = slack;
	for (int i = 0; i < HTTP1_STEPS_MAX && http2_requests_step(&v) == 0; i++)
		;
	return http2_requests_finish(&v) == 0 && s->requests.state != HTTP2_REQUESTS_FAILED;
}
