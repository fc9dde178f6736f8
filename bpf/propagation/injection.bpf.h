/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of a client's socket on which requests are given trace contexts, and how the hooks of capture learn of what was added:
 * they see the application's bytes, the other end and user space those of the wire.
 */
#ifndef CLEW_BPF_INJECTION_H
#define CLEW_BPF_INJECTION_H

#define INJECTED_NAME 13 /* "traceparent: " */
#define INJECTED_BYTES (INJECTED_NAME + HTTP1_TRACEPARENT + 2)
#define INSERTIONS 8 /* power of two */
#define INSERTIONS_AT_ONCE 4

enum injection_state {
	INJECTION_NONE = 0,   /* not in the map of sockets yet */
	INJECTION_ON = 1,     /* it is known where the next message begins */
	INJECTION_WAITS = 2,  /* it was open already: until a whole exchange has been seen */
	INJECTION_LEAVES = 3, /* nothing more is done on it */
	INJECTION_TLS = 4,    /* it carries encrypted bytes: tls/option.bpf.h */
};

/* Bytes that are in the stream beside those that the application has sent. */
struct insertion {
	u32 sequence; /* number of the first; where a head was only updated, of the empty line that ends it */
	u8 updated;
	u8 padding[3];
	u8 text[72]; /* INJECTED_BYTES of it, and behind them the end of the head */
};

struct injection {
	u64 id; /* of the connection: the socket's cookie */
	u8 state;
	u8 has_cause; /* CLEW_RULE_LOOP: `cause` is what the latest request, or the connection itself, was made for */
	u8 begun;     /* … the connection; nothing was sent on it yet */
	u8 upgrading; /* the latest request has asked for another protocol */
	u32 base;     /* sequence number of the connection's first byte; not of one that was open already */
	u32 expected; /* sequence number that the next message begins with */
	u32 body;     /* of the body that the latest message ended in: sequence number of its first byte there … */
	u32 has_body;
	u64 body_left; /* … and what was left of it then */
	u16 body_state;
	u8 once;    /* clew_process.once */
	u8 passed;  /* … and its one message has passed */
	u8 streams; /* it speaks HTTP/2: the map of that name goes on */
	u8 padding[3];
	u32 flags_set; /* … sockops callbacks that were asked for */
	u32 waited;    /* INJECTION_WAITS: messages */
	u32 taken;     /* insertions: the next to be read by capture … */
	u32 made;      /* … and the next to be made */
	u32 tgid;      /* who has connected */
	u32 unused;
	struct work cause;
	struct insertion insertions[INSERTIONS];
	struct http1_connection http;
	struct http1_direction direction[2];
};

/* socket of a client → its state. Made when a selected process connects, or for sockets that are open already. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct injection);
} injections SEC(".maps");

/* Servers that have answered over HTTP, by address. Written and read for processes of clew_process.once. */
struct server_address {
	u8 address[16];
	u16 family;
	u16 port; /* network byte order */
	u32 padding;
};
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct server_address);
	__type(value, u8);
} http_servers SEC(".maps");

static __always_inline void address_of_peer(struct sock *sk, struct server_address *a)
{
	a->family = sk->__sk_common.skc_family;
	a->port = sk->__sk_common.skc_dport;
	if (a->family == AF_INET)
		__builtin_memcpy(a->address, &sk->__sk_common.skc_daddr, 4);
	else
		__builtin_memcpy(a->address, sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8, 16);
}

static __always_inline bool has_answered(struct sock *sk)
{
	struct server_address a = {};

	address_of_peer(sk, &a);
	return bpf_map_lookup_elem(&http_servers, &a) != NULL;
}

/* DNS: no requests that carry anything, and resolvers ask how much such a socket holds. */
static __always_inline bool asks_for_names(const struct sock_common *common)
{
	return common->skc_dport == bpf_htons(53);
}

/* CLEW_RULE_LOOP: a client's request is answered, and its thread goes on with what that was made for. */
static __noinline int response_read(struct scratch *s, struct sock *sk)
{
	struct clew_process *p = bpf_map_lookup_elem(&processes, &s->tgid);
	struct injection *i = bpf_sk_storage_get(&injections, sk, 0, 0);
	struct worker worker = {.id = s->tid, .tgid = s->tgid};
	struct work *w;

	if (p && p->once && !has_answered(sk)) {
		struct server_address a = {};
		u8 yes = 1;

		address_of_peer(sk, &a);
		bpf_map_update_elem(&http_servers, &a, &yes, BPF_ANY);
	}
	if (!p || p->rule != CLEW_RULE_LOOP)
		return 0;
	w = work_of(&worker);
	if (i && i->has_cause)
		begin_turn(s, &worker, &i->cause);
	else if (w)
		end_work(&worker, w);
	return 0;
}

/* The next insertion that lies before sequence number `end`, or NULL. */
static __always_inline struct insertion *insertion_before(struct injection *i, u32 end)
{
	struct insertion *n = &i->insertions[i->taken & (INSERTIONS - 1)];

	return i->taken != i->made && (s32)(n->sequence - end) < 0 ? n : NULL;
}

/* Bytes that were added to a call that ended at `end`. Forgets what belongs to calls that no hook has shown. */
static __always_inline u32 added_bytes(struct injection *i, u32 known, u32 end)
{
	u32 added = 0;

	for (u32 k = 0; k < INSERTIONS; k++) {
		struct insertion *n = insertion_before(i, known);

		if (!n)
			break;
		i->taken++;
	}
	for (u32 k = 0; k < INSERTIONS; k++) {
		struct insertion *n = &i->insertions[(i->taken + k) & (INSERTIONS - 1)];

		if (i->taken + k == i->made || (s32)(n->sequence - end) >= 0)
			break;
		added += n->updated ? 0 : INJECTED_BYTES;
	}
	return added;
}

#endif
