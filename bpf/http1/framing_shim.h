/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* framing.h outside the kernel: one connection whose socket calls a test plays. framing.h is C that C++ does not take. */
#ifndef CLEW_BPF_HTTP1_FRAMING_SHIM_H
#define CLEW_BPF_HTTP1_FRAMING_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct framing;

/* What the kernel would write to the ring buffer: a struct clew_event_data and its bytes. */
typedef void (*framing_sink)(void *environment, int direction, uint64_t position, const uint8_t *bytes, uint32_t length,
			     uint64_t advanced_to);

struct framing_outcome {
	bool foreign; /* bytes at a message start were not HTTP */
	bool cut;     /* more steps were needed than one call may have */
};

struct framing *framing_new(framing_sink sink, void *environment);
void framing_free(struct framing *f);

/* Whether framings look at the fields that matter for trace contexts. */
void framing_look_at_fields(bool yes);

/* The latest head that ended (interim responses are none). */
struct framing_head {
	uint8_t seen;		 /* enum http1_seen */
	uint8_t fields;		 /* up to 255, if they were looked at */
	uint32_t begins;	 /* position of its first byte */
	uint32_t traceparent_at; /* and of that value's, if seen */
	char traceparent[56];
	uint8_t form; /* enum http1_form, … */
	uint8_t form_has;
	uint64_t trace_id[2]; /* … if seen: its first byte the highest */
};
uint32_t framing_heads(const struct framing *f);
struct framing_head framing_latest_head(const struct framing *f);

/* Of the event that the sink is given: a frame of HTTP/2 begins with its first byte. */
bool framing_begins(const struct framing *f);
bool framing_is_http2(const struct framing *f);

/* Before its first call: the connection was found open. Bit d of `distrusted`: direction d may be in the middle of a body. */
void framing_join(struct framing *f, uint8_t distrusted);

/* A call that moved `n` bytes, read in windows of `window` bytes (1 … CLEW_WINDOW). `slack`: what lies around them in memory. */
struct framing_outcome framing_call(struct framing *f, int direction, const uint8_t *bytes, uint32_t n, uint32_t window, uint8_t slack);

/* `n` bytes that no hook could read. False: the framing is lost. */
bool framing_skip(struct framing *f, int direction, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
