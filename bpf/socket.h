/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* The kinds of sockets (policy.md 9.1), and what an alert says of one. */
#ifndef PICKET_SOCKET_H
#define PICKET_SOCKET_H

#include <bpf/bpf_endian.h>

#include "object.h"

enum {
	SOCKET_EACCES = 13,
	/* include/linux/socket.h */
	FAMILY_UNSPEC = 0,
	FAMILY_UNIX = 1,
	FAMILY_INET = 2,
	FAMILY_INET6 = 10,
	FAMILY_NETLINK = 16,
	FAMILY_PACKET = 17,
	/* include/linux/net.h */
	TYPE_STREAM = 1,
	TYPE_DGRAM = 2,
	TYPE_RAW = 3,
	TYPE_RDM = 4,
	TYPE_SEQPACKET = 5,
	TYPE_DCCP = 6,
	/* include/uapi/linux/in.h */
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_SCTP = 132,
	PROTOCOL_UDPLITE = 136,
	PROTOCOL_MPTCP = 262,
	/* include/net/tcp_states.h; other families use the same numbers */
	STATE_ESTABLISHED = 1,
	STATE_CLOSE = 7,
	STATE_LISTEN = 10,
};

/* Local sockets, and those by which the C library speaks with the kernel, are outside the network category. */
static __always_inline bool socket__outside(__u32 family)
{
	return family == FAMILY_UNIX || family == FAMILY_NETLINK;
}

static __always_inline __u32 socket__type_name(__u32 type)
{
	switch (type) {
	case TYPE_STREAM: return PICKET_PROTOCOL_STREAM;
	case TYPE_DGRAM: return PICKET_PROTOCOL_DGRAM;
	case TYPE_RAW: return PICKET_PROTOCOL_RAW;
	case TYPE_RDM: return PICKET_PROTOCOL_RDM;
	case TYPE_SEQPACKET: return PICKET_PROTOCOL_SEQPACKET;
	case TYPE_DCCP: return PICKET_PROTOCOL_DCCP;
	default: return 0;
	}
}

static __always_inline __u32 socket__protocol_name(__u32 family, __u32 type, __u32 protocol)
{
	if (family == FAMILY_PACKET)
		return PICKET_PROTOCOL_PACKET;
	if (family != FAMILY_INET && family != FAMILY_INET6)
		return 0;
	switch (protocol) {
	case 0: return type == TYPE_STREAM ? PICKET_PROTOCOL_TCP : type == TYPE_DGRAM ? PICKET_PROTOCOL_UDP : 0;
	case PROTOCOL_TCP:
	case PROTOCOL_MPTCP: return type == TYPE_STREAM ? PICKET_PROTOCOL_TCP : 0;
	case PROTOCOL_UDP:
	case PROTOCOL_UDPLITE: return type == TYPE_DGRAM ? PICKET_PROTOCOL_UDP : 0;
	case PROTOCOL_ICMP: return family == FAMILY_INET ? PICKET_PROTOCOL_ICMP : 0;
	case PROTOCOL_ICMPV6: return family == FAMILY_INET6 ? PICKET_PROTOCOL_ICMPV6 : 0;
	case PROTOCOL_SCTP: return PICKET_PROTOCOL_SCTP;
	default: return 0;
	}
}

/* Fills all of `access`: the verifier wants its memory written. */
static __always_inline void socket__describe(struct object_access *access, __u32 operation, __u32 family, __u32 type,
					     __u32 protocol)
{
	__builtin_memset(access, 0, sizeof(*access));
	access->category = PICKET_CATEGORY_NETWORK;
	access->operation = operation;
	access->names[0] = PICKET_PROTOCOL_ALL;
	access->names[1] = socket__type_name(type);
	access->names[2] = socket__protocol_name(family, type, protocol);
	access->details[0] = (__u64)(family & 0xffff) | (__u64)(type & 0xffff) << 16 | (__u64)(protocol & 0xffff) << 32;
}

static __always_inline void socket__describe_sock(struct object_access *access, __u32 operation, struct sock *sk)
{
	socket__describe(access, operation, sk->__sk_common.skc_family, sk->sk_type, sk->sk_protocol);
}

/* Into details: family, port and address that a caller gave for a socket of `family`. The kernel has copied them. */
static __always_inline void socket__name(struct object_access *access, __u32 family, __u64 address, int length)
{
	__u8 name[24] = {}; /* struct sockaddr_in, or as much of struct sockaddr_in6 as is of interest */

	if (length < 16 || bpf_probe_read_kernel(name, length < 24 ? 16 : 24, (void *)address))
		return;
	if (*(__u16 *)name != FAMILY_UNSPEC || family != FAMILY_INET) /* there it stands for AF_INET */
		family = *(__u16 *)name;
	if (family != FAMILY_INET && (family != FAMILY_INET6 || length < 24))
		return;
	access->details[0] = (access->details[0] & ~0xffffULL & (~0ULL >> 16)) | family |
			     (__u64)bpf_ntohs(*(__be16 *)(name + 2)) << 48;
	if (family == FAMILY_INET) {
		access->details[1] = *(__u32 *)(name + 4);
		access->details[3] = 4;
	} else {
		access->details[1] = *(__u64 *)(name + 8);
		access->details[2] = *(__u64 *)(name + 16);
		access->details[3] = 16;
	}
}

/* Into details: the socket's own port and address. */
static __always_inline void socket__own_name(struct object_access *access, struct sock *sk)
{
	__u32 family = sk->__sk_common.skc_family;

	if (family == FAMILY_INET) {
		access->details[1] = sk->__sk_common.skc_rcv_saddr;
		access->details[3] = 4;
	} else if (family == FAMILY_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_rcv_saddr)) {
		bpf_core_read(&access->details[1], 16, &sk->__sk_common.skc_v6_rcv_saddr);
		access->details[3] = 16;
	} else {
		return;
	}
	access->details[0] |= (__u64)sk->__sk_common.skc_num << 48;
}

/* Into details: port and address that a connected socket sends to. */
static __always_inline void socket__peer(struct object_access *access, struct sock *sk)
{
	__u32 family = sk->__sk_common.skc_family;

	if (family == FAMILY_INET) {
		access->details[1] = sk->__sk_common.skc_daddr;
		access->details[3] = 4;
	} else if (family == FAMILY_INET6 && bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
		bpf_core_read(&access->details[1], 16, &sk->__sk_common.skc_v6_daddr);
		access->details[3] = 16;
	} else {
		return;
	}
	access->details[0] |= (__u64)bpf_ntohs(sk->__sk_common.skc_dport) << 48;
}

#endif
