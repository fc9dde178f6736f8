/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What socket/call.bpf.h is in the kernel: moves the position, walks the bytes of one call, hands over what is captured. */
#include "framing_shim.h"

#include <stdlib.h>
#include <string.h>

#include "bpf/events.h"
#include "bpf/testing/kernel_types.h"

static bool fields = false; /* as const volatile `injecting` in the kernel */
#define HTTP1_FIELDS fields
#define HTTP1_STATES fields
#include "bpf/http1/framing.h"
#include "bpf/http2/framing.h"

#define BEFORE 16
#define BEHIND (2 * HTTP1_LINE)

struct framing {
	framing_sink sink;
	void *environment;
	struct http1_connection connection;
	struct http1_direction direction[2];
	u64 position[2];
	bool announced;
	uint32_t heads;
	struct framing_head head;
	bool http2;
	uint8_t accepted;
	struct http2_direction frames[2];
	bool begins; /* of the event under way */
	/* the call under way */
	struct http1_walk walk;
	u64 start;
	const u8 *bytes;
	u32 window;
	u8 slack;
	u8 data[BEFORE + CLEW_WINDOW + BEHIND];
};

static int http1_load(struct http1_view *v, u32 offset)
{
	struct framing *f = v->environment;
	u32 n = f->walk.total - offset;

	if (n > f->window)
		n = f->window;
	memset(f->data, f->slack, sizeof(f->data));
	memcpy(f->data + BEFORE, f->bytes + offset, n);
	f->walk.window = offset;
	f->walk.window_end = offset + n;
	return 0;
}

static void http1_emit(struct http1_view *v, u64 advanced_to)
{
	struct framing *f = v->environment;
	struct http1_walk *w = v->w;
	u32 length = w->capture_end - w->capture;

	f->begins = w->begins;
	/* from the window, not from the call: what left the window before it was handed over is gone */
	f->sink(f->environment, w->direction, f->start + w->capture, f->data + BEFORE + HTTP1_INDEX(w->capture - w->window), length,
		f->start + advanced_to);
	f->announced = true;
	w->capture = HTTP1_NO_CAPTURE;
	w->ended = 0;
}

/* In the kernel: bpf/propagation. */
static bool http1_head_ended(struct http1_view *v)
{
	struct framing *f = v->environment;

	f->head.seen = v->d->seen;
	f->head.fields = v->d->fields;
	f->head.begins = v->d->begins;
	f->head.traceparent_at = v->connection->traceparent_at;
	memcpy(f->head.traceparent, v->connection->traceparent, HTTP1_TRACEPARENT);
	f->head.form = v->connection->form;
	f->head.form_has = v->connection->form_has;
	memcpy(f->head.trace_id, v->connection->traceparent, sizeof(f->head.trace_id));
	f->heads++;
	return false;
}

#include "bpf/testing/adds_nothing.h"

void framing_look_at_fields(bool yes)
{
	fields = yes;
}

uint32_t framing_heads(const struct framing *f)
{
	return f->heads;
}

struct framing_head framing_latest_head(const struct framing *f)
{
	return f->head;
}

struct framing *framing_new(framing_sink sink, void *environment)
{
	struct framing *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->sink = sink;
	f->environment = environment;
	return f;
}

void framing_free(struct framing *f)
{
	free(f);
}

bool framing_begins(const struct framing *f)
{
	return f->begins;
}

bool framing_is_http2(const struct framing *f)
{
	return f->http2;
}

void framing_join(struct framing *f, uint8_t distrusted)
{
	f->accepted = HTTP2_ACCEPTED;
	f->connection.joined = 1;
	f->connection.distrusted = distrusted;
}

static struct http1_view begin(struct framing *f, int direction, u32 total)
{
	f->walk = (struct http1_walk){
		.total = total,
		.capture = HTTP1_NO_CAPTURE,
		.direction = (u8)direction,
		.origin = (u32)f->position[direction],
		.carried = f->direction[direction].line_length != 0,
		.at_start = !f->connection.joined && f->position[direction] == 0,
	};
	f->connection.distrusted &= 1 << direction;
	f->start = f->position[direction];
	f->position[direction] += total;
	return (struct http1_view){
		.w = &f->walk,
		.connection = &f->connection,
		.d = &f->direction[direction],
		.other = &f->direction[1 - direction],
		.data = f->data + BEFORE,
		.environment = f,
	};
}

static bool end(struct framing *f, struct http1_view *v)
{
	if (f->walk.foreign && f->announced)
		f->walk.ended = 1;
	return http1_finish(v);
}

static struct http2_view frames_of(struct framing *f, struct http1_view *v)
{
	return (struct http2_view){.v = *v, .d = &f->frames[f->walk.direction], .other = &f->frames[1 - f->walk.direction]};
}

/* walk_frames() in the kernel. */
static struct framing_outcome frames_call(struct framing *f, struct http1_view *v)
{
	struct http2_view h = frames_of(f, v);
	struct framing_outcome outcome;

	http2_find(&h);
	for (int i = 0; i < HTTP1_STEPS_MAX && http2_step(&h) == 0; i++)
		;
	if (f->walk.foreign && f->announced)
		f->walk.ended = 1;
	outcome.cut = http2_finish(&h);
	outcome.foreign = f->walk.foreign;
	return outcome;
}

struct framing_outcome framing_call(struct framing *f, int direction, const uint8_t *bytes, uint32_t n, uint32_t window, uint8_t slack)
{
	struct http1_view v = begin(f, direction, n);
	struct http2_view h = frames_of(f, &v);
	struct framing_outcome outcome;

	f->bytes = bytes;
	f->window = window;
	f->slack = slack;
	if (f->http2)
		return frames_call(f, &v);
	for (int i = 0; i < HTTP1_STEPS_MAX && http1_step(&v) == 0; i++)
		;
	if (http2_may_turn(&v, h.d->state != HTTP2_NONE)) {
		f->http2 = http2_turns(&h, f->accepted);
		if (f->http2)
			return frames_call(f, &v);
	}
	outcome.cut = end(f, &v);
	outcome.foreign = f->walk.foreign;
	return outcome;
}

bool framing_skip(struct framing *f, int direction, uint64_t n)
{
	struct http1_view v = begin(f, direction, (u32)n);
	bool known;

	if (f->http2) {
		struct http2_view h = frames_of(f, &v);

		known = http2_skip(&h, n) == 0;
		f->walk.ended = 1; /* a connection that is followed is told at once of bytes that were not readable */
		f->walk.offset = f->walk.total;
		http2_finish(&h);
		return known;
	}
	known = http1_skip(&v, n) == 0;

	f->walk.offset = f->walk.total;
	end(f, &v);
	return known;
}
