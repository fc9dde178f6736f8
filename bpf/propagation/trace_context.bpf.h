/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trace contexts as text, W3C Trace Context: "00-" trace id "-" parent id "-" flags. Ids that nothing has named yet are made as
 * agent/correlation/ids.cc makes them, so that what is injected agrees with the spans that user space will make.
 */
#ifndef CLEW_BPF_TRACE_CONTEXT_H
#define CLEW_BPF_TRACE_CONTEXT_H

#define TRACE_ID_AT 3
#define TRACE_ID_TEXT 32
#define PARENT_ID_AT 36
#define SPAN_ID_TEXT 16
#define FLAGS_AT 53

/* Room for a traceparent of HTTP1_TRACEPARENT bytes. */
struct traceparent {
	u8 text[56];
};

/* Eight bytes as digits. Functions that stand alone, for the stack: 512 bytes are all there is before 6.13. */
struct hex_text {
	u8 digits[16];
};

/* Four bytes, the lowest first, as eight digits. */
static __always_inline u64 hex_digits(u32 bytes)
{
	u64 x = bytes, digits, letters;

	x = (x | x << 16) & 0x0000ffff0000ffffull;
	x = (x | x << 8) & 0x00ff00ff00ff00ffull;
	digits = (x >> 4 & 0x000f000f000f000full) | (x & 0x000f000f000f000full) << 8;
	letters = (digits + 0x0606060606060606ull) >> 4 & 0x0101010101010101ull;
	return digits + 0x3030303030303030ull + letters * ('a' - '9' - 1);
}

__noinline int write_hex(struct hex_text *to, u64 bytes)
{
	u64 *digits = (u64 *)to;

	if (!to)
		return 0;
	digits[0] = hex_digits((u32)bytes);
	digits[1] = hex_digits((u32)(bytes >> 32));
	return 1;
}

static __always_inline void put_hex(u8 *to, u64 bytes)
{
	int done = write_hex((struct hex_text *)to, bytes);

	asm volatile("" : : "r"(done)); /* as in http1_emit */
}

static __always_inline u8 hex_value(u8 c)
{
	return (c & 15) + (c > '9') * 9;
}

/* Eight bytes from their digits, as write_hex() writes them. */
__noinline u64 read_hex(const struct hex_text *from)
{
	u64 bytes = 0;

	if (!from)
		return 0;
#pragma clang loop unroll(disable) vectorize(disable)
	for (u32 i = 0; i < 16; i++)
		bytes |= (u64)hex_value(from->digits[i]) << ((i ^ 1) * 4);
	return bytes;
}

/* 1 if the text breaks none of the specification's rules: lower-case digits, no id of zeros, not version ff. */
__noinline int traceparent_is_valid(const struct traceparent *t)
{
	u32 bad = 0, trace_id = 0, parent_id = 0;

	if (!t)
		return 0;
	for (u32 i = 0; i < HTTP1_TRACEPARENT; i++) {
		u8 c = t->text[i];
		bool dash = i == 2 || i == 35 || i == 52;

		if (dash)
			bad |= c != '-';
		else
			bad |= !((c >= '0') & (c <= '9')) & !((c >= 'a') & (c <= 'f'));
		if (i >= TRACE_ID_AT && i < TRACE_ID_AT + TRACE_ID_TEXT)
			trace_id |= c ^ '0';
		if (i >= PARENT_ID_AT && i < PARENT_ID_AT + SPAN_ID_TEXT)
			parent_id |= c ^ '0';
	}
	bad |= (t->text[0] == 'f') & (t->text[1] == 'f');
	return !bad && trace_id && parent_id;
}

struct sip_state {
	u64 v0, v1, v2, v3;
};

#define SIP_ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static __always_inline void sip_round(struct sip_state *s)
{
	s->v0 += s->v1;
	s->v1 = SIP_ROTATE(s->v1, 13) ^ s->v0;
	s->v0 = SIP_ROTATE(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = SIP_ROTATE(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = SIP_ROTATE(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = SIP_ROTATE(s->v1, 17) ^ s->v2;
	s->v2 = SIP_ROTATE(s->v2, 32);
}

static __always_inline void sip_take(struct sip_state *s, u64 word)
{
	s->v3 ^= word;
	sip_round(s);
	sip_round(s);
	s->v0 ^= word;
}

/* Word 1 or 2 of the trace id that a request without a context begins, or the id of its span. Never 0. */
#define CLIENT_SPAN_ID (16 + 3)
__noinline u64 new_stream_id(u64 connection, u64 position, u32 stream, u64 which)
{
	struct sip_state s = {seed[0] ^ 0x736f6d6570736575ull, seed[1] ^ 0x646f72616e646f6dull, seed[0] ^ 0x6c7967656e657261ull,
			      seed[1] ^ 0x7465646279746573ull};
	u64 hash;

	sip_take(&s, connection);
	sip_take(&s, position);
	sip_take(&s, stream);
	sip_take(&s, which);
	sip_take(&s, 4ull * sizeof(u64) << 56);
	s.v2 ^= 0xff;
	for (u32 i = 0; i < 4; i++)
		sip_round(&s);
	hash = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
	return hash ? hash : 1;
}

static __always_inline u64 new_id(u64 connection, u64 position, u64 which)
{
	return new_stream_id(connection, position, 0, which);
}

/* Is a trace kept by its id? As sampling::Sampler::root without a tracestate. */
__noinline int trace_is_kept(const struct traceparent *t)
{
	u64 random = 0;

	if (!t)
		return 0;
	if (!sampling_threshold)
		return 1;
	for (u32 i = TRACE_ID_AT + 18; i < TRACE_ID_AT + TRACE_ID_TEXT; i++) /* its last 56 bits */
		random = random << 4 | hex_value(t->text[i]);
	return random >= sampling_threshold;
}

static __always_inline void put_trace_id(struct traceparent *t, u64 first, u64 second)
{
	t->text[0] = t->text[1] = '0';
	t->text[2] = '-';
	put_hex(t->text + TRACE_ID_AT, first);
	put_hex(t->text + TRACE_ID_AT + 16, second);
	t->text[PARENT_ID_AT - 1] = '-';
	t->text[FLAGS_AT - 1] = '-';
}

#endif
