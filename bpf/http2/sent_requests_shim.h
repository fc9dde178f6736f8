/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sent_requests.h outside the kernel: a client's connection whose messages a test plays, from behind the first line of the preface. */
#ifndef CLEW_BPF_HTTP2_SENT_REQUESTS_SHIM_H
#define CLEW_BPF_HTTP2_SENT_REQUESTS_SHIM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sent;

/* A new request whose header block ends in this message. */
struct sent_request {
	uint32_t stream;
	uint32_t place;	   /* behind its last byte */
	uint32_t frame_at; /* its last frame's header, or SENT_NOT_HERE */
	uint32_t length;   /* of that frame */
	uint32_t list_size;
	uint32_t fields;
	uint32_t begins; /* the header of the frame that began its block, in the stream */
	bool has_context;
	bool has_contexts; /* more than one */
};
#define SENT_NOT_HERE 0xffffffffu

typedef void (*sent_sink)(void *environment, const struct sent_request *request);

struct sent *sent_new(sent_sink sink, void *environment);
void sent_free(struct sent *s);

/* A message, read in windows of `window` bytes (64 … CLEW_WINDOW). `slack`: what lies around them. False: nothing more is believed. */
bool sent_message(struct sent *s, const uint8_t *bytes, uint32_t n, uint32_t window, uint8_t slack);

#ifdef __cplusplus
}
#endif

#endif
