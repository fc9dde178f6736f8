/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The text of a line, or of its first HTTP1_LINE bytes: where it ends, whether it may begin a message or frames one, the numbers in it.
 * Lines are found eight bytes at a time. Without branches where the verifier would follow each.
 */
#ifndef CLEW_BPF_HTTP1_TEXT_H
#define CLEW_BPF_HTTP1_TEXT_H

#include "walk.h"

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

#define HTTP1_PASSED 0xff
#define HTTP1_PASSED_LINES 8 /* above that: how many lines */

/* Of `available` bytes of a head, from the beginning of a line on: how many belong to whole lines that frame nothing. At most HTTP1_LINE.
 */
HTTP1_GLOBAL u32 http1_pass_fields(const struct http1_block *b, u32 available)
{
	u32 start = 0, lines = 0;

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
		lines++;
		if (end + 16 > available || http1_frames(b->bytes + (end & 127)) || (m & (m - 1)))
			break; /* a short rest is looked at line by line, as are lines of a few bytes */
	}
	return start | lines << HTTP1_PASSED_LINES;
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

#endif
