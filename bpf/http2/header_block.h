/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands in the header blocks that a client sends, as far as it matters to whoever adds a field: where each field ends, whether one of
 * them is a trace context in whatever form, and how long the list may be at the most. RFC 7541.
 *
 * The table is not kept: entries are counted, and of the latest it is known whether they are trace contexts, and an upper bound of their
 * sizes. An index that is valid never points to an entry that was evicted, so nobody has to know when that happens.
 *
 * Elements (a field's first byte with its integer, a name's, a value's length) that are cut by a window, a frame or a call are carried
 * over; strings are passed over by their length. Plain C without kernel helpers: sent_requests_test.cc runs it in user space.
 */
#ifndef CLEW_BPF_HTTP2_HEADER_BLOCK_H
#define CLEW_BPF_HTTP2_HEADER_BLOCK_H

#include "../http1/walk.h"

#define HPACK_STATIC 61
#define HPACK_NAME_CONTEXT 0x8000 /* with a name's size: it is a trace context's */
#define HPACK_SIZES 128		  /* power of two; 4096 bytes are 124 entries at the most */
#define HPACK_FIELD 32		  /* what each counts beside its name and value */
#define HPACK_STATIC_SIZE 40	  /* more than any of the static table's, without HPACK_FIELD */
#define HPACK_CARRY 32		  /* more than what an element and the beginning of a name take */
#define HPACK_NAME 16		  /* of a name, what is looked at */
#define HPACK_TABLE_SIZE 4096	  /* unless both ends agree on more */
#define HPACK_LIST_MAX 0xffffff
#define HPACK_REQUEST_MIN 140 /* of the fields that a request must have; CONNECT has two */
#define HPACK_FIELDS_MAX 64   /* may have one added: servers take 100 (Envoy, HAProxy, nghttpx) or 128 (Node.js), and proxies add some */

enum hpack_part {
	HPACK_PART_FIELD = 0,
	HPACK_PART_NAME = 1,
	HPACK_PART_VALUE = 2,
};

enum hpack_flag {
	HPACK_INCREMENTAL = 1, /* the field under way becomes an entry of the table … */
	HPACK_IS_CONTEXT = 2,  /* … it is a trace context */
	HPACK_CONTEXT = 4,     /* one of the block's fields was … */
	HPACK_CONTEXTS = 8,    /* … or more than one */
};

/* One direction of a connection, from its first block on. */
struct hpack {
	u32 string_left; /* bytes of a string that are passed over */
	u32 list_size;	 /* upper bound, of the block so far */
	u32 field_size;	 /* … of the field under way … */
	u32 name_size;	 /* … and of its name */
	u32 inserted;	 /* entries so far; they are numbered from 1 */
	u32 contexts;	 /* of these, trace contexts */
	u8 part;	 /* enum hpack_part */
	u8 flags;	 /* enum hpack_flag */
	u8 carried;	 /* bytes of an unfinished element: the last ones of … */
	u8 fields;	 /* of the block so far, up to 255 */
	u8 carry[HPACK_CARRY];
	u16 sizes[HPACK_SIZES]; /* by entry number: upper bounds of name and value … */
	u16 names[HPACK_SIZES]; /* … and of the name, with HPACK_NAME_CONTEXT */
};

/* Bytes from an element's first on; readable whatever their number. */
struct hpack_bytes {
	u8 bytes[HPACK_CARRY];
};

#define HPACK_CUT 0xffffffffu	  /* more bytes are needed */
#define HPACK_INVALID 0xfffffffeu /* no endpoint would take it */

/* An integer behind `bits` of its first byte: value << 4 | bytes that it takes. Of 2^21 and more: none in use is. */
static __always_inline u32 hpack_integer(const u8 *p, u32 available, u32 bits)
{
	u32 mask = (1u << bits) - 1, value = p[0] & mask, n = 1;

	if (value == mask) {
		value += p[1] & 127;
		n = 2;
		if (p[1] & 128) {
			value += (u32)(p[2] & 127) << 7;
			n = 3;
			if (p[2] & 128) {
				value += (u32)(p[3] & 127) << 14;
				n = 4;
				if (available >= 4 && (p[3] & 128))
					return HPACK_INVALID;
			}
		}
	}
	return n > available ? HPACK_CUT : value << 4 | n;
}

#define HPACK_WORD(a, b, c, d, e, f, g, h) HTTP1_WORD(a, b, c, d, e, f, g, h)
#define HPACK_LOW(n) (~0ull >> (64 - 8 * (n)))

/* Is a name of `n` bytes that of a trace context? traceparent, b3, x-b3-*, uber-trace-id, x-amzn-trace-id, x-datadog-*. */
static __always_inline bool hpack_is_context(const u8 *p, u32 n, bool huffman)
{
	u64 first = http1_u64(p), second = http1_u64(p + 8);

	if (huffman) /* RFC 7541, appendix B: bits from the top, filled up with ones */
		return (n == 8 && first == HPACK_WORD(0x4d, 0x83, 0x21, 0x6b, 0x1d, 0x85, 0xa9, 0x3f)) ||
		       (n == 2 && (first & HPACK_LOW(2)) == 0x9f8d) ||
		       (n > 4 && (first & 0xfeffffff) == HPACK_WORD(0xf2, 0xb4, 0x6c, 0xac, 0, 0, 0, 0)) ||
		       (n == 9 && first == HPACK_WORD(0xb6, 0x32, 0xd8, 0xb2, 0x6c, 0x19, 0x0a, 0xb1) && (second & 0xff) == 0xa4) ||
		       (n == 11 && first == HPACK_WORD(0xf2, 0xb0, 0xe9, 0xf7, 0x52, 0xc9, 0xb0, 0x64) &&
			(second & HPACK_LOW(3)) == HPACK_WORD(0x2a, 0xc6, 0x93, 0, 0, 0, 0, 0)) ||
		       (n > 8 && (first & ~(0x7full << 56)) == HPACK_WORD(0xf2, 0xb4, 0x83, 0x48, 0xe4, 0x3c, 0xcb, 0));
	return (n == 11 && first == HPACK_WORD('t', 'r', 'a', 'c', 'e', 'p', 'a', 'r') &&
		(second & HPACK_LOW(3)) == HPACK_WORD('e', 'n', 't', 0, 0, 0, 0, 0)) ||
	       (n == 2 && (first & HPACK_LOW(2)) == HPACK_WORD('b', '3', 0, 0, 0, 0, 0, 0)) ||
	       (n > 5 && (first & HPACK_LOW(5)) == HPACK_WORD('x', '-', 'b', '3', '-', 0, 0, 0)) ||
	       (n == 13 && first == HPACK_WORD('u', 'b', 'e', 'r', '-', 't', 'r', 'a') &&
		(second & HPACK_LOW(5)) == HPACK_WORD('c', 'e', '-', 'i', 'd', 0, 0, 0)) ||
	       (n == 15 && first == HPACK_WORD('x', '-', 'a', 'm', 'z', 'n', '-', 't') &&
		(second & HPACK_LOW(7)) == HPACK_WORD('r', 'a', 'c', 'e', '-', 'i', 'd', 0)) ||
	       (n > 10 && first == HPACK_WORD('x', '-', 'd', 'a', 't', 'a', 'd', 'o') &&
		(second & HPACK_LOW(2)) == HPACK_WORD('g', '-', 0, 0, 0, 0, 0, 0));
}

/* A string's decoded length at the most: the shortest code has 5 bits. */
static __always_inline u32 hpack_decoded(u32 n, bool huffman)
{
	return huffman ? n + n / 8 * 5 + 5 : n;
}

static __always_inline void hpack_grow(struct hpack *h, u32 n)
{
	h->list_size += n;
	if (h->list_size > HPACK_LIST_MAX)
		h->list_size = HPACK_LIST_MAX;
}

/* The table's entry of that index, above the static ones. Sets HPACK_IS_CONTEXT. Returns the size of it, or of its name, at the most. */
static __always_inline u32 hpack_entry(struct hpack *h, u32 index, bool whole)
{
	u32 back = index - HPACK_STATIC - 1, number = h->inserted - back, name;

	if (back >= h->inserted) /* nobody has made that one */
		return HPACK_INVALID;
	if (back >= HPACK_SIZES) { /* of a large table: it may be anything */
		h->flags |= h->contexts ? HPACK_IS_CONTEXT : 0;
		return HPACK_TABLE_SIZE;
	}
	name = h->names[number & (HPACK_SIZES - 1)];
	h->flags |= name & HPACK_NAME_CONTEXT ? HPACK_IS_CONTEXT : 0;
	return whole ? h->sizes[number & (HPACK_SIZES - 1)] : name & ~HPACK_NAME_CONTEXT;
}

/* The field under way is complete but for the bytes of its value. */
static __always_inline void hpack_field_ends(struct hpack *h)
{
	hpack_grow(h, h->field_size + HPACK_FIELD);
	h->fields += h->fields < 255;
	if (h->flags & HPACK_IS_CONTEXT)
		h->flags |= h->flags & HPACK_CONTEXT ? HPACK_CONTEXTS : HPACK_CONTEXT;
	if (h->flags & HPACK_INCREMENTAL) {
		h->inserted++;
		h->sizes[h->inserted & (HPACK_SIZES - 1)] = h->field_size > 0xffff ? 0xffff : (u16)h->field_size;
		h->names[h->inserted & (HPACK_SIZES - 1)] = h->name_size < HPACK_NAME_CONTEXT ? (u16)h->name_size : HPACK_NAME_CONTEXT - 1;
		if (h->flags & HPACK_IS_CONTEXT) {
			h->names[h->inserted & (HPACK_SIZES - 1)] |= HPACK_NAME_CONTEXT;
			h->contexts++;
		}
	}
	h->flags &= HPACK_CONTEXT | HPACK_CONTEXTS;
	h->part = HPACK_PART_FIELD;
}

/* A field's first element. */
static __always_inline u32 hpack_field(struct hpack *h, const u8 *p, u32 available)
{
	u32 bits = p[0] & 0x80 ? 7 : p[0] & 0x40 ? 6 : p[0] & 0x20 ? 5 : 4;
	u32 integer = hpack_integer(p, available, bits), index = integer >> 4, size;

	if (integer >= HPACK_INVALID || bits == 5) /* a new size of the table */
		return integer >= HPACK_INVALID ? integer : integer & 15;
	h->flags &= HPACK_CONTEXT | HPACK_CONTEXTS;
	h->field_size = 0;
	if (bits == 7 && !index)
		return HPACK_INVALID;
	size = index > HPACK_STATIC ? hpack_entry(h, index, bits == 7) : HPACK_STATIC_SIZE;
	if (size == HPACK_INVALID)
		return size;
	h->field_size = h->name_size = index ? size : 0;
	if (bits == 7) {
		hpack_field_ends(h);
		return integer & 15;
	}
	h->flags |= bits == 6 ? HPACK_INCREMENTAL : 0;
	h->part = index ? HPACK_PART_VALUE : HPACK_PART_NAME;
	return integer & 15;
}

/*
 * The element that begins with these bytes, `available` of which are there. Returns how many it takes; behind them lie string_left bytes
 * that are to be passed over.
 */
HTTP1_GLOBAL u32 hpack_element(struct hpack *h, const struct hpack_bytes *b, u32 available)
{
	u32 integer, length, used;
	bool huffman;

	if (!h || !b || !available)
		return HPACK_CUT;
	if (h->part == HPACK_PART_FIELD)
		return hpack_field(h, b->bytes, available);
	integer = hpack_integer(b->bytes, available, 7);
	if (integer >= HPACK_INVALID)
		return integer;
	huffman = b->bytes[0] & 0x80;
	length = integer >> 4;
	used = integer & 7;
	if (h->part == HPACK_PART_NAME) {
		if (!length)
			return HPACK_INVALID;
		if (available < used + (length < HPACK_NAME ? length : HPACK_NAME))
			return HPACK_CUT;
		if (hpack_is_context(b->bytes + used, length, huffman))
			h->flags |= HPACK_IS_CONTEXT;
		h->part = HPACK_PART_VALUE;
		h->field_size = h->name_size = hpack_decoded(length, huffman);
	} else {
		h->field_size += hpack_decoded(length, huffman);
		hpack_field_ends(h);
	}
	h->string_left = length;
	return used;
}

#endif
