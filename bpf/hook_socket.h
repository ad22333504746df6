/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Sockets by their kind (policy.md 9.1): when they are made and when they are put to use. */
#ifndef PICKET_HOOK_SOCKET_H
#define PICKET_HOOK_SOCKET_H

#include "hook_dns.h"

/* Of which hooks an alert about this socket that refused nothing was sent already. */
struct socket_reports {
	__u64 stamp;    /* generation << 32 | rule set under which that was */
	__u32 operations; /* bit enum picket_operation */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct socket_reports);
} picket_sockets SEC(".maps");

/* What becomes of a verdict. `reports`: NULL, or what was reported of this socket: an Audit rule reports it once per hook. */
static __always_inline int socket__answer(struct picket_task *record, struct object_access *access, int verdict,
					  struct socket_reports *reports)
{
	__u64 stamp = (__u64)access->generation << 32 | access->set;
	__u32 bit = 1U << (access->operation & 31);

	if (verdict < PICKET_VERDICT_ALERT)
		return 0;
	if (verdict == PICKET_VERDICT_DENY) {
		object__alert(record, access, -SOCKET_EACCES);
		return -SOCKET_EACCES;
	}
	if (reports) {
		if (reports->stamp != stamp) {
			reports->operations = 0;
			reports->stamp = stamp;
		}
		if (reports->operations & bit)
			return 0;
		reports->operations |= bit;
	}
	object__alert(record, access, 0);
	return 0;
}

static __always_inline struct picket_task *socket__actor(void)
{
	struct picket_task *record = task__record(bpf_get_current_task_btf());

	return record && !(record->flags & PICKET_TASK_ENTRY) ? record : NULL;
}

static __always_inline int socket__judge(struct picket_task *record, struct object_access *access, struct sock *sk)
{
	struct socket_reports *reports = NULL;
	int verdict;

	count(PICKET_COUNT_NETWORK_JUDGED);
	verdict = object__judge(record, access);
	if (verdict == PICKET_VERDICT_ALERT)
		reports = bpf_sk_storage_get(&picket_sockets, sk, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	return socket__answer(record, access, verdict, reports);
}

SEC("lsm/socket_create")
int BPF_PROG(picket_socket_create, int family, int type, int protocol, int kern, int ret)
{
	struct object_access access;
	struct picket_task *record;

	if (ret || kern || socket__outside(family))
		return ret;
	record = socket__actor();
	if (!record)
		return 0;
	socket__describe(&access, PICKET_OPERATION_SOCKET_CREATE, family, type, protocol);
	count(PICKET_COUNT_NETWORK_JUDGED);
	return socket__answer(record, &access, object__judge(record, &access), NULL);
}

SEC("lsm/socket_bind")
int BPF_PROG(picket_socket_bind, struct socket *sock, struct sockaddr *address, int length, int ret)
{
	struct object_access access;
	struct picket_task *record;
	struct sock *sk = sock->sk;

	if (ret || !sk || socket__outside(sk->__sk_common.skc_family))
		return ret;
	record = socket__actor();
	if (!record)
		return 0;
	socket__describe_sock(&access, PICKET_OPERATION_SOCKET_BIND, sk);
	socket__name(&access, sk->__sk_common.skc_family, (__u64)address, length);
	return socket__judge(record, &access, sk);
}

SEC("lsm/socket_connect")
int BPF_PROG(picket_socket_connect, struct socket *sock, struct sockaddr *address, int length, int ret)
{
	struct object_access access;
	struct picket_task *record;
	struct sock *sk = sock->sk;

	if (ret || !sk || socket__outside(sk->__sk_common.skc_family))
		return ret;
	record = socket__actor();
	if (!record)
		return 0;
	socket__describe_sock(&access, PICKET_OPERATION_SOCKET_CONNECT, sk);
	socket__name(&access, sk->__sk_common.skc_family, (__u64)address, length);
	return socket__judge(record, &access, sk);
}

SEC("lsm/socket_listen")
int BPF_PROG(picket_socket_listen, struct socket *sock, int backlog, int ret)
{
	struct object_access access;
	struct picket_task *record;
	struct sock *sk = sock->sk;

	if (ret || !sk || socket__outside(sk->__sk_common.skc_family))
		return ret;
	record = socket__actor();
	if (!record)
		return 0;
	socket__describe_sock(&access, PICKET_OPERATION_SOCKET_LISTEN, sk);
	socket__own_name(&access, sk);
	return socket__judge(record, &access, sk);
}

/* The kind is the listener's; the new socket has no face yet. */
SEC("lsm/socket_accept")
int BPF_PROG(picket_socket_accept, struct socket *sock, struct socket *new, int ret)
{
	struct object_access access;
	struct picket_task *record;
	struct sock *sk = sock->sk;

	if (ret || !sk || socket__outside(sk->__sk_common.skc_family))
		return ret;
	record = socket__actor();
	if (!record)
		return 0;
	socket__describe_sock(&access, PICKET_OPERATION_SOCKET_ACCEPT, sk);
	socket__own_name(&access, sk);
	return socket__judge(record, &access, sk);
}

/*
 * Does the message go out over a connection that was judged when it was made? A datagram with an address of its own does
 * not; one on a stream is ignored, unless it makes the connection (TCP Fast Open), which has no connection before.
 */
static __always_inline bool socket__connected(struct sock *sk, __u64 name)
{
	__u32 type = sk->sk_type, state = sk->__sk_common.skc_state;

	if (type == TYPE_STREAM || type == TYPE_SEQPACKET)
		return state != STATE_CLOSE && state != STATE_LISTEN;
	return state == STATE_ESTABLISHED && !name;
}

/*
 * Messages: the socket for those without a connection, and what they ask a DNS server. Sleepable, because a page of the
 * message may have to be fetched first. Entry tasks aside, every task of a workload has a record of its own here, since
 * task_alloc makes it; so the thread's leader (task__record) need not be asked, whom 6.12 trusts in no sleepable program.
 */
SEC("lsm.s/socket_sendmsg")
int BPF_PROG(picket_socket_sendmsg, struct socket *sock, struct msghdr *message, int size, int ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct object_access access;
	struct picket_task *record;
	struct sock *sk = sock->sk;
	__u64 name;
	__u32 family;

	if (ret || !sk || !task->bpf_storage)
		return ret;
	family = sk->__sk_common.skc_family;
	if (socket__outside(family))
		return 0;
	record = bpf_task_storage_get(&picket_tasks, task, 0, 0);
	if (!record || record->flags & PICKET_TASK_ENTRY)
		return 0;
	name = (__u64)message->msg_name;
	socket__describe_sock(&access, PICKET_OPERATION_SOCKET_SENDMSG, sk);
	if (name)
		socket__name(&access, family, name, message->msg_namelen);
	if (!socket__connected(sk, name)) {
		ret = socket__judge(record, &access, sk);
		if (ret)
			return ret;
	}
	if (family != FAMILY_INET && family != FAMILY_INET6)
		return 0;
	if (sk->sk_type != TYPE_DGRAM || sk->sk_protocol != PROTOCOL_UDP)
		return 0;
	return dns__sent(record, sk, message, name, &access);
}

#endif
