/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Membership and process life: cgroups, entry, fork, exit, and the sweep over tasks that were there before. */
#ifndef PICKET_HOOK_TASK_H
#define PICKET_HOOK_TASK_H

#include "event.h"

/* Ids of cgroups are unique in one hierarchy only: those of version 1 say nothing about workloads. */
static __always_inline bool task__is_v2(struct cgroup *cgroup)
{
	return BPF_CORE_READ(cgroup, root, hierarchy_id) == 0; /* cgroup_init(): reserved for the default hierarchy */
}

/* The workload that was registered for a path before its cgroup was made; its time has come. */
static __always_inline bool task__expected(const char *path, struct picket_cgroup *expected)
{
	struct picket_cgroup *known;
	__u32 zero = 0;
	char *text = bpf_map_lookup_elem(&picket_cgroup_path, &zero);
	long length;

	if (!text)
		return false;
	__builtin_memset(text, 0, PICKET_CGROUP_PATH);
	length = bpf_probe_read_kernel_str(text, PICKET_CGROUP_PATH, path);
	if (length <= 1 || length >= PICKET_CGROUP_PATH)
		return false; /* longer: nobody could register it */
	known = bpf_map_lookup_elem(&picket_expected, text);
	if (!known)
		return false;
	*expected = *known;
	bpf_map_delete_elem(&picket_expected, text);
	return true;
}

/* A new cgroup belongs to the workload that is registered for its path, else to its parent's. */
SEC("tp_btf/cgroup_mkdir")
int BPF_PROG(picket_cgroup_mkdir, struct cgroup *cgroup, const char *path)
{
	struct cgroup *parent = (void *)BPF_CORE_READ(cgroup, self.parent) - bpf_core_field_offset(struct cgroup, self);
	__u64 id = BPF_CORE_READ(cgroup, kn, id), parent_id;
	struct picket_cgroup *known, expected = {};

	if (!BPF_CORE_READ(cgroup, self.parent) || !task__is_v2(cgroup))
		return 0;
	if (task__expected(path, &expected)) {
		bpf_map_update_elem(&picket_cgroups, &id, &expected, BPF_ANY);
		return 0;
	}
	parent_id = BPF_CORE_READ(parent, kn, id);
	known = bpf_map_lookup_elem(&picket_cgroups, &parent_id);
	if (known)
		bpf_map_update_elem(&picket_cgroups, &id, known, BPF_ANY);
	return 0;
}

SEC("tp_btf/cgroup_rmdir")
int BPF_PROG(picket_cgroup_rmdir, struct cgroup *cgroup, const char *path)
{
	__u64 id = BPF_CORE_READ(cgroup, kn, id);

	if (task__is_v2(cgroup))
		bpf_map_delete_elem(&picket_cgroups, &id);
	return 0;
}

/*
 * Tasks of no container: while host policies are in force they have records as well, so every hook treats them like any other.
 * NULL: host policies are off.
 */
static __always_inline const struct picket_control *task__host(void)
{
	__u32 key = 0;
	const struct picket_control *control = bpf_map_lookup_elem(&picket_control, &key);

	return control && *(volatile __u64 *)&control->host_workload ? control : NULL;
}

static __always_inline bool task__is_host(const struct picket_task *record)
{
	const struct picket_control *host = task__host();

	return host && host->host_workload == record->workload;
}

/* Kernel threads and the agent itself are left alone by host policies. */
enum { PF_KERNEL_THREAD = 0x00200000 };

/* The path of the program that a task has been running for some time. */
static __always_inline void task__recall_program(struct task_struct *task, struct picket_task *record)
{
	const struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	struct scratch *s;
	__u32 index;

	if (!exe)
		return;
	s = scratch__claim(&index);
	if (!s)
		return;
	source__remember(s, record, path__walk(s, (__u64)BPF_CORE_READ(exe, f_path.mnt),
					       (__u64)BPF_CORE_READ(exe, f_path.dentry)) == WALK_RESOLVED);
	scratch__release(s);
}

/*
 * A process was moved. Into a workload: it becomes an entry task. Moved by itself or its kin, it stays what it was:
 * leaving the cgroup is no way out of the rules.
 */
SEC("tp_btf/cgroup_attach_task")
int BPF_PROG(picket_cgroup_attach, struct cgroup *destination, const char *path, struct task_struct *task, bool group)
{
	__u64 id = task__cgroup(task); /* not the destination's, which may be of a v1 hierarchy */
	struct picket_cgroup *cgroup = bpf_map_lookup_elem(&picket_cgroups, &id);
	struct picket_task *record = bpf_task_storage_get(&picket_tasks, task, 0, 0), *mover;
	const struct picket_control *host;

	if (record) {
		if (cgroup && cgroup->workload == record->workload)
			return 0;
		mover = task__record(bpf_get_current_task_btf());
		if (mover && mover->workload == record->workload && !task__is_host(record))
			return 0;
		if (!cgroup) {
			host = task__host();
			if (!host) {
				bpf_task_storage_delete(&picket_tasks, task);
			} else if (host->host_workload != record->workload) {
				record->slot = host->host_slot;
				record->flags = 0;
				record->sources.set = 0;
				record->workload = host->host_workload;
			}
			return 0;
		}
	}
	if (cgroup)
		task__enter(task, cgroup);
	return 0;
}

static __always_inline void task__inherit(struct task_struct *child, const struct picket_task *parent)
{
	struct picket_task *record = bpf_task_storage_get(&picket_tasks, child, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!record) {
		count(PICKET_COUNT_TASK_STORAGE_FAILED);
		return;
	}
	*record = *parent;
	record->truncates = 0;
	record->pending = 0;
}

/* LSM backend: before the task can run, and also for io_uring workers, which no fork tracepoint announces. */
SEC("lsm/task_alloc")
int BPF_PROG(picket_task_alloc, struct task_struct *task, unsigned long clone_flags, int ret)
{
	struct picket_task *record = task__record(bpf_get_current_task_btf());

	if (record)
		task__inherit(task, record);
	return ret;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(picket_fork, struct task_struct *parent, struct task_struct *child)
{
	struct picket_task *record = bpf_task_storage_get(&picket_tasks, child, 0, 0), *from;
	struct picket_cgroup *cgroup, *beside;
	struct scratch *s;
	__u32 index;
	__u64 id;

	if (!record) {
		from = task__record(parent);
		if (from) {
			task__inherit(child, from);
		} else { /* CLONE_INTO_CGROUP starts it inside */
			id = task__cgroup(child);
			cgroup = bpf_map_lookup_elem(&picket_cgroups, &id);
			if (!cgroup)
				return 0; /* with host policies: not swept yet, or started by the agent, which is left alone */
			task__enter(child, cgroup);
		}
		record = bpf_task_storage_get(&picket_tasks, child, 0, 0);
		if (!record)
			return 0;
		id = task__cgroup(parent);
		beside = from ? NULL : bpf_map_lookup_elem(&picket_cgroups, &id);
		if (beside && beside->workload == record->workload)
			record->flags &= ~PICKET_TASK_ENTRY; /* under way before its workload was registered, not swept yet */
	}
	if (child->pid != child->tgid)
		return 0; /* a thread */
	s = scratch__claim(&index);
	if (!s)
		return 0;
	event__begin_life(s, child, record, PICKET_EVENT_FORK);
	event__send(s, 0, true);
	scratch__release(s);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(picket_exit, struct task_struct *task)
{
	struct picket_task *record = task__record(task);
	struct scratch *s;
	__u32 index;

	if (!record || task->signal->live.counter != 0)
		return 0;
	s = scratch__claim(&index);
	if (!s)
		return 0;
	event__begin_life(s, task, record, PICKET_EVENT_EXIT);
	event__send(s, 0, true);
	scratch__release(s);
	return 0;
}

enum { MAX_ANCESTORS = 32 };

/* Where a task belongs by its cgroup; 0: nowhere. */
static __always_inline __u64 task__home(struct task_struct *task, __u32 *slot)
{
	const struct picket_control *host;
	struct picket_cgroup *cgroup;
	__u64 id = task__cgroup(task);

	cgroup = bpf_map_lookup_elem(&picket_cgroups, &id);
	if (cgroup) {
		*slot = cgroup->slot;
		return cgroup->workload;
	}
	host = task__host();
	if (!host || task->flags & PF_KERNEL_THREAD || task->tgid == bpf_get_current_task_btf()->tgid)
		return 0;
	*slot = host->host_slot;
	return host->host_workload;
}

/*
 * Run by the agent after it registered a workload whose cgroup already holds tasks: these are under way, so they are
 * no entry tasks. Root of the tree: the topmost ancestor in the same workload. A record of a workload that is gone goes.
 */
SEC("iter/task")
int picket_sweep(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task, *root, *parent;
	struct picket_workload *known;
	struct picket_task *record;
	__u32 slot = 0, other;
	__u64 home;

	if (!task)
		return 0;
	home = task__home(task, &slot);
	record = bpf_task_storage_get(&picket_tasks, task, 0, 0);
	if (record) {
		known = bpf_map_lookup_elem(&picket_workloads, &record->slot);
		/* One that has left its cgroup stays what it is (picket_cgroup_attach). */
		if (known && known->id == record->workload && (record->workload == home || !task__is_host(record))) {
			/* The agent made this record (agent/kernel/tasks.ts); which program it is, is found out here. */
			if (!record->exe_hash && !(record->flags & PICKET_TASK_ENTRY))
				task__recall_program(task, record);
			return 0;
		}
		if (!home) {
			bpf_task_storage_delete(&picket_tasks, task);
			return 0;
		}
	}
	if (!home)
		return 0;
	record = bpf_task_storage_get(&picket_tasks, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!record) {
		count(PICKET_COUNT_TASK_STORAGE_FAILED);
		return 0;
	}
	__builtin_memset(record, 0, sizeof(*record));
	root = task;
	for (int i = 0; i < MAX_ANCESTORS; i++) {
		parent = root->real_parent;
		if (parent == root || task__home(parent, &other) != home)
			break;
		root = parent;
	}
	record->root_start_ns = task__start(root);
	record->root_pid = root->tgid;
	task__recall_program(task, record);
	record->slot = slot;
	record->workload = home; /* last: other hooks read the record meanwhile */
	return 0;
}

/*
 * Run by the agent about itself: writes the path of its root directory, seen from the root of its mount namespace. "/",
 * unless the agent was started in a chroot; the policies of local workloads then name what these see themselves.
 */
SEC("iter/task")
int picket_own_root(struct bpf_iter__task *context)
{
	struct task_struct *task = context->task, *current = bpf_get_current_task_btf();
	struct scratch *s;
	__u32 index, length;

	if (!task || BPF_CORE_READ(task, pid) != BPF_CORE_READ(current, tgid))
		return 0;
	s = scratch__claim(&index);
	if (!s)
		return 0;
	if (path__walk(s, (__u64)BPF_CORE_READ(task, fs, root.mnt), (__u64)BPF_CORE_READ(task, fs, root.dentry)) == WALK_RESOLVED) {
		length = path__text(s, 0);
		if (length <= PICKET_MAX_PATH)
			bpf_seq_write(context->meta->seq, s->strings, length);
	}
	scratch__release(s);
	return 0;
}

#endif
