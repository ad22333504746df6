/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Which workload a task belongs to, and who it is. */
#ifndef PICKET_TASK_H
#define PICKET_TASK_H

#include "maps.h"

/*
 * Record of a task; NULL: outside every workload. A process that is moved into a cgroup is announced by its leader
 * alone, so its other threads look there. (Workers of io_uring are threads too: they have the leader's record in
 * tracepoint mode, where no hook sees them made.)
 */
static __always_inline struct picket_task *task__record(struct task_struct *task)
{
	struct picket_task *record = NULL;
	struct task_struct *leader;

	/* Most tasks of a machine are outside and have no storage at all: the look-up would cost as much as all else here. */
	if (task->bpf_storage)
		record = bpf_task_storage_get(&picket_tasks, task, 0, 0);
	if (record)
		return record;
	leader = task->group_leader;
	return leader != task && leader->bpf_storage ? bpf_task_storage_get(&picket_tasks, leader, 0, 0) : NULL;
}

static __always_inline __u64 task__cgroup(struct task_struct *task)
{
	return task->cgroups->dfl_cgrp->kn->id;
}

static __always_inline __u32 task__mount_namespace(struct task_struct *task)
{
	return task->nsproxy->mnt_ns->ns.inum;
}

static __always_inline __u64 task__start(struct task_struct *task)
{
	return task->group_leader->start_boottime;
}

/* `owner`: as owner.h tells it. */
static __always_inline __u32 task__access(struct task_struct *task, __u32 owner)
{
	__u32 access = 0;

	if (owner != task->cred->fsuid.val)
		access |= PICKET_ACCESS_OTHER;
	if (task->signal->tty)
		access |= PICKET_ACCESS_TERMINAL;
	return access;
}

/* The task comes into the workload from outside: it becomes an entry task until it executes a program there. */
static __always_inline void task__enter(struct task_struct *task, const struct picket_cgroup *cgroup)
{
	struct picket_task *record = bpf_task_storage_get(&picket_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!record) {
		count(PICKET_COUNT_TASK_STORAGE_FAILED);
		return;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->workload = cgroup->workload;
	record->slot = cgroup->slot;
	record->flags = PICKET_TASK_ENTRY;
	record->root_start_ns = task__start(task);
	record->root_pid = task->tgid;
	record->entry_namespace = task__mount_namespace(task);
}

/*
 * Would this exec of an entry task start a program of the workload? Not while it is still the runtime at work: in the
 * mount namespace it came from, which is neither the workload's nor shared with it.
 */
static __always_inline bool task__starts_workload(struct task_struct *task, const struct picket_task *record,
						  const struct picket_workload *workload)
{
	__u32 namespace = task__mount_namespace(task);

	return workload->flags & PICKET_WORKLOAD_HOST_MOUNTS || namespace != record->entry_namespace ||
	       namespace == workload->mount_namespace;
}

#endif
