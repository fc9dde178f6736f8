/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Trace contexts in a TCP option (--inject=tcp-option): they reach a clew on another node also where the bytes are not to be changed. No
 * byte of the stream moves, and who does not know the option ignores it.
 * Of an encrypted request the number counts the plaintext instead, as both ends do (tls/session.bpf.h), less CARRIED_MAGIC_TLS.
 * Kind 253, of a request that is not sampled 254 (RFC 4727, for experiments), 28 bytes, which is what timestamps leave: the low half of
 * the sequence number of the request's first byte, less CARRIED_MAGIC; trace id; span id. A segment that is cut again carries it more than
 * once: it counts on the one that holds that byte.
 */
#ifndef CLEW_BPF_TCP_OPTION_H
#define CLEW_BPF_TCP_OPTION_H

#define CARRIED_BYTES 28
#define CARRIED_SAMPLED 253
#define CARRIED_UNSAMPLED 254
#define CARRIED_MAGIC 0xc1e3
#define CARRIED_MAGIC_TLS 0x7a5d
#define CARRIED 4 /* power of two: requests of a connection that are not acknowledged yet, or not read */
#define TCP_HEADER_MIN 20
#define TCP_HEADER_MAX 60
#define OPTIONS_MAX 12 /* that are looked at; Linux writes two of one byte before each of its own */

/* The option itself. */
struct carried_option {
	u8 kind;
	u8 length;
	u16 place; /* network byte order */
	u8 ids[24];
} __attribute__((packed));

/* What belongs to the request whose first byte, or first encrypted byte, has a sequence number. */
struct carried {
	u32 sequence;
	u8 kind; /* 0: none */
	u8 is_tls;
	u16 place; /* as in the option */
	u8 ids[24];
};
struct carried_list {
	u32 next;
	u32 padding;
	struct carried of[CARRIED];
};

/* socket of a client → contexts that its segments are to carry, and of a server → contexts that they have brought. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct carried_list);
} carried_out SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct carried_list);
} carried_in SEC(".maps");

/* The same of a server's TLS sessions, by connection id: who reads them has no socket at hand. The oldest is evicted: its request has none.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct carried_list);
} carried_in_tls SEC(".maps");

/* Listening socket of a selected process; the kernel gives the sockets of its connections a copy. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, u8);
} listeners SEC(".maps");

static __always_inline void watch_listener(struct sock *sk)
{
	if (carrying)
		bpf_sk_storage_get(&listeners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/* User space is told, ahead of the request's bytes. `e` is not on the stack. */
static __always_inline void tell_carried(struct scratch *s, u64 connection, u8 direction, const struct carried *c)
{
	struct clew_event_carried *e = &s->event.carried;

	e->type = CLEW_EVENT_CARRIED;
	e->direction = direction;
	e->sampled = c->kind == CARRIED_SAMPLED;
	e->is_tls = c->is_tls;
	e->sequence = c->is_tls ? (u16)(c->place + CARRIED_MAGIC_TLS) : c->sequence;
	e->connection = connection;
	e->time_ns = bpf_ktime_get_ns();
	__builtin_memcpy(e->trace_id, c->ids, sizeof(e->trace_id));
	__builtin_memcpy(e->span_id, c->ids + 16, sizeof(e->span_id));
	submit(s, e, sizeof(*e), CLEW_LOSS_RING_FULL);
}

/* The request that begins at `sequence` is sent with that context. `tls`: its number in the plaintext, or NULL. False: there is no room. */
static __always_inline bool carry_context(struct scratch *s, void *sk, u64 connection, u32 sequence, const u32 *tls,
					  const struct traceparent *t, bool sampled, u64 span_id)
{
	struct carried_list *list = bpf_sk_storage_get(&carried_out, sk, 0, 0);
	struct carried *c;
	u64 word;

	if (!list)
		return false;
	c = &list->of[list->next++ & (CARRIED - 1)];
	c->sequence = sequence;
	c->is_tls = tls != NULL;
	c->place = (u16)(tls ? *tls - CARRIED_MAGIC_TLS : sequence - CARRIED_MAGIC);
	c->kind = sampled ? CARRIED_SAMPLED : CARRIED_UNSAMPLED;
	word = read_hex((const struct hex_text *)(t->text + TRACE_ID_AT));
	__builtin_memcpy(c->ids, &word, sizeof(word));
	word = read_hex((const struct hex_text *)(t->text + TRACE_ID_AT + 16));
	__builtin_memcpy(c->ids + 8, &word, sizeof(word));
	__builtin_memcpy(c->ids + 16, &span_id, sizeof(span_id));
	tell_carried(s, connection, CLEW_EGRESS, c);
	return true;
}

/* The context that came with the request that begins at `sequence`, into `w`. `sk`: NULL for a TLS session. */
static __always_inline bool carried_context(struct connection *c, struct sock *sk, struct work *w, u32 sequence)
{
	u64 first, second, parent, id = c->id;
	u16 place = (u16)(sequence - CARRIED_MAGIC_TLS);
	struct carried_list *list;

	list = sk ? bpf_sk_storage_get(&carried_in, sk, 0, 0) : bpf_map_lookup_elem(&carried_in_tls, &id);
	if (!list)
		return false;
	for (u32 i = 0; i < CARRIED; i++) {
		struct carried *each = &list->of[i];

		if (!each->kind || (sk ? each->is_tls || each->sequence != sequence : each->place != place))
			continue;
		__builtin_memcpy(&first, each->ids, sizeof(first));
		__builtin_memcpy(&second, each->ids + 8, sizeof(second));
		__builtin_memcpy(&parent, each->ids + 16, sizeof(parent));
		put_trace_id(&w->context, first, second);
		put_hex(w->context.text + PARENT_ID_AT, parent);
		w->sampled = each->kind == CARRIED_SAMPLED;
		return true;
	}
	return false;
}

/* A segment of a client: does it need room? Which bytes it holds is not known yet, so there is room until all is acknowledged. */
static __always_inline void reserve_option(struct bpf_sock_ops *ops, struct carried_list *list)
{
	for (u32 i = 0; i < CARRIED; i++)
		if (list->of[i].kind && (s32)(list->of[i].sequence - ops->snd_una) >= 0) {
			bpf_reserve_hdr_opt(ops, CARRIED_BYTES, 0);
			return;
		}
}

/* The sequence number of a segment's first byte, and how many it holds. */
static __always_inline bool segment_of(struct bpf_sock_ops *ops, u32 *sequence, u32 *bytes)
{
	u8 *header = ops->skb_data;
	u32 length;

	if (header + TCP_HEADER_MIN > (u8 *)ops->skb_data_end)
		return false;
	*sequence = bpf_ntohl(*(u32 *)(header + 4));
	length = (u32)(header[12] >> 4) * 4;
	*bytes = ops->skb_len > length ? ops->skb_len - length : 0;
	return true;
}

static __always_inline void write_option(struct bpf_sock_ops *ops, struct carried_list *list)
{
	struct carried_option option;
	u32 sequence, bytes;

	if (!segment_of(ops, &sequence, &bytes))
		return;
	for (u32 i = 0; i < CARRIED; i++) {
		struct carried *c = &list->of[i];

		if (!c->kind || c->sequence - sequence >= bytes)
			continue;
		option.kind = c->kind;
		option.length = CARRIED_BYTES;
		option.place = bpf_htons(c->place);
		__builtin_memcpy(option.ids, c->ids, sizeof(option.ids));
		bpf_store_hdr_opt(ops, &option, sizeof(option), 0);
		return;
	}
}

static __always_inline struct carried_list *list_of_session(u64 id)
{
	struct carried_list *list = bpf_map_lookup_elem(&carried_in_tls, &id), none = {};

	if (list)
		return list;
	bpf_map_update_elem(&carried_in_tls, &id, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(&carried_in_tls, &id);
}

/* A segment with an option that the kernel does not know has arrived, and nobody has read its bytes yet. */
static __always_inline void read_option(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	u8 *header = ops->skb_data, *end = ops->skb_data_end;
	u32 sequence, bytes, at = TCP_HEADER_MIN, begins;
	struct carried_option *option = NULL;
	struct connection *connection;
	struct carried_list *list;
	struct carried *c;
	struct scratch *s;
	bool is_tls;
	u16 place;
	u64 id, span_id;

	if (!segment_of(ops, &sequence, &bytes) || !bytes)
		return;
	for (u32 i = 0; i < OPTIONS_MAX; i++) {
		u8 *p = header + at;

		if (at > TCP_HEADER_MAX - 2 || p + 2 > end || p[0] == 0)
			return;
		if (p[0] == 1) {
			at++;
			continue;
		}
		if ((p[0] == CARRIED_SAMPLED || p[0] == CARRIED_UNSAMPLED) && p[1] == CARRIED_BYTES) {
			if (p + CARRIED_BYTES > end)
				return;
			option = (struct carried_option *)p;
			break;
		}
		if (p[1] < 2)
			return;
		at += p[1];
	}
	if (!option)
		return;
	place = bpf_ntohs(option->place);
	connection = bpf_sk_storage_get(&connections, sk, 0, 0);
	is_tls = connection && connection->direction[0].state == HTTP1_OPAQUE && connection->tls_since_ns;
	begins = is_tls ? place : sequence + (u16)((u16)(place + CARRIED_MAGIC) - (u16)sequence);
	if (!is_tls && begins - sequence >= bytes)
		return; /* of another piece of what was one segment once */
	id = bpf_get_socket_cookie(ops) | (is_tls ? CLEW_TLS_CONNECTION : 0);
	__builtin_memcpy(&span_id, option->ids + 16,
			 sizeof(span_id)); /* the place comes again after 64 KiB of plaintext, the span does not */
	list = is_tls ? list_of_session(id) : bpf_sk_storage_get(&carried_in, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	s = scratch_of(SCRATCH_OPTION);
	if (!list || !s)
		return;
	for (u32 i = 0; i < CARRIED; i++)
		if (list->of[i].kind && list->of[i].sequence == begins && list->of[i].is_tls == is_tls &&
		    (!is_tls || *(u64 *)(list->of[i].ids + 16) == span_id))
			return; /* it was sent again, or cut */
	c = &list->of[list->next++ & (CARRIED - 1)];
	c->sequence = begins;
	c->is_tls = is_tls;
	c->place = place;
	c->kind = option->kind;
	__builtin_memcpy(c->ids, option->ids, sizeof(c->ids));
	s->counters.figures[CLEW_FIGURE_CARRIED_IN]++;
	tell_carried(s, id, CLEW_INGRESS, c);
}

#define CARRIES_OUT BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG
#define CARRIES_IN BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG

/* A connection of a selected process that was open before clew. Older kernels do not let it: then it carries nothing. */
static __always_inline void carry_on_open(struct tcp_sock *tp)
{
	int flags = CARRIES_OUT | CARRIES_IN;

	bpf_setsockopt(tp, IPPROTO_TCP, TCP_BPF_SOCK_OPS_CB_FLAGS, &flags, sizeof(flags));
}

/* Everything that sockops tells of it. */
static __always_inline void on_segment(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct carried_list *list;

	if (ops->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		if (bpf_sk_storage_get(&listeners, sk, 0, 0))
			bpf_sock_ops_cb_flags_set(ops, ops->cb_flags | CARRIES_IN);
		return;
	}
	if (ops->op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB) {
		read_option(ops, sk);
		return;
	}
	list = bpf_sk_storage_get(&carried_out, sk, 0, 0);
	if (!list)
		return;
	if (ops->op == BPF_SOCK_OPS_WRITE_HDR_OPT_CB)
		write_option(ops, list);
	else if (ops->skb_len || ops->args[0] == BPF_WRITE_HDR_TCP_CURRENT_MSS)
		reserve_option(ops, list);
}

#endif
