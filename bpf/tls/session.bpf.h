/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A session of a TLS library and the stream of its plaintext: a connection of its own beside that of its socket, which carries the
 * encrypted bytes. Found by the address of the session (SSL *, gnutls_session_t, *tls.Conn) in its process.
 *
 * Its positions count bytes of plaintext, as on Unix sockets call by call. Both ends count the same ones if both have seen the session from
 * its start: so they agree about them as they do about TCP's. Its id is that of the socket's connection with CLEW_TLS_CONNECTION.
 */
#ifndef CLEW_BPF_TLS_SESSION_H
#define CLEW_BPF_TLS_SESSION_H

/* TLS 1.0 to 1.3 as 1 to 4, 0: not known. struct ssl_st begins with it until OpenSSL 3.1; later struct ssl_connection_st has it behind
 * that. */
static __always_inline u8 tls_version_of(u64 session)
{
	static const u8 offsets[] = {0, 0x40, 0x48};
	u32 version = 0;

#pragma unroll
	for (u32 i = 0; i < sizeof(offsets); i++) {
		if (bpf_probe_read_user(&version, sizeof(version), (void *)(session + offsets[i])) == 0 && version - 0x0301 < 4)
			return (u8)(version - 0x0300);
	}
	return 0;
}

/* Nothing more will be told of it. */
static __always_inline void tls_forget(const struct tls_key *key, u64 sk)
{
	struct tls_key *owner = bpf_map_lookup_elem(&tls_sockets, &sk);

	if (owner && owner->session == key->session && owner->tgid == key->tgid)
		bpf_map_delete_elem(&tls_sockets, &sk);
	bpf_map_delete_elem(&tls_sessions, key);
}

/* The BIO that it reads from: struct ssl_st until OpenSSL 3.1, struct ssl_connection_st of 3.2 and later. */
static const u8 tls_bio_offsets[] = {0x10, 0x48, 0x50};

/* What the program has made of a BIO: struct bio_st of OpenSSL 3 and 1.1. */
static const u8 tls_bio_data_offsets[] = {0x40, 0x38};

/* The other end of a pair of BIOs, 0: it is none. struct bio_bio_st begins with it, and that one's with this. */
static __always_inline u64 tls_bio_peer(u64 bio)
{
	u64 data, peer, back;

#pragma unroll
	for (u32 i = 0; i < sizeof(tls_bio_data_offsets); i++) {
		if (bpf_probe_read_user(&data, sizeof(data), (void *)(bio + tls_bio_data_offsets[i])) || !data ||
		    bpf_probe_read_user(&peer, sizeof(peer), (void *)data) || !peer || peer == bio ||
		    bpf_probe_read_user(&data, sizeof(data), (void *)(peer + tls_bio_data_offsets[i])) || !data ||
		    bpf_probe_read_user(&back, sizeof(back), (void *)data))
			continue;
		if (back == bio)
			return peer;
	}
	return 0;
}

/* It is still that one: a BIO's address may have been another's before. */
static __always_inline bool tls_is_open(const struct tls_socket *socket)
{
	struct sock *sk = (struct sock *)socket->sk;

	return BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) == (s64)socket->id &&
	       BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_CLOSE;
}

/* The socket whose bytes were written to the session's BIO, or to the other end if that is one of a pair: proven, or NULL. */
static __noinline struct tls_socket *tls_by_bio(const struct tls_key *key)
{
	struct tls_socket *socket;
	struct tls_key bio = {};
	u64 peer;

	if (!key)
		return NULL;
	bio.tgid = key->tgid;
	for (u32 i = 0; i < sizeof(tls_bio_offsets); i++) {
		if (bpf_probe_read_user(&bio.session, sizeof(bio.session), (void *)(key->session + tls_bio_offsets[i])) || !bio.session)
			continue;
		peer = tls_bio_peer(bio.session);
		if (peer)
			bio.session = peer;
		socket = bpf_map_lookup_elem(&tls_bios, &bio);
		if (socket && tls_is_open(socket))
			return socket;
	}
	return NULL;
}

#define TLS_BUFFER_MAX (64 * 1024) /* of Node's BIO */

/*
 * Does the session read from a BIO into whose buffer that was received? As Node's does: NodeBIO has the addresses of its buffers among its
 * first words, and those have that of their bytes.
 */
static __noinline bool tls_reads_from(const struct tls_key *key, u64 received_at)
{
	u64 bio, data, words[8], buffer[6];

	if (!key)
		return false;
	for (u32 i = 0; i < sizeof(tls_bio_offsets); i++) {
		if (bpf_probe_read_user(&bio, sizeof(bio), (void *)(key->session + tls_bio_offsets[i])) || !bio)
			continue;
		for (u32 j = 0; j < sizeof(tls_bio_data_offsets); j++) {
			if (bpf_probe_read_user(&data, sizeof(data), (void *)(bio + tls_bio_data_offsets[j])) || !data ||
			    bpf_probe_read_user(words, sizeof(words), (void *)data))
				continue;
			for (u32 k = 0; k < 8; k++) {
				if (words[k] < 4096 || bpf_probe_read_user(buffer, sizeof(buffer), (void *)words[k]))
					continue;
				for (u32 n = 0; n < 6; n++)
					if (buffer[n] && received_at - buffer[n] < TLS_BUFFER_MAX)
						return true;
			}
		}
	}
	return false;
}

/* Does the session read from a BIO for sockets, and from that one? Its descriptor stands before what the program has made of a BIO. */
static __noinline bool tls_has_descriptor(const struct tls_key *key, u64 sk)
{
	struct socket_of_call named;
	u64 bio;
	u32 fd;

	if (!key)
		return false;
	for (u32 i = 0; i < sizeof(tls_bio_offsets); i++) {
		if (bpf_probe_read_user(&bio, sizeof(bio), (void *)(key->session + tls_bio_offsets[i])) || !bio)
			continue;
		for (u32 j = 0; j < sizeof(tls_bio_data_offsets); j++) {
			if (bpf_probe_read_user(&fd, sizeof(fd), (void *)(bio + tls_bio_data_offsets[j] - 8)) == 0 &&
			    socket_of(fd, &named) && named.sk == sk)
				return true;
		}
	}
	return false;
}

/* Its address may be another's next. */
static __noinline int tls_forget_bio(const struct tls_key *key)
{
	struct tls_key bio = {};

	if (!key)
		return 0;
	bio.tgid = key->tgid;
	for (u32 i = 0; i < sizeof(tls_bio_offsets); i++) {
		if (bpf_probe_read_user(&bio.session, sizeof(bio.session), (void *)(key->session + tls_bio_offsets[i])) == 0 && bio.session)
			bpf_map_delete_elem(&tls_bios, &bio);
	}
	return 0;
}

/* A child goes on with what its parent has begun: the same session, at the same address. */
static __noinline struct tls_session *tls_inherit(struct scratch *s, struct tls_key *key, u64 sk, struct tls_key *owner,
						  struct clew_process *p)
{
	struct tls_session *session;
	struct tls_key before;

	if (!s || !key || !owner || !p)
		return NULL;
	before = *owner;
	session = bpf_map_lookup_elem(&tls_sessions, &before);
	if (!session || bpf_map_update_elem(&tls_sessions, key, session, BPF_ANY) || bpf_map_update_elem(&tls_sockets, &sk, key, BPF_ANY)) {
		lose(s, CLEW_LOSS_TLS_SESSIONS, 1);
		return NULL;
	}
	bpf_map_delete_elem(&tls_sessions, &before);
	session = bpf_map_lookup_elem(&tls_sessions, key);
	if (!session)
		return NULL;
	session->c.tgid = key->tgid;
	session->c.runtime = (u8)p->runtime;
	session->c.epoch = selection_epoch;
	return session;
}

/* Begins the stream of the session on that socket. NULL: the socket has another session, or there is no room. */
static __noinline struct tls_session *tls_begin(struct scratch *s, struct tls_key *key, const struct tls_socket *socket, u32 missed)
{
	struct tls_session *fresh = &s->fresh_session, *session;
	struct tls_key *owner;
	struct clew_process *p;
	u64 sk;

	if (!key || !socket)
		return NULL;
	sk = socket->sk;
	p = bpf_map_lookup_elem(&processes, &key->tgid);
	if (!p)
		return NULL;
	owner = bpf_map_lookup_elem(&tls_sockets, &sk);
	if (owner && socket->forked && owner->session == key->session && owner->tgid != key->tgid)
		return tls_inherit(s, key, sk, owner, p);
	if (owner && (owner->session != key->session || owner->tgid != key->tgid)) {
		/* one in another that lives: TLS in TLS; else its session was let go of without a word */
		if (bpf_map_lookup_elem(&tls_sessions, owner) && !socket->is_inside)
			return NULL;
		bpf_map_delete_elem(&tls_sessions, owner);
	}
	__builtin_memset(fresh, 0, sizeof(*fresh));
	fresh->sk = sk;
	fresh->blocking = socket->blocking;
	fresh->c.id = socket->id | CLEW_TLS_CONNECTION;
	fresh->c.tgid = key->tgid;
	fresh->c.epoch = selection_epoch;
	fresh->c.runtime = (u8)p->runtime;
	fresh->c.tls = 1;
	fresh->c.from_start = socket->from_start && !missed;
	fresh->c.base[0] = socket->base[0];
	fresh->c.base[1] = socket->base[1];
	fresh->c.accepted = socket->accepted;
	fresh->c.http.joined = !fresh->c.from_start;
	fresh->c.http.distrusted = fresh->c.from_start ? 0 : socket->under_way;
	if (bpf_map_update_elem(&tls_sockets, &sk, key, BPF_ANY) || bpf_map_update_elem(&tls_sessions, key, fresh, BPF_ANY)) {
		bpf_map_delete_elem(&tls_sockets, &sk);
		lose(s, CLEW_LOSS_TLS_SESSIONS, 1);
		return NULL;
	}
	s->counters.figures[CLEW_FIGURE_CONNECTIONS]++;
	session = bpf_map_lookup_elem(&tls_sessions, key);
	return session;
}

/* The session whose encrypted bytes the socket carries. */
static __always_inline struct tls_session *tls_session_on(struct sock *sk, struct tls_key *key)
{
	u64 address = (u64)sk;
	struct tls_key *found = tls_probed ? bpf_map_lookup_elem(&tls_sockets, &address) : NULL;

	if (!found)
		return NULL;
	*key = *found;
	return bpf_map_lookup_elem(&tls_sessions, key);
}

/* The other end of the socket sends nothing more. */
static __noinline int tls_received_all(struct scratch *s, struct sock *sk)
{
	struct tls_key key;
	struct tls_session *session = tls_session_on(sk, &key);

	if (session)
		emit_end(s, &session->c, CLEW_END_DIRECTION, CLEW_INGRESS);
	return 0;
}

#endif
