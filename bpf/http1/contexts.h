/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trace contexts of other forms than W3C's in the fields of a head, as agent/correlation/propagation reads them: B3 in one field and in
 * several, Jaeger, X-Ray, Datadog. What is unusual (a field twice, another length, percent signs, fields of two forms) is none here: user
 * space may read it, or refuse it.
 */
#ifndef CLEW_BPF_HTTP1_CONTEXTS_H
#define CLEW_BPF_HTTP1_CONTEXTS_H

#include "message.h"

/* Forms, as bits: 1 << their place in enum class Propagator. */
enum http1_form {
	HTTP1_B3 = 1 << 1,
	HTTP1_B3_MULTI = 1 << 2,
	HTTP1_JAEGER = 1 << 3,
	HTTP1_XRAY = 1 << 4,
	HTTP1_DATADOG = 1 << 5,
};

/* What has been read. */
enum http1_form_has {
	HTTP1_HAS_TRACE = 1,
	HTTP1_HAS_SPAN = 2,
	HTTP1_HAS_DECISION = 4,
	HTTP1_HAS_SAMPLED = 8, /* the decision is yes */
	HTTP1_HAS_DEBUG = 16,  /* so it is, whatever else is said */
	HTTP1_HAS_TAGS = 32,
	HTTP1_HAS_ODD = 128, /* something that is not understood here */
};

/* The trace id, its first byte the highest. Where a traceparent's text is, if there is one. */
struct http1_form_ids {
	u64 high;
	u64 low;
	u64 other; /* another id, of which only that it is one matters: here, for the stack */
};

struct http1_digits {
	u8 bytes[16];
};

/* Of a hexadecimal digit: 0x80 and its value, 0x10 more if it is an upper case one. */
static const u8 http1_hex_digits[256] = {
	['0'] = 0x80, ['1'] = 0x81, ['2'] = 0x82, ['3'] = 0x83, ['4'] = 0x84, ['5'] = 0x85, ['6'] = 0x86, ['7'] = 0x87,
	['8'] = 0x88, ['9'] = 0x89, ['a'] = 0x8a, ['b'] = 0x8b, ['c'] = 0x8c, ['d'] = 0x8d, ['e'] = 0x8e, ['f'] = 0x8f,
	['A'] = 0x9a, ['B'] = 0x9b, ['C'] = 0x9c, ['D'] = 0x9d, ['E'] = 0x9e, ['F'] = 0x9f,
};

/* Its value, and 0x10 if it is an upper case one; 0x80: it is none. */
static __always_inline u32 http1_hex_value(u8 c)
{
	return http1_hex_digits[c] ^ 0x80;
}

#define HTTP1_ANY_CASE 0x100u

/* `what`: how many digits, at most 16, | HTTP1_ANY_CASE. 1: they are. Without branches, for the verifier. */
HTTP1_GLOBAL int http1_hex(const struct http1_digits *t, u32 what, u64 *value)
{
	u32 n = what & 31, all = 0;
	u64 sum = 0;

	if (!t || !value)
		return 0;
	for (u32 i = 0; i < 16; i++) {
		u32 digit = http1_hex_value(t->bytes[i]);
		u64 live = (u64)((i - n) >> 31);

		all |= digit & (u32)(0 - live);
		sum = sum << (live * 4) | (digit & 15 & (u32)(0 - live));
	}
	*value = sum;
	return !(all & (what & HTTP1_ANY_CASE ? 0x80 : 0x90));
}

/* 1: all `n` bytes are decimal digits, and the number is one of 64 bits. Without branches, for the verifier. */
HTTP1_GLOBAL int http1_decimal(const struct http1_text *t, u32 n, u64 *value)
{
	u32 last = 0, bad = 0;
	u64 sum = 0;

	if (!t || !value || !n || n > 20)
		return 0;
	for (u32 i = 0; i < 19; i++) { /* so many always fit */
		u32 digit = (u32)t->bytes[i] - '0', live = (i - n) >> 31;

		bad |= ((9 - digit) | digit) >> 31 & live;
		sum = sum + ((sum * 9 + digit) & (0 - (u64)live));
	}
	if (n == 20) {
		last = (u32)t->bytes[19] - '0';
		if (last > 9 || sum > 1844674407370955161ull || (sum == 1844674407370955161ull && last > 5))
			return 0;
		sum = sum * 10 + last;
	}
	*value = sum;
	return !(bad & 1);
}

/* The 16 digits of "_dd.p.tid=" among Datadog's tags. `what`: the line's length, and << 8 where they begin. 0: not there, 2: not to be
 * read. */
HTTP1_GLOBAL int http1_upper_half(const struct http1_long_text *t, u32 what, u64 *value)
{
	u32 n = what & 127, from = what >> 8 & 31, at = 0;
	const u8 *p;

	if (!t || !value)
		return 2;
	for (u32 i = 15; i < 96; i++) {
		u64 other = (http1_u64(t->bytes + i) ^ HTTP1_WORD('_', 'd', 'd', '.', 'p', '.', 't', 'i')) | (u64)(t->bytes[i + 8] ^ 'd') |
			    (u64)(t->bytes[i + 9] ^ '=');
		u32 found = (u32)((other | (0 - other)) >> 63) - 1; /* all ones, or 0 */

		asm volatile("" : "+r"(found)); /* no branch */
		at = (at & ~found) | (i & found);
	}
	at &= 127; /* for verifiers that do not follow it until here */
	if (!at)
		return 0;
	if (at > 95 || at < 15 || at < from || at + 26 > n)
		return 2;
	p = t->bytes + at;
	if ((at > from && p[-1] != ',') || (at + 26 < n && p[26] != ','))
		return 2;
	return http1_hex((const struct http1_digits *)(p + 10), 16 | HTTP1_ANY_CASE, value) ? 1 : 2;
}

/* A field of that form has said what stands in `bits`. */
static __always_inline void http1_form_says(struct http1_connection *c, u8 form, u32 bits, bool is_good)
{
	if (!is_good || (c->form & ~form) || (c->form_has & bits & ~HTTP1_HAS_SAMPLED))
		c->form_has |= HTTP1_HAS_ODD;
	c->form |= form;
	c->form_has |= bits;
}

/* b3: trace-span[-decision[-parent]], where the trace id has `digits` ones. */
static __always_inline void http1_b3(struct http1_connection *c, struct http1_form_ids *ids, const u8 *value, u32 n, u32 digits)
{
	const u8 *behind = value + digits + 17;
	u32 bits = HTTP1_HAS_TRACE | HTTP1_HAS_SPAN;
	bool good;

	good = http1_hex((const struct http1_digits *)(value + digits - 16), 16, &ids->low) &&
	       (digits == 16 || http1_hex((const struct http1_digits *)value, 16, &ids->high)) &&
	       http1_hex((const struct http1_digits *)(value + digits + 1), 16, &ids->other) && (ids->high | ids->low) && ids->other;
	if (n != digits + 17) {
		good &= (n == digits + 19 || n == digits + 36) && behind[0] == '-' &&
			(behind[1] == '0' || behind[1] == '1' || behind[1] == 'd');
		bits |= HTTP1_HAS_DECISION | (behind[1] == '0' ? 0 : HTTP1_HAS_SAMPLED);
	}
	if (n == digits + 36)
		good &= behind[2] == '-' && http1_hex((const struct http1_digits *)(behind + 3), 16, &ids->other);
	http1_form_says(c, HTTP1_B3, bits, good);
}

/* uber-trace-id: trace:span:parent:flags, with all zeros in front but the parent's, whose trace id has `digits` ones. */
static __always_inline void http1_jaeger(struct http1_connection *c, struct http1_form_ids *ids, const u8 *value, u32 n, u32 digits)
{
	bool is_short = value[digits + 19] == ':', good;
	const u8 *flags = is_short ? value + digits + 20 : value + digits + 35;
	u32 length = n - (u32)(flags - value), first = http1_hex_value(flags[0]), last = http1_hex_value(flags[1]);

	if (length == 1)
		last = first;
	good = (length == 1 || length == 2) && !((first | last) & 0x80) && flags[-1] == ':' && value[digits + 17] == ':' &&
	       (is_short ? !(http1_hex_value(value[digits + 18]) & 0x80)
			 : http1_hex((const struct http1_digits *)(value + digits + 18), 16 | HTTP1_ANY_CASE, &ids->other)) &&
	       http1_hex((const struct http1_digits *)(value + digits - 16), 16 | HTTP1_ANY_CASE, &ids->low) &&
	       (digits == 16 || http1_hex((const struct http1_digits *)value, 16 | HTTP1_ANY_CASE, &ids->high)) &&
	       http1_hex((const struct http1_digits *)(value + digits + 1), 16 | HTTP1_ANY_CASE, &ids->other) && (ids->high | ids->low) &&
	       ids->other;
	http1_form_says(c, HTTP1_JAEGER, HTTP1_HAS_TRACE | HTTP1_HAS_SPAN | HTTP1_HAS_DECISION | (last & 3 ? HTTP1_HAS_SAMPLED : 0), good);
}

/* x-b3-traceid and its like. `name`: behind "x-b3-". */
static __always_inline void http1_b3_field(struct http1_connection *c, struct http1_form_ids *ids, const u8 *name, u32 n)
{
	u64 first = http1_u64(name) | HTTP1_FOLD;
	const u8 *value;
	bool good;

	if (first == (HTTP1_WORD('t', 'r', 'a', 'c', 'e', 'i', 'd', ':') | HTTP1_FOLD)) {
		value = name[8] == ' ' ? name + 9 : name + 8;
		n -= (u32)(value - name);
		ids->high = 0;
		good = n == 16 ? http1_hex((const struct http1_digits *)value, 16, &ids->low)
			       : n == 32 && http1_hex((const struct http1_digits *)value, 16, &ids->high) &&
					 http1_hex((const struct http1_digits *)(value + 16), 16, &ids->low);
		http1_form_says(c, HTTP1_B3_MULTI, HTTP1_HAS_TRACE, good && (ids->high | ids->low));
	} else if ((first & 0xffffffffffffffull) ==
		   (HTTP1_WORD('s', 'p', 'a', 'n', 'i', 'd', ':', 0) | (HTTP1_FOLD & 0xffffffffffffffull))) {
		value = name[7] == ' ' ? name + 8 : name + 7;
		n -= (u32)(value - name);
		http1_form_says(c, HTTP1_B3_MULTI, HTTP1_HAS_SPAN,
				n == 16 && http1_hex((const struct http1_digits *)value, 16, &ids->other) && ids->other);
	} else if (first == (HTTP1_WORD('s', 'a', 'm', 'p', 'l', 'e', 'd', ':') | HTTP1_FOLD)) {
		value = name[8] == ' ' ? name + 9 : name + 8;
		n -= (u32)(value - name);
		if (n == 1)
			http1_form_says(c, HTTP1_B3_MULTI, HTTP1_HAS_DECISION | (value[0] == '1' ? HTTP1_HAS_SAMPLED : 0),
					value[0] == '0' || value[0] == '1');
		else /* a boolean */
			http1_form_says(c, HTTP1_B3_MULTI, HTTP1_HAS_DECISION, false);
	} else if ((first & 0xffffffffffffull) == (HTTP1_WORD('f', 'l', 'a', 'g', 's', ':', 0, 0) | (HTTP1_FOLD & 0xffffffffffffull))) {
		value = name[6] == ' ' ? name + 7 : name + 6;
		n -= (u32)(value - name);
		http1_form_says(c, HTTP1_B3_MULTI, HTTP1_HAS_DEBUG, n == 1 && value[0] == '1');
	}
}

/* Root=1-8 digits-24 digits;Parent=16 digits[;Sampled=decision], in this order. */
static __always_inline void http1_xray(struct http1_connection *c, struct http1_form_ids *ids, const u8 *v, u32 n)
{
	u32 bits = HTTP1_HAS_TRACE | HTTP1_HAS_SPAN;
	bool good;

	good = (n == 64 || n == 74) && (http1_u64(v) & 0xffffffffffffffull) == HTTP1_WORD('R', 'o', 'o', 't', '=', '1', '-', 0) &&
	       v[15] == '-' && http1_u64(v + 40) == HTTP1_WORD(';', 'P', 'a', 'r', 'e', 'n', 't', '=') &&
	       http1_hex((const struct http1_digits *)(v + 7), 8 | HTTP1_ANY_CASE, &ids->high) &&
	       http1_hex((const struct http1_digits *)(v + 16), 8 | HTTP1_ANY_CASE, &ids->other);
	ids->high = ids->high << 32 | ids->other;
	good = good && http1_hex((const struct http1_digits *)(v + 24), 16 | HTTP1_ANY_CASE, &ids->low) &&
	       http1_hex((const struct http1_digits *)(v + 48), 16 | HTTP1_ANY_CASE, &ids->other) && (ids->high | ids->low) && ids->other;
	if (n == 74) {
		good &= http1_u64(v + 64) == HTTP1_WORD(';', 'S', 'a', 'm', 'p', 'l', 'e', 'd') && v[72] == '=' &&
			(v[73] == '0' || v[73] == '1');
		bits |= HTTP1_HAS_DECISION | (v[73] == '1' ? HTTP1_HAS_SAMPLED : 0);
	}
	http1_form_says(c, HTTP1_XRAY, bits, good);
}

/* x-datadog-trace-id and its like. `name`: behind "x-datadog-". */
static __always_inline void http1_datadog_field(struct http1_connection *c, struct http1_form_ids *ids, const struct http1_long_text *t,
						u32 n)
{
	const u8 *name = t->bytes + 10, *value;
	u64 first = http1_u64(name) | HTTP1_FOLD;
	u32 prefix, found;

	if (first == (HTTP1_WORD('t', 'r', 'a', 'c', 'e', '-', 'i', 'd') | HTTP1_FOLD) && name[8] == ':') {
		value = name[9] == ' ' ? name + 10 : name + 9;
		n -= 10 + (u32)(value - name);
		http1_form_says(c, HTTP1_DATADOG, HTTP1_HAS_TRACE,
				http1_decimal((const struct http1_text *)value, n, &ids->low) && ids->low);
	} else if (first == (HTTP1_WORD('p', 'a', 'r', 'e', 'n', 't', '-', 'i') | HTTP1_FOLD) && name[9] == ':') {
		value = name[10] == ' ' ? name + 11 : name + 10;
		n -= 10 + (u32)(value - name);
		http1_form_says(c, HTTP1_DATADOG, HTTP1_HAS_SPAN,
				http1_decimal((const struct http1_text *)value, n, &ids->other) && ids->other);
	} else if (first == (HTTP1_WORD('s', 'a', 'm', 'p', 'l', 'i', 'n', 'g') | HTTP1_FOLD)) { /* -priority: -1, 0, 1, 2 */
		value = name[18] == ' ' ? name + 19 : name + 18;
		n -= 10 + (u32)(value - name);
		http1_form_says(c, HTTP1_DATADOG, HTTP1_HAS_DECISION | (n == 1 && value[0] != '0' ? HTTP1_HAS_SAMPLED : 0),
				name[17] == ':' &&
					((n == 1 && value[0] >= '0' && value[0] <= '2') || (n == 2 && value[0] == '-' && value[1] == '1')));
	} else if ((first & 0xffffffffffull) == (HTTP1_WORD('t', 'a', 'g', 's', ':', 0, 0, 0) | (HTTP1_FOLD & 0xffffffffffull))) {
		prefix = name[5] == ' ' ? 16 : 15;
		found = n > 120 ? 2 : http1_upper_half(t, n | prefix << 8, &ids->high);
		http1_form_says(c, HTTP1_DATADOG, HTTP1_HAS_TAGS, found != 2);
	}
}

/* A field that matters for a context of another form. `what`: as http1_line() has it. */
HTTP1_GLOBAL int http1_context_field(struct http1_connection *c, const struct http1_long_text *t, u32 what)
{
	struct http1_form_ids *ids;
	u32 n = what & 0xffffff;
	const u8 *p, *value;

	if (!c || !t)
		return 0;
	ids = (struct http1_form_ids *)c->traceparent;
	p = t->bytes;
	if (!c->form) {
		ids->high = 0;
		ids->low = 0;
	}
	if (what & HTTP1_LINE_CUT) {
		http1_form_says(c, 0, 0, false);
	} else if ((p[0] | 0x20) == 'b') {
		value = p[3] == ' ' ? p + 4 : p + 3;
		n -= (u32)(value - p);
		if (p[2] != ':') /* another name */
			return 0;
		if (value[16] == '-')
			http1_b3(c, ids, value, n, 16);
		else if (value[32] == '-')
			http1_b3(c, ids, value, n, 32);
		else
			http1_form_says(c, HTTP1_B3, 0, false);
	} else if ((p[0] | 0x20) == 'u') { /* uber-tra */
		value = p[14] == ' ' ? p + 15 : p + 14;
		n -= (u32)(value - p);
		if ((http1_u64(p + 6) | HTTP1_FOLD) != (HTTP1_WORD('r', 'a', 'c', 'e', '-', 'i', 'd', ':') | HTTP1_FOLD))
			return 0;
		if (value[16] == ':')
			http1_jaeger(c, ids, value, n, 16);
		else if (value[32] == ':')
			http1_jaeger(c, ids, value, n, 32);
		else
			http1_form_says(c, HTTP1_JAEGER, 0, false);
	} else if ((p[2] | 0x20) == 'b') { /* x-b3- */
		http1_b3_field(c, ids, p + 5, n - 5);
	} else if ((p[2] | 0x20) == 'a') { /* x-amzn-t */
		value = p[16] == ' ' ? p + 17 : p + 16;
		if ((http1_u64(p + 8) | HTTP1_FOLD) != (HTTP1_WORD('r', 'a', 'c', 'e', '-', 'i', 'd', ':') | HTTP1_FOLD))
			http1_form_says(c, HTTP1_XRAY, 0, false);
		else
			http1_xray(c, ids, value, n - (u32)(value - p));
	} else if ((p[8] | 0x20) == 'g' && p[9] == '-') { /* x-datado */
		http1_datadog_field(c, ids, t, n);
	}
	return 1;
}

#endif
