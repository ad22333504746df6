/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Tracepoint backend: sockets of the internet families, on the cgroups of workloads. The kernel runs no such program for
 * other families, for listen and accept, nor for messages of raw sockets.
 */
#ifndef PICKET_HOOK_CGROUP_H
#define PICKET_HOOK_CGROUP_H

#include "hook_socket.h"

enum { CGROUP_PASS = 1, CGROUP_REFUSE = 0 };

/* Judges for the current task; its record is copied, since it cannot be had otherwise. */
static __always_inline int cgroup__judge(struct object_access *access, struct bpf_sock *socket)
{
	__u64 record = storage__ruled(PICKET_CATEGORY_NETWORK, true);
	struct socket_reports *reports = NULL;
	int verdict, answer = 0;
	struct scratch *s;
	__u32 index;

	if (!record)
		return CGROUP_PASS;
	count(PICKET_COUNT_NETWORK_JUDGED);
	s = scratch__claim(&index);
	if (!s) {
		answer = storage__ruled(PICKET_CATEGORY_NETWORK, false) ? -SOCKET_EACCES : 0;
	} else {
		if (!bpf_probe_read_kernel(&s->record, sizeof(s->record), (void *)record)) {
			verdict = object__judge(&s->record, access);
			if (verdict == PICKET_VERDICT_ALERT && socket)
				reports = bpf_sk_storage_get(&picket_sockets, socket, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
			answer = socket__answer(&s->record, access, verdict, reports);
		}
		scratch__release(s);
	}
	if (!answer)
		return CGROUP_PASS;
	bpf_set_retval(answer);
	return CGROUP_REFUSE;
}

SEC("cgroup/sock_create")
int picket_cgroup_create(struct bpf_sock *socket)
{
	struct object_access access;

	socket__describe(&access, PICKET_OPERATION_SOCKET_CREATE, socket->family, socket->type, socket->protocol);
	return cgroup__judge(&access, NULL);
}

/* `family`: of the address; a program for the one may not read the other. */
static __always_inline int cgroup__address(struct bpf_sock_addr *context, __u32 operation, __u32 family)
{
	struct object_access access;
	__u32 *address = (__u32 *)&access.details[1];

	socket__describe(&access, operation, context->family, context->type, context->protocol);
	access.details[0] &= ~0xffffULL;
	access.details[0] |= family | (__u64)bpf_ntohs(context->user_port) << 48;
	/* One by one: of IPv6 the context is read in words. */
	if (family == FAMILY_INET) {
		address[0] = context->user_ip4;
		access.details[3] = 4;
	} else {
#pragma unroll
		for (int i = 0; i < 4; i++)
			address[i] = *(volatile __u32 *)&context->user_ip6[i];
		access.details[3] = 16;
	}
	return cgroup__judge(&access, context->sk);
}

SEC("cgroup/bind4")
int picket_cgroup_bind4(struct bpf_sock_addr *context)
{
	return cgroup__address(context, PICKET_OPERATION_SOCKET_BIND, FAMILY_INET);
}

SEC("cgroup/bind6")
int picket_cgroup_bind6(struct bpf_sock_addr *context)
{
	return cgroup__address(context, PICKET_OPERATION_SOCKET_BIND, FAMILY_INET6);
}

SEC("cgroup/connect4")
int picket_cgroup_connect4(struct bpf_sock_addr *context)
{
	return cgroup__address(context, PICKET_OPERATION_SOCKET_CONNECT, FAMILY_INET);
}

SEC("cgroup/connect6")
int picket_cgroup_connect6(struct bpf_sock_addr *context)
{
	return cgroup__address(context, PICKET_OPERATION_SOCKET_CONNECT, FAMILY_INET6);
}

SEC("cgroup/sendmsg4")
int picket_cgroup_sendmsg4(struct bpf_sock_addr *context)
{
	return cgroup__address(context, PICKET_OPERATION_SOCKET_SENDMSG, FAMILY_INET);
}

SEC("cgroup/sendmsg6")
int picket_cgroup_sendmsg6(struct bpf_sock_addr *context)
{
	return cgroup__address(context, PICKET_OPERATION_SOCKET_SENDMSG, FAMILY_INET6);
}

#endif
