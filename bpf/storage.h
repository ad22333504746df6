/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The record of the current task for programs on cgroups, which may not call bpf_task_storage_get before 6.18: read from
 * where the kernel keeps it (kernel/bpf/bpf_local_storage.c), as bpf_local_storage_lookup() does. The kernel frees storage
 * after a grace period of RCU, in which these programs run.
 */
#ifndef PICKET_STORAGE_H
#define PICKET_STORAGE_H

#include "object.h"

enum {
	STORAGE_CACHE = 16,  /* BPF_LOCAL_STORAGE_CACHE_SIZE */
	STORAGE_OTHERS = 64, /* storages of one task, Picket's and those of other programs */
};

/* What judge__begin needs of a record. */
struct storage_head {
	__u64 workload;
	__u32 slot;
	__u32 flags;
};

/* Address of a task's record in the kernel's memory; 0: it has none. */
static __always_inline __u64 storage__find(struct task_struct *task)
{
	struct bpf_local_storage *storage = BPF_CORE_READ(task, bpf_storage);
	struct bpf_local_storage_data *data = NULL;
	struct bpf_local_storage_map *map;
	struct hlist_node *node;
	__u64 address, cache;

	if (!storage)
		return 0;
	/* To the kernel a map's address is where its struct begins; the verifier need not know that these are the same. */
	address = (__u64)&picket_tasks;
	asm volatile("" : "+r"(address));
	bpf_probe_read_kernel(&map, sizeof(map), &address);
	/* Where it was found last. */
	cache = (__u64)storage + bpf_core_field_offset(struct bpf_local_storage, cache);
	cache += sizeof(void *) * (BPF_CORE_READ(map, cache_idx) & (STORAGE_CACHE - 1));
	bpf_probe_read_kernel(&data, sizeof(data), (void *)cache);
	if (data && BPF_CORE_READ(data, smap) == map)
		return (__u64)data + bpf_core_field_offset(struct bpf_local_storage_data, data);
	node = BPF_CORE_READ(storage, list.first);
	for (int i = 0; i < STORAGE_OTHERS && node; i++) {
		__u64 element = (__u64)node - bpf_core_field_offset(struct bpf_local_storage_elem, snode);

		data = (void *)element + bpf_core_field_offset(struct bpf_local_storage_elem, sdata);
		if (BPF_CORE_READ(data, smap) == map)
			return (__u64)data + bpf_core_field_offset(struct bpf_local_storage_data, data);
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

/*
 * Address of the record of the current task or, as in task__record, of its leader; 0: there is nothing to judge in the
 * category. Without memory for it the answer is whether to refuse.
 */
static __noinline __u64 storage__ruled(__u32 category, bool memory)
{
	struct task_struct *task = (void *)bpf_get_current_task(), *leader;
	__u64 record = storage__find(task);
	struct storage_head head = {};

	if (!record) {
		leader = BPF_CORE_READ(task, group_leader);
		if (leader == task)
			return 0;
		record = storage__find(leader);
	}
	if (!record || bpf_probe_read_kernel(&head, sizeof(head), (void *)record) || head.flags & PICKET_TASK_ENTRY)
		return 0;
	return object__ruled((struct picket_task *)&head, category, memory) ? record : 0;
}

#endif
