/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Questions to DNS servers. Judged on the message, where the caller gets EACCES, and again on the packet (EPERM), which also
 * shows what the message does not: further messages of sendmmsg, messages in pieces, those of splice, and what another thread
 * wrote into the buffer in between.
 */
#ifndef PICKET_HOOK_DNS_H
#define PICKET_HOOK_DNS_H

#include "dns.h"
#include "socket.h"
#include "storage.h"

enum {
	DNS_EPERM = 1,
	DNS_PORT = 53,
	DNS_PIECES = 64,        /* of one message; more are left to the packet */
	MESSAGE_MORE = 0x8000,  /* MSG_MORE */
	PACKET_IPV4 = 0x0800,   /* ETH_P_IP */
	PACKET_IPV6 = 0x86dd,
	PACKET_UDP = 17,
	PACKET_EXTENSIONS = 8,  /* headers of IPv6 before that of UDP */
	PACKET_TURNS = 192,     /* messages of one packet (UDP_MAX_SEGMENTS is 128 at most), and alerts about them */
	PACKET_PASS = 1,
	PACKET_DROP = 0,
};

/*
 * A message as it is fetched from the caller's memory. Every task has one of its own: a task may stand still in the middle of
 * that for as long as it likes, and must not keep a scratch buffer meanwhile.
 */
struct dns_message {
	__u32 at;   /* bytes that are here, */
	__u32 left; /* and that are to come */
	char bytes[2 * DNS_MESSAGE]; /* the second half is for the verifier, who adds the greatest offset to the greatest length */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct dns_message);
} picket_messages SEC(".maps");

struct fetch_context {
	struct dns_message *to;
	__u64 piece[2];  /* address and length, as struct iovec */
	__u64 vector;    /* of further pieces; 0: there is but one */
	__u64 pieces;
	__u64 skip;      /* bytes of the first piece that are not part of the message */
};

static long dns__piece(__u32 index, struct fetch_context *c)
{
	__u32 size, at = c->to->at;
	__u64 length;

	if (index >= c->pieces)
		return 1;
	if (c->vector && bpf_probe_read_kernel(c->piece, sizeof(c->piece), (void *)(c->vector + sizeof(c->piece) * index)))
		return 1;
	length = c->piece[1] > c->skip ? c->piece[1] - c->skip : 0;
	size = length < c->to->left ? length : c->to->left;
	asm volatile("" : "+r"(size), "+r"(at)); /* the bounds hold for the registers that are checked */
	if (size > DNS_MESSAGE || at >= DNS_MESSAGE)
		return 1;
	asm volatile("" : "+r"(size));
	if (size && bpf_copy_from_user(&c->to->bytes[at], size, (void *)(c->piece[0] + c->skip)))
		return 1;
	c->skip = 0;
	c->to->at = at + size;
	c->to->left -= size;
	return !c->to->left;
}

/* Fetches the first bytes of a message; returns how many, or 0 when it is not in the caller's memory, or in many pieces. */
static __noinline __u32 dns__fetch(struct dns_message *to, const struct msghdr *message)
{
	struct fetch_context c = { .to = to, .pieces = 1 };
	__u32 type = BPF_CORE_READ(message, msg_iter.iter_type);
	__u64 length = BPF_CORE_READ(message, msg_iter.count);

	to->at = 0;
	to->left = length < DNS_MESSAGE ? length : DNS_MESSAGE;
	c.skip = BPF_CORE_READ(message, msg_iter.iov_offset);
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) && type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		c.piece[0] = (__u64)BPF_CORE_READ(message, msg_iter.ubuf);
		c.piece[1] = ~0ULL;
	} else if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC)) {
		c.pieces = BPF_CORE_READ(message, msg_iter.nr_segs);
		if (bpf_core_field_exists(((struct iov_iter *)0)->__iov)) {
			c.vector = (__u64)BPF_CORE_READ(message, msg_iter.__iov);
		} else {
			const struct iov_iter___iov *iter = (void *)&message->msg_iter;

			c.vector = (__u64)BPF_CORE_READ(iter, iov);
		}
	} else {
		return 0;
	}
	bpf_loop(DNS_PIECES, dns__piece, &c, 0);
	return to->left ? 0 : to->at;
}

/* Judges the message that was fetched; true: refuse. */
static __always_inline bool dns__judge(struct scratch *s, struct picket_task *record)
{
	s->dns.final = 0;
	dns__begin(s, record);
	for (int i = 0; i < DNS_QUESTIONS && s->dns.questions; i++)
		if (dns__judge_next(s, record, -DNS_EACCES))
			return true;
	return false;
}

/* The message hook. `receiver`: what is known of the socket; `name`: the receiver's address, 0: the socket is connected. */
static __always_inline int dns__sent(struct picket_task *record, struct sock *sk, struct msghdr *message, __u64 name,
				     struct object_access *receiver)
{
	struct dns_message *copy;
	struct scratch *s;
	__u32 index, length;
	bool refuse;

	if (!name)
		socket__peer(receiver, sk);
	if (receiver->details[0] >> 48 != DNS_PORT || !object__ruled(record, PICKET_CATEGORY_DNS, true))
		return 0;
	/* A piece of a message does not tell what it asks. */
	if (message->msg_flags & MESSAGE_MORE || BPF_CORE_READ((struct udp_sock *)sk, pending))
		return 0;
	if (BPF_CORE_READ((struct udp_sock *)sk, gso_size))
		return 0; /* several messages in one */
	copy = bpf_task_storage_get(&picket_messages, bpf_get_current_task_btf(), 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!copy)
		return 0; /* no memory: the packet is judged */
	length = dns__fetch(copy, message);
	if (!length)
		return 0;
	s = scratch__claim(&index);
	if (!s)
		return object__ruled(record, PICKET_CATEGORY_DNS, false) ? -DNS_EACCES : 0;
	bpf_probe_read_kernel(s->message, DNS_MESSAGE, copy->bytes);
	s->dns.end = length;
	__builtin_memcpy(s->dns.details, receiver->details, sizeof(s->dns.details));
	refuse = dns__judge(s, record);
	scratch__release(s);
	return refuse ? -DNS_EACCES : 0;
}

/*
 * Where the message of a datagram to a DNS server begins in a packet; 0: it is none. Not inline, as some here: the stack of all
 * calls together has 512 bytes.
 */
static __noinline __u32 packet__payload(struct __sk_buff *skb)
{
	__u32 at, protocol;
	__u8 header[40];
	__be16 port;

	if (skb->protocol == bpf_htons(PACKET_IPV4)) {
		if (bpf_skb_load_bytes(skb, 0, header, 20) || header[9] != PACKET_UDP)
			return 0;
		if ((header[6] & 0x1f) | header[7])
			return 0; /* not the first fragment */
		at = (header[0] & 15) * 4;
	} else if (skb->protocol == bpf_htons(PACKET_IPV6)) {
		if (bpf_skb_load_bytes(skb, 0, header, 40))
			return 0;
		at = 40;
		protocol = header[6];
		for (int i = 0; i < PACKET_EXTENSIONS && protocol != PACKET_UDP; i++) {
			if (bpf_skb_load_bytes(skb, at, header, 8))
				return 0;
			switch (protocol) {
			case 0:  /* hop by hop */
			case 43: /* routing */
			case 60: /* destination options */
				at += (header[1] + 1) * 8;
				break;
			case 51: /* authentication */
				at += (header[1] + 2) * 4;
				break;
			case 44: /* fragment */
				if (header[2] | (header[3] & 0xf8))
					return 0; /* not the first */
				at += 8;
				break;
			default:
				return 0;
			}
			protocol = header[0];
		}
		if (protocol != PACKET_UDP)
			return 0;
	} else {
		return 0;
	}
	if (bpf_skb_load_bytes(skb, at + 2, &port, sizeof(port)) || port != bpf_htons(DNS_PORT))
		return 0;
	return at + 8;
}

static __noinline int packet__receiver(struct __sk_buff *skb, struct scratch *s)
{
	__u64 *details = s->dns.details;
	bool ipv4 = skb->protocol == bpf_htons(PACKET_IPV4);

	details[0] = (ipv4 ? FAMILY_INET : FAMILY_INET6) | TYPE_DGRAM << 16 | (__u64)PROTOCOL_UDP << 32 | (__u64)DNS_PORT << 48;
	details[1] = 0;
	details[2] = 0;
	if (ipv4)
		return bpf_skb_load_bytes(skb, 16, &details[1], details[3] = 4);
	return bpf_skb_load_bytes(skb, 24, &details[1], details[3] = 16);
}

/* Loads a message of a packet: the one, or the next of several that lie in it one behind the other. False: there is no more. */
__noinline int packet__load(struct __sk_buff *skb, struct scratch *s, __u32 at)
{
	__u32 segment = skb->gso_size ? skb->gso_size : skb->len, length;

	if (!s || at >= skb->len)
		return false;
	length = skb->len - at < segment ? skb->len - at : segment;
	if (length > DNS_MESSAGE)
		length = DNS_MESSAGE;
	asm volatile("" : "+r"(length)); /* the bounds hold for the register that is checked */
	if (length < DNS_HEADER)
		return true;
	asm volatile("" : "+r"(length));
	if (length > DNS_MESSAGE || bpf_skb_load_bytes(skb, at, s->message, length))
		return false;
	s->dns.end = length;
	s->dns.final = 1;
	dns__begin(s, &s->record);
	return true;
}

static __always_inline bool packet__judge(struct __sk_buff *skb, struct scratch *s, __u32 at)
{
	for (int i = 0; i < PACKET_TURNS; i++) {
		if (!s->dns.questions) {
			if (!packet__load(skb, s, at))
				return false;
			at += skb->gso_size ? skb->gso_size : skb->len;
		} else if (dns__judge_next(s, &s->record, -DNS_EPERM)) {
			return true;
		}
	}
	return true; /* more messages and alerts than anybody sends in one packet: fail closed */
}

/*
 * Packets of this machine's own sockets, on the cgroup of the socket or one above it. Judged is the task at work, which is the
 * sender: datagrams are made in the system call, before they can wait for anything.
 */
SEC("cgroup_skb/egress")
int picket_egress(struct __sk_buff *skb)
{
	__u32 at = packet__payload(skb), index;
	bool refuse = false;
	struct scratch *s;
	__u64 record;

	if (!at)
		return PACKET_PASS;
	record = storage__ruled(PICKET_CATEGORY_DNS, true);
	if (!record)
		return PACKET_PASS;
	s = scratch__claim(&index);
	if (!s)
		return storage__ruled(PICKET_CATEGORY_DNS, false) ? PACKET_DROP : PACKET_PASS;
	s->dns.questions = 0;
	if (!bpf_probe_read_kernel(&s->record, sizeof(s->record), (void *)record) && !packet__receiver(skb, s))
		refuse = packet__judge(skb, s, at);
	scratch__release(s);
	return refuse ? PACKET_DROP : PACKET_PASS;
}

#endif
